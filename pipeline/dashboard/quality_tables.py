"""The tables about what the evaluator measured: gate, slices, comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.dashboard import glossary, slices
from pipeline.dashboard.comparison import MODEL, Comparison, references
from pipeline.dashboard.evaluation import Evaluation
from pipeline.dashboard.formats import MISSING, interval, metric, number, signed
from pipeline.dashboard.table import Cell, Column, Row, Table, figure, state, text

SMALL = "small"


def gate(evaluation: Evaluation) -> Table:
    """Shows every threshold of the gate, passed ones too."""
    columns = [
        *(Column("Metric"), Column("Verdict"), Column("Value", is_number=True)),
        *(Column("Must be"), Column("Margin", is_number=True), Column("What it says")),
    ]
    rows = []
    for threshold in evaluation.thresholds:
        known = glossary.metric(threshold.metric)
        place = f" ({threshold.slice})" if threshold.slice else ""
        margin = signed(threshold.margin)
        rows.append(
            Row(
                [
                    text(f"{threshold.metric}{place}"),
                    state("pass" if threshold.passed else "fail"),
                    figure(threshold.value, metric(threshold.value)),
                    text(threshold.bound, kind="short"),
                    figure(threshold.margin, margin, kind="good" if threshold.passed else "bad"),
                    text(threshold.reason or known.meaning),
                ]
            )
        )
    return Table("gate-table", "Thresholds of the gate", columns, rows)


def by_slice(evaluation: Evaluation, anchor: str = "slices-table") -> Table:
    """Shows one row a metric and slice, with what the page's controls filter by."""
    columns = [
        *(Column("Slice"), Column("Metric"), Column("Family")),
        *(Column(label, is_number=True) for label in ("Windows", "Value")),
        Column("95% interval"),
    ]
    rows = [
        Row(
            [
                text(one.slice.label, note=SMALL if one.slice.is_small else ""),
                text(glossary.metric(one.metric).label),
                text(glossary.family(one.slice.family)),
                figure(one.slice.windows, number(one.slice.windows)),
                figure(one.value, metric(one.value)),
                Cell(interval(one.low, one.high), value=one.low),
            ],
            marks={
                "metric": one.metric,
                "family": one.slice.family,
                "windows": str(one.slice.windows or 0),
            },
        )
        for one in slices.measures(evaluation)
    ]
    return Table(anchor, "Metrics by slice", columns, rows, can_filter=True)


def compared(rows: Sequence[Comparison], names: Mapping[str, str], k: int) -> Table:
    """Shows one row a slice: the recall of each recommender, and the model's difference from it.

    Args:
        rows: One a slice.
        names: What to call the recommenders, by key.
        k: Of the recall.
    """
    others = references(rows)
    places = slices.labels([row.slice for row in rows])
    columns = [
        Column("Slice"),
        Column("Windows", is_number=True),
        Column(names[MODEL], is_number=True),
        *(Column(f"against {names[key]}", is_number=True) for key in others),
    ]
    shown = [
        Row(
            [
                text(places[row.slice.name], note=SMALL if row.slice.is_small else ""),
                figure(row.slice.windows, number(row.slice.windows)),
                figure(row.by_recommender[MODEL].value, metric(row.by_recommender[MODEL].value)),
                *(_difference(row, key) for key in others),
            ],
            marks={"family": row.slice.family},
        )
        for row in rows
    ]
    caption = f"Recall@{k} against the others"
    return Table("comparison-table", caption, columns, shown)


def _difference(row: Comparison, key: str) -> Cell:
    value = row.difference(key)
    if value is None:
        return Cell(MISSING)
    own, other = row.by_recommender[MODEL], row.by_recommender[key].value
    # What lies within the model's own interval may well be chance.
    is_apart = own.low is not None and own.high is not None and not own.low <= other <= own.high
    kind = ("good" if value > 0 else "bad") if is_apart else ""
    return figure(value, signed(value), kind=kind, note=f"({metric(other)})")
