"""What the evaluator measured of every variant, beside what the file costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from modules.evaluation.metric_names import RECALL, recall_of
from pipeline.config.variants import REFERENCE
from pipeline.dashboard import glossary, slices
from pipeline.dashboard.evaluation import Evaluation
from pipeline.dashboard.facts import Dashboard
from pipeline.dashboard.formats import MISSING, interval, metric, number, signed
from pipeline.dashboard.table import Cell, Column, Row, Table, figure, text

_SEGMENT = "popularity_segment"
_UNKNOWN = "unknown"


def recalls(d: Dashboard, name: str) -> dict[str, slices.Measure]:
    """Returns the recall@10 of a variant by slice, where it was measured; everything first.

    Args:
        d: The run.
        name: The variant's.
    """
    if d.evaluation is None:
        return {}
    key = RECALL if name == d.gated else recall_of(name)
    found = {}
    for one in slices.slices(d.evaluation):
        value = d.evaluation.slices[one.name].get(key)
        if value is not None and not math.isnan(value):
            # Whoever ranked the windows, it is a share of them.
            measure = slices.measure(one, glossary.metric(RECALL), {RECALL: value})
            assert measure is not None
            found[one.name] = measure
    return found


def on_test(d: Dashboard) -> Table | None:
    """Shows one row a variant: bytes, recall on the test split and by popularity, time, memory.

    None where nothing was evaluated.
    """
    if d.evaluation is None:
        return None
    segments = _segments(d.evaluation)
    columns = [
        *(Column("Variant"), Column("Bytes", is_number=True)),
        *(Column("Recall@10", is_number=True), Column("95% interval")),
        Column("Against float32", is_number=True),
        *(Column(f"{one.label} targets", is_number=True) for one in segments),
        *(Column("ms", is_number=True), Column("KiB in memory", is_number=True)),
        Column("What became of it"),
    ]
    reference = recalls(d, REFERENCE)
    made = [_row(d, name, report, reference, segments) for name, report in d.variants.items()]
    empty = [Cell(MISSING)] * (len(columns) - 2)
    not_made = [
        Row([text(name), *empty, text(f"not made: {_first_line(reason)}", kind="long")])
        for name, reason in d.conversion.get("not_made", {}).items()
    ]
    caption = "Variants on the test split, by the popularity of the target"
    return Table("variants-on-test", caption, columns, [*made, *not_made])


def _row(
    d: Dashboard,
    name: str,
    report: Mapping[str, Any],
    reference: Mapping[str, slices.Measure],
    segments: Sequence[slices.Slice],
) -> Row:
    own = recalls(d, name)
    whole, other = own.get(slices.OVERALL), reference.get(slices.OVERALL)
    change = whole.value - other.value if whole and other and name != REFERENCE else None
    memory = report.get("memory_bytes")
    kib = None if memory is None else memory / 1024
    latency = report.get("latency_ms")
    return Row(
        [
            text(name, note="gated" if name == d.gated else ""),
            figure(report.get("bytes"), number(report.get("bytes"))),
            figure(whole.value, metric(whole.value)) if whole else Cell(MISSING),
            Cell(interval(whole.low, whole.high), value=whole.low) if whole else Cell(MISSING),
            figure(change, signed(change)),
            *(_segment(own.get(one.name), reference.get(one.name), name) for one in segments),
            figure(latency, number(latency)),
            figure(kib, MISSING if kib is None else f"{kib:,.0f}"),
            text(_fate(d, name), kind="long"),
        ]
    )


def _segment(own: slices.Measure | None, other: slices.Measure | None, name: str) -> Cell:
    if own is None:
        return Cell(MISSING)
    apart = other is not None and name != REFERENCE
    note = f"({signed(own.value - other.value)})" if apart and other else ""
    return figure(own.value, metric(own.value), note=note)


def _fate(d: Dashboard, name: str) -> str:
    if d.push is None or d.push.version is None:
        return MISSING
    reason = d.push.left_out.get(name)
    if reason:
        return f"left out: {reason}"
    return "ships" if name in d.push.variants else MISSING


def _first_line(reason: object) -> str:
    return str(reason).partition("\n")[0]


def _segments(evaluation: Evaluation) -> list[slices.Slice]:
    # A target outside of the vocabulary is a miss of every variant.
    return [
        one for one in slices.slices(evaluation) if one.family == _SEGMENT and one.label != _UNKNOWN
    ]
