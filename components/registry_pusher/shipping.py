"""Which variants ship, and what is told of each.

The gated variant and float32 ship with every blessed model. Any other one ships if its recall@10 on
the test windows lies no further below that of float32 than the gate's settings allow; what was not
measured is not shown to be good, and stays out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from components.registry_pusher.conversion import Conversion
from modules.evaluation.metric_names import (
    CHANGE_FROM_FLOAT32,
    RECALL,
    change_of_variant,
    recall_of,
)
from modules.evaluation.rank_features import POPULARITY_SEGMENT
from pipeline.config.delivery import GateConfig
from pipeline.config.variants import REFERENCE

OVERALL = "overall"

Metrics = Mapping[str, Mapping[str, float | None]]
"""Value by slice and metric, None where there is none; slice `OVERALL` is all test windows."""

_SEGMENTS = ("head", "torso", "tail")
_PATH = re.compile(r"[/\\]\w")


def left_out(conversion: Conversion, metrics: Metrics, gate: GateConfig) -> dict[str, str]:
    """Returns the variants that do not ship, with the reason, a sentence each.

    Args:
        conversion: The converter's report.
        metrics: What the Evaluator measured.
        gate: How far a variant may drop.
    """
    reasons = {name: _not_made(reason) for name, reason in conversion.not_made.items()}
    for name in conversion.variants:
        if name in (REFERENCE, conversion.gated):
            continue
        change = _change(name, conversion.gated, metrics)
        allowed = gate.max_drop_of(name)
        if change is None:
            reasons[name] = "its recall@10 on the test windows was not measured"
        elif not change >= -allowed:
            recall = _recall(name, conversion.gated, metrics[OVERALL])
            reasons[name] = (
                f"its recall@10 on the test windows, {recall:.4f}, is {-change:.4f} below that of "
                f"float32; {allowed:g} is allowed"
            )
    return reasons


def figures(conversion: Conversion, metrics: Metrics, name: str) -> dict[str, Any]:
    """Returns what was measured of a variant.

    Args:
        conversion: The converter's report.
        metrics: What the Evaluator measured.
        name: The variant's.

    Returns:
        `memory_bytes` and `latency_ms` as the converter measured them; `recall_at_10`,
        `recall_change_from_float32` and `recall_at_10_by_popularity` of the test windows. None
        where something is not known.
    """
    report = conversion.variants[name]
    prefix = f"{POPULARITY_SEGMENT}="
    segments = sorted(
        (
            slice_name.removeprefix(prefix)
            for slice_name in metrics
            if slice_name.startswith(prefix)
        ),
        key=lambda one: (_SEGMENTS.index(one) if one in _SEGMENTS else len(_SEGMENTS), one),
    )
    return {
        "memory_bytes": report.memory_bytes,
        "latency_ms": report.latency_ms,
        "recall_at_10": _recall(name, conversion.gated, metrics[OVERALL]),
        "recall_change_from_float32": _change(name, conversion.gated, metrics),
        "recall_at_10_by_popularity": {
            segment: _recall(name, conversion.gated, metrics[f"{prefix}{segment}"])
            for segment in segments
        },
    }


def _not_made(reason: str) -> str:
    # A bundle travels to devices: it names no path of the machine that converted, and no log.
    line = reason.partition("\n")[0]
    return f"the converter could not make it{'' if _PATH.search(line) else f': {line}'}"


def _recall(name: str, gated: str, values: Mapping[str, float | None]) -> float | None:
    return values.get(RECALL if name == gated else recall_of(name))


def _change(name: str, gated: str, metrics: Metrics) -> float | None:
    overall = metrics[OVERALL]
    if name == REFERENCE:
        return None if _recall(name, gated, overall) is None else 0.0
    return overall.get(CHANGE_FROM_FLOAT32 if name == gated else change_of_variant(name))
