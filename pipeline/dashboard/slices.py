"""Metrics by slice: families of slices, counts, and how far a value can be trusted."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.dashboard import glossary
from pipeline.dashboard.evaluation import Evaluation
from pocketrec_device.evaluation import wilson_interval

OVERALL = "overall"
WINDOWS = "windows"
FEW_WINDOWS = 100
"""Below this many windows a slice is called small: its 95% interval can be 20 points wide."""

_CROSS = " × "  # noqa: RUF001


@dataclasses.dataclass(frozen=True)
class Slice:
    """A part of the test split.

    Attributes:
        name: In the evaluation, e.g. `popularity_segment=head`.
        family: The feature that it is cut by, `overall` for everything; several are crossed.
        label: Its value of that feature.
        windows: Test windows in it; None where they were not counted.
    """

    name: str
    family: str
    label: str
    windows: int | None

    @property
    def is_small(self) -> bool:
        """Whether it holds too few windows to conclude much."""
        return self.windows is not None and self.windows < FEW_WINDOWS


@dataclasses.dataclass(frozen=True)
class Measure:
    """One metric on one slice; `low` and `high` are its 95% interval, None where none is known."""

    slice: Slice
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


def parse(name: str, windows: float | None) -> Slice:
    """Reads a slice's name, e.g. `genre=Comedy` or `genre=Comedy, history_segment=1-9`."""
    pairs = [part.partition("=") for part in name.split(", ")]
    # A value may hold a comma: what has no sign of equality belongs to the one before.
    joined: list[tuple[str, str]] = []
    for key, sign, value in pairs:
        if sign or not joined:
            joined.append((key, value))
        else:
            joined[-1] = (joined[-1][0], f"{joined[-1][1]}, {key}")
    family = _CROSS.join(key for key, _ in joined)
    label = _CROSS.join(value for _, value in joined) if family != OVERALL else "everything"
    counted = None if windows is None or math.isnan(windows) else int(windows)
    return Slice(name, family, label or name, counted)


def slices(evaluation: Evaluation) -> list[Slice]:
    """Returns the slices in reading order, everything first."""
    return [parse(name, values.get(WINDOWS)) for name, values in evaluation.slices.items()]


def families(found: Sequence[Slice]) -> dict[str, str]:
    """Returns the families' names for readers by key, in order."""
    return {one.family: glossary.family(one.family) for one in found}


def labels(found: Sequence[Slice]) -> dict[str, str]:
    """Returns labels by slice; where two families have the same value, with the family behind."""
    by_name = {one.name: one for one in found}
    count = Counter(one.label for one in by_name.values())
    return {
        name: one.label if count[one.label] == 1 else f"{one.label} ({glossary.family(one.family)})"
        for name, one in by_name.items()
    }


def metrics(evaluation: Evaluation) -> list[glossary.Metric]:
    """Returns the metrics that some slice has, in reading order, the count of windows left out."""
    names = dict.fromkeys(name for values in evaluation.slices.values() for name in values)
    return [glossary.metric(name) for name in names if name != WINDOWS]


def measure(one: Slice, metric: glossary.Metric, values: Mapping[str, float]) -> Measure | None:
    """Returns a metric on a slice with its interval; None where it has no value there.

    A share of windows has Wilson's score interval (Wilson, 1927). For any other metric the spread
    over windows would be needed, which an evaluation does not hold.
    """
    value = values.get(metric.name)
    if value is None or math.isnan(value):
        return None
    if not metric.is_share or not one.windows or not 0.0 <= value <= 1.0:
        return Measure(one, metric.name, value)
    interval = wilson_interval(round(value * one.windows), one.windows)
    return Measure(one, metric.name, value, interval.low, interval.high)


def measures(evaluation: Evaluation) -> list[Measure]:
    """Returns every metric on every slice that has a value, metric by metric."""
    known = slices(evaluation)
    found = (
        measure(one, metric, evaluation.slices[one.name])
        for metric in metrics(evaluation)
        for one in known
    )
    return [one for one in found if one is not None]
