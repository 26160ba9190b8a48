"""Gathers what the dashboard shows about one run; nothing here knows HTML."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.dashboard import readers
from pipeline.dashboard.evaluation import Evaluation, EvaluationReader
from pipeline.errors import DataError
from pipeline.lineage import Artifact, PropertyValue, Run, Step
from pipeline.workspace import Workspace

STEPS = {
    "movielens_example_gen": "reads the release and splits it",
    "statistics_gen": "describes every feature",
    "schema_importer": "brings in the curated schema",
    "example_validator": "compares the data with the schema",
    "data_gate": "stops the run where the data is wrong",
    "transform": "builds vocabulary and windows",
    "trainer": "trains and exports the model",
    "tflite_converter": "makes and checks the TFLite variants",
    "latest_blessed_model": "finds the model to beat",
    "reference_ranks": "ranks the test targets by the recommenders to beat",
    "evaluator": "measures the gated variant and blesses it, or not",
    "registry_pusher": "registers what is blessed",
}

# Bookkeeping of TFX, of no interest beside the counts.
_BOOKKEEPING = {
    "name",
    "state",
    "is_external",
    "tfx_version",
    "producer_component",
    "split_names",
    "span",
    "version",
    "payload_format",
    "file_format",
    "input_fingerprint",
    "examples_type",
    "type_name",
    "mlmd_uuid",
}

Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class StepRow:
    """One line of the table of steps; `step` is None where the run never got there."""

    node_id: str
    purpose: str
    step: Step | None

    @property
    def state(self) -> str:
        """The step's state, or `not reached`."""
        return self.step.state if self.step else "not reached"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How the run ended.

    Attributes:
        kind: `pushed`, `not-pushed`, `failed` or `incomplete`.
        headline: One line.
        reason: Why it was not pushed, or failed; empty otherwise.
    """

    kind: str
    headline: str
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Data:
    """Ingest, statistics and validation.

    Attributes:
        counts: ExampleGen's counts by name.
        statistics: One entry a split.
        checked_splits: Splits that the validator looked at; None where it did not run.
        anomalies: What it found.
        vocabulary: Movies in the vocabulary; None before Transform has run.
    """

    counts: Mapping[str, PropertyValue]
    statistics: Sequence[readers.SplitStatistics]
    checked_splits: Sequence[str] | None
    anomalies: Sequence[readers.Anomaly]
    vocabulary: int | None


@dataclasses.dataclass(frozen=True)
class Push:
    """What reached the registry.

    Attributes:
        properties: Facts about the push, e.g. the version, or why there was none.
        files: Bytes and sha256 by file name of the bundle.
    """

    properties: Mapping[str, PropertyValue]
    files: Mapping[str, Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Dashboard:
    """All that is shown.

    Attributes:
        run: The run, with each step's artifacts and properties.
        verdict: How it ended.
        dataset: Name or path.
        config: The whole configuration; None where the run ended before it was recorded.
        steps: Every step of the pipeline, in order.
        data: Counts, statistics, anomalies.
        epochs: Training figures by name, one mapping an epoch.
        conversion: The converter's report; empty where it did not run.
        evaluation: Metrics by slice and thresholds; None where the evaluator did not run.
        push: What reached the registry; None where the pusher did not run.
        notes: What should have been readable, but was not.
    """

    run: Run
    verdict: Verdict
    dataset: str
    config: Mapping[str, Any] | None
    steps: Sequence[StepRow]
    data: Data
    epochs: Sequence[Mapping[str, float]]
    conversion: Mapping[str, Any]
    evaluation: Evaluation | None
    push: Push | None
    notes: Sequence[str]


class _Notes(list[str]):
    """Collects what could not be read, so that the rest of the page still appears."""

    def attempt(self, read: Callable[[], Value]) -> Value | None:
        try:
            return read()
        except readers.UnreadableError as error:
            self.append(str(error))
            return None


def collect(run: Run, workspace: Workspace, evaluation_reader: EvaluationReader) -> Dashboard:
    """Reads all artifacts of a run that the dashboard shows.

    Args:
        run: The run.
        workspace: Where it ran; holds the runner's own summary of the run.
        evaluation_reader: Reads the evaluator's results; called only where it ended.
    """
    notes = _Notes()
    summary_file = workspace.runs / f"{run.run_id}.json"
    summary = notes.attempt(lambda: _json(summary_file)) if summary_file.is_file() else None
    summary = summary or {}
    config = _config(run, summary)
    evaluation = run.output("evaluator", "evaluation")
    push = _push(run, notes)
    return Dashboard(
        run=run,
        verdict=_verdict(run, push, summary, workspace.root / "logs" / f"{run.run_id}.log"),
        dataset=_dataset(run, config),
        config=config,
        steps=_steps(run),
        data=_data(run, notes),
        epochs=_epochs(run, notes),
        conversion=_conversion(run, notes),
        evaluation=notes.attempt(lambda: evaluation_reader(evaluation.uri)) if evaluation else None,
        push=push,
        notes=tuple(notes),
    )


def _steps(run: Run) -> tuple[StepRow, ...]:
    known = [StepRow(node, purpose, run.step(node)) for node, purpose in STEPS.items()]
    others = [StepRow(s.node_id, "", s) for s in run.steps if s.node_id not in STEPS]
    return tuple(known + others)


def _config(run: Run, summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    pusher = run.step("registry_pusher")
    recorded = pusher.properties.get("pipeline_config") if pusher else None
    if isinstance(recorded, str):
        tree = json.loads(recorded)
        return tree if isinstance(tree, dict) else None
    tree = summary.get("config")
    if not isinstance(tree, dict):
        return None
    # What a cluster would be asked for: local runs read none of it.
    return {key: value for key, value in tree.items() if key != "deployment"}


def _dataset(run: Run, config: Mapping[str, Any] | None) -> str:
    if config and "dataset" in config:
        return str(config["dataset"])
    ingest = run.step("movielens_example_gen")
    return str(ingest.properties.get("input_base", "unknown")) if ingest else "unknown"


def _verdict(run: Run, push: Push | None, summary: Mapping[str, Any], log_file: Path) -> Verdict:
    recorded = str(summary.get("error") or "")
    failed = next((step for step in run.steps if step.state == "failed"), None)
    # A step can fail before ML Metadata hears of it; the runner knows.
    failed_at = failed.node_id if failed else str(summary.get("failed_step") or "")
    if failed_at:
        reason = (failed.error if failed else "") or recorded
        if not reason:
            reason = "No message was recorded: the run may have been killed there."
            reason += f" Its log: {log_file}" if log_file.is_file() else ""
        return Verdict("failed", f"FAILED at {failed_at}", reason)
    if push:
        if push.properties.get("pushed") != 1:
            return Verdict("not-pushed", "NOT PUSHED", _not_pushed_reason(push))
        version = push.properties.get("registry_version")
        model = push.properties.get("registry_model", "")
        return Verdict("pushed", f"PUSHED: {model} version {version}")
    current = next((step for step in run.steps if step.state == "running"), None)
    if current:
        reason = recorded or "It is still running, or the run was killed there."
        return Verdict("incomplete", f"INCOMPLETE: {current.node_id} has not ended", reason)
    return Verdict("incomplete", "INCOMPLETE: the last step was not reached", recorded)


def _not_pushed_reason(push: Push) -> str:
    named = (v for k, v in push.properties.items() if "reason" in k and v)
    return str(next(named, "The gate did not bless the model; see its thresholds below."))


def _data(run: Run, notes: _Notes) -> Data:
    examples = run.output("movielens_example_gen", "examples")
    statistics = run.output("statistics_gen", "statistics")
    anomalies = run.output("example_validator", "anomalies")
    validation = (
        notes.attempt(lambda: readers.read_anomalies(anomalies.path)) if anomalies else None
    )
    checked, found = validation or (None, [])
    described = (
        notes.attempt(lambda: readers.read_statistics(statistics.path)) if statistics else None
    )
    return Data(
        counts=_facts(examples) if examples else {},
        statistics=described or [],
        checked_splits=checked,
        anomalies=found,
        vocabulary=_vocabulary(run, notes),
    )


def _vocabulary(run: Run, notes: _Notes) -> int | None:
    graph = run.output("transform", "transform_graph")
    if graph is None:
        return None

    def count() -> int | None:
        try:
            movie_ids, _ = read_vocabulary(vocabulary_path(str(graph.path)))
        except DataError as error:
            raise readers.UnreadableError(str(error)) from None
        return len(movie_ids)

    return notes.attempt(count)


def _epochs(run: Run, notes: _Notes) -> Sequence[Mapping[str, float]]:
    logs = run.output("trainer", "model_run")
    return (notes.attempt(lambda: readers.read_epochs(logs.path)) if logs else None) or []


def _conversion(run: Run, notes: _Notes) -> Mapping[str, Any]:
    model = run.output("tflite_converter", "model")
    if model is None:
        return {}
    path = model.path / "conversion.json"
    return notes.attempt(lambda: _json(path)) or {}


def _push(run: Run, notes: _Notes) -> Push | None:
    pushed = run.output("registry_pusher", "pushed_model")
    if pushed is None:
        return None
    manifest = next(iter(sorted(pushed.path.rglob("manifest.json"))), None)
    tree = notes.attempt(lambda: _json(manifest)) if manifest else None
    return Push(_facts(pushed), (tree or {}).get("files", {}))


def _facts(artifact: Artifact) -> dict[str, PropertyValue]:
    return {k: v for k, v in artifact.properties.items() if k not in _BOOKKEEPING}


def _json(path: Path) -> Mapping[str, Any]:
    tree = readers.read_json(path)
    if not isinstance(tree, dict):
        raise readers.UnreadableError(f"{path}: must hold a mapping")
    return tree
