"""The charts of variants and of the history over runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import altair as alt

from pipeline.dashboard import glossary, slices
from pipeline.dashboard.formats import moment
from pipeline.dashboard.history import Record
from pipeline.dashboard.history_tables import OUTCOMES, outcome
from pipeline.dashboard.theme import OUTCOME_COLOURS, OUTCOME_SHAPES, QUIET, SERIES
from pipeline.dashboard.vega import Spec, data, finish, with_ends

TEST_RECALL, TEST_WINDOWS = "test_recall_at_10", "test_windows"
"""What the evaluator adds to the converter's report of a variant."""

MEASURES: Mapping[str, str] = {
    TEST_RECALL: "Recall@10, test split",
    "recall_at_10": "Recall@10, eval split",
    "top10_overlap": "Top-10 overlap with Keras",
    "latency_ms": "Milliseconds a recommendation",
    "memory_bytes": "Bytes in memory",
}
"""What may be told of a variant beside its size."""

_WINDOWS_OF = {TEST_RECALL: TEST_WINDOWS, glossary.RECALL: "windows"}

HISTORY_METRICS = (glossary.RECALL, "ndcg_at_10", "mrr", "catalogue_coverage_at_10")


def variant_measures(variants: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns the keys of `MEASURES` that some variant has."""
    return [key for key in MEASURES if any(key in report for report in variants.values())]


def variants(
    reports: Mapping[str, Mapping[str, Any]], gated: str, left_out: Collection[str] = ()
) -> Spec:
    """Draws variants by size and by what the signal `measure` chooses.

    Args:
        reports: The converter's report of each variant; `windows` is what recall was taken on.
        gated: The variant that the gate looked at.
        left_out: Those that do not ship.
    """
    values = []
    for name, report in reports.items():
        for key in variant_measures(reports):
            if report.get(key) is None:
                continue
            windows = report.get(_WINDOWS_OF.get(key, ""))
            one = slices.Slice(name, name, name, int(windows) if windows else None)
            metric = glossary.metric(glossary.RECALL if key in _WINDOWS_OF else key)
            found = slices.measure(one, metric, {metric.name: float(report[key])})
            assert found is not None
            values.append(
                {
                    "variant": name + _mark(name, gated, left_out),
                    "is_gated": name == gated,
                    "kB": report["bytes"] / 1000,
                    "measure": key,
                    "value": found.value,
                    "low": found.low,
                    "high": found.high,
                }
            )
    sizes = [report["bytes"] / 1000 for report in reports.values()]
    base = (
        alt.Chart(data(values))
        .transform_filter("datum.measure == measure")
        .encode(
            x=alt.X("kB:Q")
            .title("size in kB, logarithmic")
            .scale(type="log", domain=[min(sizes) / 1.3, max(sizes) * 1.5], nice=False)
            .axis(tickCount=5, format="~s", grid=False),
        )
    )
    y = alt.Y("value:Q").title(None).scale(zero=False, padding=24).axis(tickCount=5)
    points = base.mark_point(filled=True, size=120, opacity=1).encode(
        y=y,
        color=alt.condition("datum.is_gated", alt.value(SERIES[0]), alt.value(QUIET)),
        tooltip=[
            alt.Tooltip("variant:N"),
            alt.Tooltip("kB:Q", format=",.1f"),
            alt.Tooltip("value:Q", format=".4f"),
            alt.Tooltip("low:Q", title="95% from", format=".4f"),
            alt.Tooltip("high:Q", title="95% to", format=".4f"),
        ],
    )
    whiskers = with_ends(base).mark_rule(color=QUIET, strokeWidth=6, opacity=0.3)
    texts = base.mark_text(align="left", dx=10, dy=-9).encode(y=y, text="variant:N")
    chart = alt.layer(whiskers.encode(y="from:Q", y2="to:Q"), points, texts).add_params(
        alt.param(name="measure", value=variant_measures(reports)[0])
    )
    told = "; ".join(f"{name}: {report['bytes'] / 1000:.0f} kB" for name, report in reports.items())
    return finish(chart, f"Variants by size. {told}.", 230)


def _mark(name: str, gated: str, left_out: Collection[str]) -> str:
    if name == gated:
        return " (gated)"
    return " (left out)" if name in left_out else ""


def history(records: Sequence[Record], current: str = "") -> Spec:
    """Draws the metric that the signal `metric` chooses over runs, and popularity's recall.

    Args:
        records: Oldest first.
        current: Id of the run that is marked; empty for none.
    """
    values = [row for record in records for row in _points(record, current)]
    x = (
        alt.X("run:Q")
        .title("run")
        .axis(tickMinStep=1, format="d", grid=False)
        .scale(nice=False, padding=20, zero=False)
    )
    y = alt.Y("value:Q").title(None).scale(zero=False).axis(tickCount=5)
    shown = alt.Chart(data(values)).transform_filter("datum.metric == metric")
    base = shown.encode(x=x)
    datasets = list(dict.fromkeys(row["dataset"] for row in values))
    lines = base.mark_line(color=QUIET, strokeWidth=1.5).encode(y=y, detail="dataset:N")
    if len(datasets) > 1:
        lines = lines.encode(strokeDash=alt.StrokeDash("dataset:N"))
    kinds = [kind for kind in OUTCOMES.values() if any(row["outcome"] == kind for row in values)]
    points = base.mark_point(filled=True, opacity=1).encode(
        y=y,
        size=alt.condition("datum.is_current", alt.value(240), alt.value(90)),
        color=alt.Color("outcome:N").scale(
            domain=kinds, range=[OUTCOME_COLOURS[kind] for kind in kinds]
        ),
        shape=alt.Shape("outcome:N").scale(
            domain=kinds, range=[OUTCOME_SHAPES[kind] for kind in kinds]
        ),
        tooltip=[
            alt.Tooltip("run:Q"),
            alt.Tooltip("started:N"),
            alt.Tooltip("dataset:N", title="data set"),
            alt.Tooltip("told:N", title="outcome"),
            alt.Tooltip("value:Q", format=".4f"),
            alt.Tooltip("low:Q", title="95% from", format=".4f"),
            alt.Tooltip("high:Q", title="95% to", format=".4f"),
        ],
    )
    whiskers = with_ends(base).mark_rule(color=QUIET, strokeWidth=6, opacity=0.25)
    texts = base.mark_text(dy=-16).encode(y=y, text="label:N")
    chart = alt.layer(whiskers.encode(y="from:Q", y2="to:Q"), lines, points, texts).add_params(
        alt.param(name="metric", value=HISTORY_METRICS[0])
    )
    measured = [row for row in values if row["metric"] == HISTORY_METRICS[0]]
    told = "; ".join(f"run {row['run']}: {row['value']:.4f}, {row['told']}" for row in measured)
    return finish(
        chart, f"Metrics over runs. {glossary.metric(glossary.RECALL).label}: {told}.", 260
    )


def _points(record: Record, current: str) -> list[dict[str, Any]]:
    d = record.dashboard
    windows = d.overall.get(slices.WINDOWS)
    whole = slices.parse(slices.OVERALL, windows)
    points = []
    for name in HISTORY_METRICS:
        if not math.isfinite(d.overall.get(name, math.nan)):
            continue
        found = slices.measure(whole, glossary.metric(name), d.overall)
        assert found is not None
        points.append(
            {
                "run": record.number,
                "started": moment(d.run.started),
                "dataset": d.dataset,
                "outcome": OUTCOMES[d.verdict.kind],
                "told": outcome(record),
                "label": f"v{d.push.version}" if d.push and d.push.version else "",
                "is_current": d.run.run_id == current,
                "metric": name,
                "value": found.value,
                "low": found.low,
                "high": found.high,
            }
        )
    return points
