"""The charts of what the evaluator measured: pure functions from measures to specifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from pipeline.dashboard.comparison import MODEL, Comparison
from pipeline.dashboard.slices import OVERALL, Measure, labels
from pipeline.dashboard.theme import (
    BAR,
    GRID,
    INK,
    QUIET,
    RECOMMENDER_COLOURS,
    RECOMMENDER_SHAPES,
    SERIES,
    WHOLE_BAR,
)
from pipeline.dashboard.vega import Spec, data, finish, with_ends

ALL_FAMILIES = "*"
BAND = 28
"""Height of a slice in pixels."""

_INTERVAL = [
    alt.Tooltip("value:Q", format=".4f"),
    alt.Tooltip("low:Q", title="95% from", format=".4f"),
    alt.Tooltip("high:Q", title="95% to", format=".4f"),
]
_CHOSEN_FAMILY = (
    f"family == '{ALL_FAMILIES}' || datum.family == family || datum.family == '{OVERALL}'"
)
_WINDOWS = alt.Tooltip("windows:Q", format=",.0f")


def by_slice(measures: Sequence[Measure], metric: str, family: str) -> Spec:
    """Draws one metric on the slices of one family, with intervals, and the overall value.

    The signals `metric`, `family`, `windows` (the least count) and `order` are what the page's
    controls set.

    Args:
        measures: All metrics on all slices.
        metric: What is shown at first.
        family: What is shown at first, or `ALL_FAMILIES`.
    """
    names = labels([measure.slice for measure in measures])
    whole = {m.metric: m.value for m in measures if m.slice.family == OVERALL}
    values = [
        {
            "slice": names[m.slice.name],
            "family": m.slice.family,
            "metric": m.metric,
            "windows": m.slice.windows or 0,
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "whole": whole.get(m.metric),
            "note": f"n = {m.slice.windows}" if m.slice.is_small else "",
            "place": place,
        }
        for place, m in enumerate(measures)
    ]
    shown = (
        alt.Chart(data(values))
        .transform_filter("datum.metric == metric && datum.windows >= windows")
        .transform_filter(_CHOSEN_FAMILY)
        .transform_calculate(
            rank=f"datum.family == '{OVERALL}' ? -1e12 : order == 'value' ? -datum.value"
            " : order == 'windows' ? -datum.windows : datum.place",
            end="max(0, datum.high == null ? datum.value : datum.high)",
            text="format(datum.value, '.4f') + (datum.note ? '  ' + datum.note : '')",
        )
    )
    base = shown.encode(y=alt.Y("slice:N").title(None).sort(field="rank", op="min"))
    bars = base.mark_bar(height=14).encode(
        x=alt.X("value:Q").title(None).axis(tickCount=5),
        color=alt.condition(f"datum.family == '{OVERALL}'", alt.value(WHOLE_BAR), alt.value(BAR)),
        opacity=alt.condition("datum.note", alt.value(0.5), alt.value(1)),
        tooltip=[alt.Tooltip("slice:N"), *_INTERVAL, _WINDOWS],
    )
    whiskers = with_ends(base).mark_rule(color=INK, strokeWidth=1.5)
    texts = base.mark_text(align="left", dx=7).encode(x="end:Q", text="text:N")
    line = shown.mark_rule(color=QUIET, strokeDash=[4, 4]).encode(x="max(whole):Q")
    chart = alt.layer(line, bars, whiskers.encode(x="from:Q", x2="to:Q"), texts).add_params(
        alt.param(name="metric", value=metric),
        alt.param(name="family", value=family),
        alt.param(name="windows", value=0),
        alt.param(name="order", value="listed"),
    )
    text = (
        "Bars of the chosen metric by slice, with 95% intervals where one is known; the dashed "
        "line is the whole test split. The table below holds the same numbers."
    )
    return finish(chart, text, len(names) * BAND)


def compared(
    rows: Sequence[Comparison], names: Mapping[str, str], k: int, family: str = ALL_FAMILIES
) -> Spec:
    """Draws the recall of all recommenders as points on one line a slice.

    The signal `family` is what the page's control sets.

    Args:
        rows: One a slice.
        names: What to call the recommenders, by key.
        k: Of the recall.
        family: What is shown at first, or `ALL_FAMILIES`.
    """
    places = labels([row.slice for row in rows])
    values = [
        {
            "slice": places[row.slice.name],
            "family": row.slice.family,
            "recommender": names[key],
            "value": measure.value,
            "low": measure.low,
            "high": measure.high,
            "windows": row.slice.windows,
            "is_model": key == MODEL,
        }
        for row in rows
        # The model last: it is drawn over the others.
        for key, measure in sorted(row.by_recommender.items(), key=lambda item: item[0] == MODEL)
    ]
    chosen = alt.Chart(data(values)).transform_filter(_CHOSEN_FAMILY)
    base = chosen.encode(y=alt.Y("slice:N").title(None).sort(None))
    colour, shape = _recommenders(
        list(dict.fromkeys(key for row in rows for key in row.by_recommender)), names
    )
    spans = base.mark_rule(color=GRID, strokeWidth=2).encode(x="min(value):Q", x2="max(value):Q")
    own = with_ends(base.transform_filter("datum.is_model"))
    whiskers = own.mark_rule(color=SERIES[0], strokeWidth=6, opacity=0.3)
    points = base.mark_point(filled=True, opacity=1).encode(
        size=alt.condition("datum.is_model", alt.value(70), alt.value(110)),
        x=alt.X("value:Q").title(f"recall@{k}").axis(tickCount=6),
        color=colour,
        shape=shape,
        tooltip=[alt.Tooltip("slice:N"), alt.Tooltip("recommender:N"), *_INTERVAL, _WINDOWS],
    )
    chart = alt.layer(spans, whiskers.encode(x="from:Q", x2="to:Q"), points).add_params(
        alt.param(name="family", value=family)
    )
    text = f"Recall@{k} of {', '.join(names.values())} by slice; the table below holds the numbers."
    return finish(chart, text, len(rows) * BAND)


def recall_by_k(
    curves: Mapping[str, Sequence[tuple[int, Measure]]], names: Mapping[str, str]
) -> Spec:
    """Draws recall over how far down the list one looks.

    Args:
        curves: (K, measure) by recommender.
        names: What to call the recommenders, by key.
    """
    values = [
        {
            "k": k,
            "recommender": names[key],
            "value": measure.value,
            "low": measure.low,
            "high": measure.high,
        }
        for key, points in curves.items()
        for k, measure in points
    ]
    measured = sorted({k for points in curves.values() for k, _ in points})
    colour, shape = _recommenders(list(curves), names)
    base = alt.Chart(data(values)).encode(
        x=alt.X("k:Q")
        .title("K, first places of the list")
        .scale(type="log", nice=False)
        .axis(values=measured, format="d"),
        color=colour,
    )
    y = alt.Y("value:Q").title("recall@K").axis(tickCount=5)
    whiskers = with_ends(base).mark_rule(strokeWidth=6, opacity=0.25)
    points = base.mark_point(filled=True, size=80, opacity=1).encode(
        y=y,
        shape=shape,
        tooltip=[alt.Tooltip("recommender:N"), alt.Tooltip("k:Q", title="K"), *_INTERVAL],
    )
    told = "; ".join(
        f"{names[key]}: " + ", ".join(f"{m.value:.4f} at {k}" for k, m in points)
        for key, points in curves.items()
    )
    chart = alt.layer(
        whiskers.encode(y="from:Q", y2="to:Q"), base.mark_line(strokeWidth=2).encode(y=y), points
    )
    return finish(chart, f"Recall by K on the whole test split. {told}.", 260)


def segments(rows: Sequence[Comparison], names: Mapping[str, str], k: int) -> Spec:
    """Draws recall from head to tail: one group of bars a segment of popularity."""
    keys = list(dict.fromkeys(key for row in rows for key in row.by_recommender))
    values = [
        {
            "segment": row.slice.label,
            "recommender": names[key],
            "value": measure.value,
            "low": measure.low,
            "high": measure.high,
            "windows": row.slice.windows,
        }
        for row in rows
        for key, measure in row.by_recommender.items()
    ]
    colour, _ = _recommenders(keys, names)
    base = alt.Chart(data(values)).encode(
        x=alt.X("segment:N").title("popularity of the target").sort(None).axis(labelAngle=0),
        xOffset=alt.XOffset("recommender:N").sort([names[key] for key in keys]),
    )
    bars = base.mark_bar().encode(
        y=alt.Y("value:Q").title(f"recall@{k}").axis(tickCount=5),
        color=colour,
        tooltip=[alt.Tooltip("segment:N"), alt.Tooltip("recommender:N"), *_INTERVAL, _WINDOWS],
    )
    whiskers = with_ends(base).mark_rule(color=INK).encode(y="from:Q", y2="to:Q")
    told = "; ".join(
        f"{row.slice.label}: {row.by_recommender[MODEL].value:.4f}"
        for row in rows
        if MODEL in row.by_recommender
    )
    text = f"Recall@{k} from popular to rare targets. {names[MODEL]}: {told}."
    return finish(alt.layer(bars, whiskers), text, 260)


def _recommenders(keys: Sequence[str], names: Mapping[str, str]) -> tuple[alt.Color, alt.Shape]:
    """Encodes recommenders by colour and by shape, so that nobody has to tell colours apart."""
    domain = [names[key] for key in keys]
    colours = [RECOMMENDER_COLOURS[key] for key in keys]
    shapes = [RECOMMENDER_SHAPES[key] for key in keys]
    solid = alt.Legend(symbolOpacity=1)
    return (
        alt.Color("recommender:N").scale(domain=domain, range=colours).legend(solid),
        alt.Shape("recommender:N").scale(domain=domain, range=shapes).legend(solid),
    )
