"""What a run came to: kept as JSON beside the runs, shown on the screen."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config.root import Config
from pipeline.errors import PocketRecError, RegistryError
from pipeline.lineage import Lineage, Run
from pipeline.local_runner import RunOutcome
from pipeline.paths import from_here
from pipeline.registry.registry import open_registry
from pipeline.text_file import write_text
from pipeline.workspace import DEFAULT_WORKSPACE, Workspace

LOOK_UPS = frozenset({"latest_blessed_model", "warm_start_model"})
"""Nodes that look something up in ML Metadata: they compute nothing that could be cached."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """A finished run in figures.

    Attributes:
        dataset: The data set's name or path.
        counts: Of the ingest: `ratings_read`, `ratings_kept`, `users`, `movies` and so on.
        metrics: Of the gated variant on the test split, all windows.
        bytes: Size of each variant's file.
        recalls: Recall@10 of each on the test split; None where it was not measured.
        left_out: Why a variant was not made, or is not in the registered bundle, by its name.
        gated: The variant that was gated.
        version: What the registry calls the model; None if it was not pushed.
        registered_as: The model's name in the registry.
        aliases: The version's aliases now; a cached push moves none.
        not_pushed_reason: Why not; empty if it was.
        cached_steps: How many of `steps` came from the cache.
        steps: How many steps there are, look-ups in ML Metadata aside.
        seconds: Wall time of the run.
        run_id: ML Metadata's name of the run.
        popular_title: The catalogue's most watched movie; empty if nothing was pushed.
        workspace: The workspace's folder.
    """

    dataset: str
    counts: Mapping[str, Any]
    metrics: Mapping[str, float]
    bytes: Mapping[str, int]
    recalls: Mapping[str, float | None]
    left_out: Mapping[str, str]
    gated: str
    version: int | None
    registered_as: str
    aliases: tuple[str, ...]
    not_pushed_reason: str
    cached_steps: int
    steps: int
    seconds: float
    run_id: str
    popular_title: str
    workspace: str

    @property
    def registered(self) -> bool:
        """Whether a version of the registry holds the run's model."""
        return self.version is not None


def write_record(workspace: Workspace, config: Config, outcome: RunOutcome) -> Path:
    """Writes `runs/<id>.json`, whole or not at all: settings, duration, and what failed."""
    target = workspace.runs / f"{outcome.run_id}.json"
    record = {
        "run_id": outcome.run_id,
        "seconds": round(outcome.seconds, 1),
        "failed_step": outcome.failed_step,
        "error": outcome.error,
        "log": str(outcome.log_file),
        "config": json.loads(config.model_dump_json()),
    }
    write_text(target, json.dumps(record, indent=2) + "\n")
    return target


def summarize(workspace: Workspace, config: Config, outcome: RunOutcome) -> Summary:
    """Collects a finished run's figures from ML Metadata and its artifacts.

    Raises:
        PocketRecError: The run's records are not complete, or the registry does not hold the
            version that they name.
    """
    # Here, as it imports TensorFlow Model Analysis; after a run that costs nothing more.
    from modules.evaluation.metric_names import RECALL, recall_of
    from modules.evaluation.results import OVERALL, load_metrics

    run = Lineage(workspace.metadata_db).read(outcome.run_id)
    pushed_model = _artifact(run, "registry_pusher", "pushed_model")
    pushed = pushed_model.properties
    report = json.loads(
        (_artifact(run, "tflite_converter", "model").path / "conversion.json").read_text("utf-8")
    )
    steps = [step for step in run.steps if step.node_id not in LOOK_UPS]
    is_pushed = pushed.get("pushed") == 1
    version = int(pushed["registry_version"]) if is_pushed else None
    metrics = load_metrics(str(_artifact(run, "evaluator", "evaluation").path))[OVERALL]
    gated = report["gated"]
    return Summary(
        dataset=config.dataset,
        counts=_artifact(run, "movielens_example_gen", "examples").properties,
        metrics=metrics,
        bytes={name: variant["bytes"] for name, variant in report["variants"].items()},
        recalls={
            name: _measured(metrics.get(RECALL if name == gated else recall_of(name)))
            for name in report["variants"]
        },
        left_out={
            **(_left_out(pushed_model.path) if is_pushed else {}),
            **_not_made(report.get("not_made", {})),
        },
        gated=gated,
        version=version,
        registered_as=config.registry.model_name,
        aliases=() if version is None else _aliases(workspace, config, version),
        not_pushed_reason="" if is_pushed else str(pushed.get("not_pushed_reason", "unknown")),
        cached_steps=sum(step.state == "cached" for step in steps),
        steps=len(steps),
        seconds=outcome.seconds,
        run_id=outcome.run_id,
        popular_title=_popular_title(pushed_model.path) if is_pushed else "",
        workspace=str(workspace.root),
    )


def _artifact(run: Run, node_id: str, key: str) -> Any:
    artifact = run.output(node_id, key)
    if artifact is None:
        raise PocketRecError(f"run {run.run_id}: step {node_id} left no {key}; see its log")
    return artifact


def _aliases(workspace: Workspace, config: Config, version: int) -> tuple[str, ...]:
    """Returns a version's aliases; a push that comes from the cache may be gone by now."""
    registry = open_registry(
        workspace, config.registry.tracking_uri, model_name=config.registry.model_name
    )
    try:
        return tuple(registry.find(str(version)).aliases)
    except RegistryError as error:
        raise RegistryError(
            f"this run's push comes from the cache, but the registry no longer holds it: {error}. "
            "Run once with --set runtime.cache=false to build and register the model again"
        ) from None


def _measured(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _left_out(pushed_model: Path) -> dict[str, str]:
    manifest = json.loads((pushed_model / "bundle" / "manifest.json").read_text("utf-8"))
    # A push that comes from the cache may be from before bundles told.
    return dict(manifest.get("variants_left_out", {}))


def _not_made(reasons: Mapping[str, str]) -> dict[str, str]:
    # What follows is a log.
    return {
        name: f"the converter could not make it: {_first_line(reason)}"
        for name, reason in reasons.items()
    }


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _popular_title(pushed_model: Path) -> str:
    """Returns the first title of the bundle's catalogue, which is sorted by training events."""
    catalogue = json.loads((pushed_model / "bundle" / "catalogue.json").read_text("utf-8"))
    return str(catalogue[0]["title"])


def render(summary: Summary) -> str:
    """Returns the text for the screen."""
    counts, metrics = summary.counts, summary.metrics
    popularity = max(metrics["recall_at_10_popularity"], metrics["recall_at_10_recent_popularity"])
    lines = [
        "",
        f"data        {summary.dataset}: {counts['ratings_kept']:,} of {counts['ratings_read']:,} "
        f"ratings, {counts['users']:,} users, {counts['movies']:,} movies",
        f"recall@10   {metrics['recall_at_10']:.4f} on {metrics['windows']:,.0f} test windows "
        f"({summary.gated}); popularity {popularity:.4f}",
        f"NDCG@10     {metrics['ndcg_at_10']:.4f}, MRR {metrics['mrr']:.4f}",
        *(
            f"{'' if place else 'variants':<12}{line}"
            for place, line in enumerate(_variant_lines(summary))
        ),
    ]
    if summary.registered:
        place = from_here(Path(summary.workspace)) / "registry"
        lines.append(
            f"registered  {summary.registered_as} version {summary.version}, "
            f"alias {', '.join(summary.aliases) or 'none'}, in {place}"
        )
    else:
        lines.append(f"NOT PUSHED  {summary.not_pushed_reason}")
    lines.append(
        f"run         {summary.run_id}: {summary.seconds:.0f} s, "
        f"{summary.cached_steps} of {summary.steps} steps from the cache"
    )
    lines += ["", "next:", *(f"  {command}" for command in _next_commands(summary))]
    return "\n".join(lines)


def _variant_lines(summary: Summary) -> list[str]:
    """Returns a line a variant: size, recall, and what became of it."""
    lines = []
    width = max(map(len, [*summary.bytes, *summary.left_out]))
    for name, size in summary.bytes.items():
        recall = summary.recalls[name]
        told = "recall@10 not measured" if recall is None else f"recall@10 {recall:.4f}"
        fate = ", judged by the gate" if name == summary.gated else ""
        if name in summary.left_out:
            fate = f", LEFT OUT: {summary.left_out[name]}"
        lines.append(f"{name:<{width}} {size / 1000:>7,.0f} kB, {told}{fate}")
    lines += [
        f"{name:<{width}} LEFT OUT: {reason}"
        for name, reason in summary.left_out.items()
        if name not in summary.bytes
    ]
    return lines


def _next_commands(summary: Summary) -> list[str]:
    base = ".venv/bin/pocketrec"
    where = str(from_here(Path(summary.workspace)))
    option = "" if where == DEFAULT_WORKSPACE.name else f" --workspace {shlex.quote(where)}"
    if not summary.registered:
        return [f"{base} dashboard{option}"]
    return [
        f'{base} recommend champion "{summary.popular_title}"{option}',
        f"{base} evaluate champion --data {summary.dataset}{option}",
        f"{base} registry list{option}",
        f"{base} dashboard{option}",
        f"{base} demo{option}",
    ]
