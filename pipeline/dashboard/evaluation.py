"""What the evaluator measured and decided, in the dashboard's terms."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.dashboard.readers import UnreadableError

_SEGMENTS = ("head", "torso", "tail")


@dataclasses.dataclass(frozen=True)
class Threshold:
    """One threshold of the gate.

    Attributes:
        metric: The metric that it bounds.
        value: What was measured; None where the metric is missing, NaN where it has no value.
        lower: What the value must reach; None where there is no such bound.
        upper: What it must not pass; None where there is no such bound.
        passed: The verdict.
        reason: Why it did not pass; empty where it did.
        slice: Where it is checked; empty where that is the whole test split.
    """

    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    passed: bool
    reason: str = ""
    slice: str = ""

    @property
    def bound(self) -> str:
        """The bound in words, e.g. `at least 0.01`."""
        return " and ".join(
            f"{words} {bound:g}"
            for words, bound in (("at least", self.lower), ("at most", self.upper))
            if bound is not None
        )

    @property
    def margin(self) -> float | None:
        """How far the value is on the good side of the nearest bound; negative on the bad one.

        None where there is no value or no bound.
        """
        if self.value is None or math.isnan(self.value):
            return None
        distances = [
            *([] if self.lower is None else [self.value - self.lower]),
            *([] if self.upper is None else [self.upper - self.value]),
        ]
        return min(distances, default=None)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Metrics and verdicts.

    Attributes:
        slices: Value by metric, by slice; the slice of everything comes first.
        thresholds: Every threshold of the gate.
        blessed: Whether the model may ship.
        problems: What else speaks against it.
    """

    slices: Mapping[str, Mapping[str, float]]
    thresholds: Sequence[Threshold]
    blessed: bool
    problems: Sequence[str] = ()


EvaluationReader = Callable[[str], Evaluation]
"""Takes the URI of the evaluator's artifact; raises `UnreadableError`."""


def read_evaluation(uri: str) -> Evaluation:
    """Reads the evaluator's artifact.

    Args:
        uri: Of the artifact.

    Raises:
        UnreadableError: It is missing or damaged.
    """
    if "://" not in uri and not Path(uri).is_dir():
        raise UnreadableError(f"{uri}: no readable evaluation (there is no such folder)")
    # Late: it imports TensorFlow, which a run that ended before the evaluator does without.
    from modules.evaluation import results

    try:
        slices = results.load_metrics(uri)
        validation = results.load_validation(uri)
    except Exception as error:
        # TFMA asserts that files are there, TensorFlow and protocol buffers have errors of their
        # own for damaged ones; whichever it is, the rest of the page is worth reading.
        summary = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UnreadableError(f"{uri}: no readable evaluation ({summary})") from error
    ordered = {
        name: dict(sorted(slices[name].items(), key=lambda item: _reading_order(item[0])))
        for name in sorted(slices, key=lambda name: (name != results.OVERALL, _reading_order(name)))
    }
    thresholds = tuple(_threshold(verdict, results.OVERALL) for verdict in validation.verdicts)
    return Evaluation(ordered, thresholds, validation.blessed, validation.problems)


def _threshold(verdict: Any, overall: str) -> Threshold:
    return Threshold(
        metric=verdict.metric,
        value=verdict.value,
        lower=verdict.lower_bound,
        upper=verdict.upper_bound,
        passed=verdict.passed,
        reason="" if verdict.passed else verdict.reason,
        slice="" if verdict.slice == overall else verdict.slice,
    )


def _reading_order(name: str) -> tuple[str, int, str]:
    """Returns a sort key that takes numbers as numbers, and the popular before the rare."""
    feature, _, value = name.partition("=")
    place = _SEGMENTS.index(value) if value in _SEGMENTS else len(_SEGMENTS)
    return _padded(feature), place, _padded(value)


def _padded(text: str) -> str:
    return re.sub(r"\d+", lambda digits: digits.group().zfill(12), text)
