"""Gathers what the dashboard shows about one run; nothing here knows HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.dashboard import readers
from pipeline.dashboard.evaluation import EvaluationReader
from pipeline.dashboard.facts import UNKNOWN_DATASET, Dashboard, Data, Push, StepRow
from pipeline.dashboard.moved import at_home
from pipeline.dashboard.verdict import verdict
from pipeline.errors import DataError
from pipeline.lineage import Artifact, PropertyValue, Run
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
    run = at_home(run, workspace)
    notes = _Notes()
    summary_file = workspace.runs / f"{run.run_id}.json"
    summary = notes.attempt(lambda: _json(summary_file)) if summary_file.is_file() else None
    summary = summary or {}
    config = _config(run, summary)
    evaluation = run.output("evaluator", "evaluation")
    push = _push(run, notes)
    return Dashboard(
        run=run,
        verdict=verdict(run, push, summary, workspace.root / "logs" / f"{run.run_id}.log"),
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
    return str(ingest.properties.get("input_base", UNKNOWN_DATASET)) if ingest else UNKNOWN_DATASET


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
    drift, drift_note = _drift(run, notes)
    return Data(
        counts=_facts(examples) if examples else {},
        statistics=described or [],
        checked_splits=checked,
        anomalies=found,
        drift=drift,
        drift_note=drift_note,
        vocabulary=_vocabulary(run, notes),
    )


def _drift(run: Run, notes: _Notes) -> tuple[Sequence[Mapping[str, Any]], str]:
    report = run.output("data_gate", "report")
    if report is None:
        return (), ""
    path = report.path / "data_gate.json"
    drift = (notes.attempt(lambda: _json(path)) or {}).get("drift", "")
    if not isinstance(drift, Mapping):
        return (), str(drift)
    spans = f"span {drift.get('newest')} against span {drift.get('before')}"
    return tuple(drift.get("measured", ())), spans


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
    tree = (notes.attempt(lambda: _json(manifest)) if manifest else None) or {}
    return Push(
        properties=_facts(pushed),
        files=tree.get("files", {}),
        variants=tuple(tree.get("variants", ())),
        left_out=tree.get("variants_left_out", {}),
    )


def _facts(artifact: Artifact) -> dict[str, PropertyValue]:
    return {k: v for k, v in artifact.properties.items() if k not in _BOOKKEEPING}


def _json(path: Path) -> Mapping[str, Any]:
    tree = readers.read_json(path)
    if not isinstance(tree, dict):
        raise readers.UnreadableError(f"{path}: must hold a mapping")
    return tree
