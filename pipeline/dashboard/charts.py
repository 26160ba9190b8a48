"""The charts of data and training: pure functions from values to specifications."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from pipeline.dashboard import glossary
from pipeline.dashboard.theme import PAGE, QUIET, SERIES
from pipeline.dashboard.vega import Spec, data, finish


def curves(
    rows: Sequence[Mapping[str, float]],
    names: Sequence[str],
    title: str,
    best: int | None = None,
) -> Spec:
    """Draws figures by epoch.

    Args:
        rows: Figures by name, one mapping an epoch, with `epoch`.
        names: What to draw, up to five.
        title: Of the vertical axis.
        best: Epoch that is marked; None for none.
    """
    labels = [glossary.metric(name).label for name in names]
    values = [
        {"epoch": row["epoch"], "value": row[name], "figure": label}
        for name, label in zip(names, labels, strict=True)
        for row in rows
        if math.isfinite(row.get(name, math.nan))
    ]
    scale = alt.Scale(domain=labels, range=list(SERIES[: len(labels)]))
    base = alt.Chart(data(values)).encode(
        x=alt.X("epoch:Q")
        .title("epoch")
        .scale(zero=False, nice=False)
        .axis(tickMinStep=1, tickCount=8, format="d", grid=False),
        y=alt.Y("value:Q").title(None).scale(zero=False, nice=True).axis(tickCount=5),
        color=alt.Color("figure:N").scale(scale) if len(names) > 1 else alt.value(SERIES[0]),
        tooltip=[
            alt.Tooltip("epoch:Q"),
            alt.Tooltip("figure:N"),
            alt.Tooltip("value:Q", format=".4~g"),
        ],
    )
    layers: list[alt.Chart] = []
    if best is not None:
        chosen = alt.Chart(data([{"epoch": best}])).mark_rule(color=QUIET, strokeDash=[4, 4])
        layers.append(chosen.encode(x=alt.X("epoch:Q").scale(zero=False, nice=False)))
    layers += [base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=40, opacity=1)]
    courses = "; ".join(_course(name, rows) for name in names)
    marked = f". The best epoch, {best}, is marked" if best is not None else ""
    return finish(alt.layer(*layers), f"{title} by epoch: {courses}{marked}.", 220)


def histogram(
    name: str, buckets: Sequence[tuple[float, float, float]], is_year: bool = False
) -> Spec:
    """Draws how a feature's values are distributed.

    Args:
        name: Of the feature.
        buckets: (low, high, count), at least one.
        is_year: Whether the values are years, which are written without thousands.
    """
    values = [{"low": low, "high": high, "count": count} for low, high, count in buckets]
    chart = (
        alt.Chart(data(values))
        .mark_rect(color=SERIES[0], stroke=PAGE, strokeWidth=1)
        .encode(
            x=alt.X("low:Q")
            .title(name)
            .scale(zero=False, nice=False)
            .axis(tickCount=4, grid=False, format="d" if is_year else "~s"),
            x2="high:Q",
            y=alt.Y("count:Q").title(None).axis(tickCount=3, format="~s"),
            y2=alt.Y2Datum(0),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=".5~g"),
                alt.Tooltip("high:Q", title="to", format=".5~g"),
                alt.Tooltip("count:Q", format=",.0f"),
            ],
        )
    )
    fullest = max(buckets, key=lambda bucket: bucket[2])
    return finish(
        chart,
        f"Histogram of {name}, from {buckets[0][0]:.5g} to {buckets[-1][1]:.5g}; most values lie "
        f"between {fullest[0]:.5g} and {fullest[1]:.5g}.",
        110,
    )


def _course(name: str, rows: Sequence[Mapping[str, float]]) -> str:
    values = [row[name] for row in rows if math.isfinite(row.get(name, math.nan))]
    label = glossary.metric(name).label
    return (
        f"{label} from {values[0]:.4g} to {values[-1]:.4g}" if values else f"{label} has no value"
    )
