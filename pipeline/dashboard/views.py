"""What each part of the page shows: tables, charts and sentences, by name, for the templates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import yaml

from modules import features
from modules.evaluation.metric_names import RECALL_OF_SIZES, chosen_by
from pipeline.dashboard import (
    charts,
    glossary,
    graph,
    history_tables,
    lineage_tables,
    overview_charts,
    slices,
    tables,
    variant_tables,
)
from pipeline.dashboard.chart import Chart
from pipeline.dashboard.facts import Dashboard
from pipeline.dashboard.formats import year
from pipeline.dashboard.history import History, Record

View = dict[str, Any]

_EVAL_SCORES = (glossary.RECALL, "ndcg_at_10", "mrr")
_LEARNING_RATE = "learning_rate"
_MOST_CURVES = 5


def data(d: Dashboard) -> View:
    """Shows counts, anomalies, drift and statistics."""
    return {
        "counts": tables.counts(d.data.counts),
        "by_split": tables.by_split(d.data.counts),
        "anomalies": tables.anomalies(d.data.anomalies),
        "drift": tables.drift(d.data.drift) if d.data.drift else None,
        "statistics": tables.statistics(d.data.statistics),
        "histograms": _histograms(d),
    }


def training(d: Dashboard) -> View:
    """Shows the figures of each epoch."""
    if not d.epochs:
        return {"charts": [], "table": None, "best": None, "of_sizes": False, "chosen_by": None}
    rows = [{"epoch": float(i), **row} for i, row in enumerate(d.epochs, start=1)]
    names = dict.fromkeys(name for row in rows for name in row)
    scored = [row for row in rows if math.isfinite(row.get(glossary.RECALL, math.nan))]
    best = max(scored, key=chosen_by, default=None)
    groups = (
        ("loss", "Training loss", [name for name in names if "loss" in name]),
        ("scores", "Quality on the eval split", [name for name in _EVAL_SCORES if name in names]),
        ("rate", "Learning rate", [_LEARNING_RATE] if _LEARNING_RATE in names else []),
    )
    drawn = [
        Chart(
            f"training-{anchor}",
            title,
            charts.curves(
                rows,
                group[:_MOST_CURVES],
                title.lower(),
                int(best["epoch"]) if best and anchor == "scores" else None,
            ),
        )
        for anchor, title, group in groups
        if group
    ]
    return {
        "charts": drawn,
        "table": tables.epochs(d.epochs),
        "best": best,
        "of_sizes": best is not None and RECALL_OF_SIZES in best,
        "chosen_by": chosen_by(best) if best else None,
    }


def variants(d: Dashboard) -> View | None:
    """Shows sizes and parity of the variants; None where nothing was converted."""
    if not d.variants:
        return None
    reports = {name: _with_test_recall(d, name) for name in d.variants}
    measures = overview_charts.variant_measures(reports)
    left_out = d.push.left_out if d.push else {}
    chart = None
    if measures and all(report.get("bytes") for report in d.variants.values()):
        spec = overview_charts.variants(reports, d.gated, left_out)
        chart = Chart("variants-chart", "Size against quality", spec)
    return {
        "chart": chart,
        "measures": [(key, overview_charts.MEASURES[key]) for key in measures],
        "on_test": variant_tables.on_test(d),
        "left_out": sorted(left_out),
        "table": tables.variants(d),
        "settings": tables.conversion_settings(d.conversion),
        "has_latency": "latency_ms" in measures,
    }


def _with_test_recall(d: Dashboard, name: str) -> dict[str, Any]:
    report = dict(d.variants[name])
    whole = variant_tables.recalls(d, name).get(slices.OVERALL)
    if whole is not None:
        report[overview_charts.TEST_RECALL] = whole.value
        report[overview_charts.TEST_WINDOWS] = whole.slice.windows
    return report


def past(history: History, records: Sequence[Record], current: str, links: bool) -> View:
    """Shows runs and versions."""
    measured = [record for record in records if glossary.RECALL in record.dashboard.overall]
    metrics = [(name, glossary.metric(name)) for name in overview_charts.HISTORY_METRICS]
    return {
        "chart": Chart(
            "history-chart", "Metrics over runs", overview_charts.history(measured, current)
        )
        if measured
        else None,
        "metrics": metrics,
        "runs": history_tables.runs(records, current, links),
        "versions": history_tables.versions(history.versions) if history.versions else None,
        "note": history.note,
    }


def registry(d: Dashboard) -> View | None:
    """Shows the push; None where the run did not get there."""
    if d.push is None:
        return None
    return {
        "properties": tables.properties("push", "The push", d.push.properties),
        "files": tables.files(d.push.files) if d.push.files else None,
    }


def lineage(d: Dashboard) -> View:
    """Shows steps, artifacts and the graph of both."""
    reached = [row.step for row in d.steps if row.step]
    return {
        "graph": graph.graph(d.run),
        "steps": lineage_tables.steps(d.steps),
        "artifacts": lineage_tables.artifacts(d.run),
        "details": [
            (
                step,
                lineage_tables.inputs_and_outputs(step),
                tables.properties(
                    f"settings-{step.node_id}", f"Settings of {step.node_id}", step.properties
                ),
            )
            for step in reached
        ],
    }


def configuration(d: Dashboard) -> str:
    """Returns the whole configuration as YAML; empty where it was not recorded."""
    return yaml.safe_dump(dict(d.config), sort_keys=False) if d.config else ""


def _histograms(d: Dashboard) -> list[Chart]:
    train = next((s for s in d.data.statistics if s.split == features.SPLIT_TRAIN), None)
    drawn = []
    for feature in train.features if train else ():
        if not feature.histogram or feature.minimum == feature.maximum:
            continue
        # A user's id is an arbitrary number: its distribution says nothing.
        if feature.name == features.USER_ID:
            continue
        buckets, is_year = feature.histogram, feature.name == features.TIMESTAMP
        if is_year:
            buckets = [(year(low), year(high), count) for low, high, count in buckets]
        spec = charts.histogram(feature.name, buckets, is_year)
        drawn.append(Chart(f"histogram-{feature.name}", "", spec))
    return drawn
