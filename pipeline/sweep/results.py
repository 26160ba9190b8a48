"""What a study came to: one JSON file, written anew after every trial."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config.item_table import DenseTableConfig, ItemTableConfig
from pipeline.config.root import Config
from pipeline.config.sweep import SweepConfig
from pipeline.config.tree import flat
from pipeline.sweep.search import Finished
from pipeline.text_file import write_text

_PRIVATE = ("log", "tail", "mlflow_run")
"""Keys that mean something in the workspace alone."""


def outcome_of(runs: Sequence[Mapping[str, Any]], config: Config) -> dict[str, Any]:
    """Sums up the trainings of one trial.

    Args:
        runs: One result a seed, as a training wrote it, at least one.
        config: The trial's settings.

    Returns:
        `encoder`, `history`, `table` (its kind), the `runs`, and over them the `mean` and the
        `spread` (standard deviation of a sample; 0 for one run) of each figure, by key path.
    """
    figures = [
        {key: float(value) for key, value in flat(run).items() if isinstance(value, int | float)}
        for run in runs
    ]
    shared = [key for key in figures[0] if all(key in run for run in figures) and key != "seed"]
    columns = {key: [run[key] for run in figures] for key in shared}
    return {
        "encoder": config.model.encoder.name,
        "history": config.history.length,
        "table": kind_of_table(config.model.item_table),
        "mean": {key: statistics.fmean(values) for key, values in columns.items()},
        "spread": {
            key: statistics.stdev(values) if len(values) > 1 else 0.0
            for key, values in columns.items()
        },
        "runs": [dict(run) for run in runs],
    }


def kind_of_table(table: ItemTableConfig) -> str:
    """Returns what a frontier calls an item table."""
    if isinstance(table, DenseTableConfig) and (table.rounds or table.width is not None):
        return "dense, narrow or of few bits"
    return str(table.name)


def build(study: SweepConfig, finished: Sequence[Finished], total: int) -> dict[str, Any]:
    """Returns the content of the results file.

    Args:
        study: The study.
        finished: Its trials that are over, by place.
        total: How many it has in all.
    """
    trials = [
        {
            "trial": trial.place,
            "state": "failed" if trial.failed else "done",
            "parameters": dict(trial.values),
            **trial.outcome,
        }
        for trial in finished
    ]
    best = best_trial(trials, study.objective)
    return {
        "study": study.name,
        "base": study.base,
        "settings": study.settings,
        "search": study.search,
        "objective": study.objective,
        "seeds": list(study.seeds),
        "report_test": study.report_test,
        "variants": list(study.variants),
        "budgets": list(study.budgets),
        "cases": study.cases,
        "parameters": study.model_dump(mode="json")["parameters"],
        "total": total,
        "best": None if best is None else best["trial"],
        "trials": trials,
    }


def best_trial(trials: Sequence[Mapping[str, Any]], objective: str) -> Mapping[str, Any] | None:
    """Returns the trial of the highest objective on eval, the first of equals; None of none."""
    done = [trial for trial in trials if trial["state"] == "done"]
    return max(done, key=lambda trial: trial["mean"][f"eval.{objective}"], default=None)


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Writes the file, whole or not at all."""
    write_text(path, json.dumps(results, indent=1) + "\n")


def read(path: Path) -> dict[str, Any]:
    """Reads what `write` wrote."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def published(results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the results without what means something in the workspace alone."""

    def clean(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {key: clean(value) for key, value in node.items() if key not in _PRIVATE}
        return [clean(value) for value in node] if isinstance(node, list) else node

    return dict(clean(results))
