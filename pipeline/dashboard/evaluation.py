"""What the evaluator measured and decided, in the dashboard's terms."""

from __future__ import annotations

import dataclasses
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
        metric: The metric that it bounds, with the slice unless it is everything.
        value: What was measured; None where the metric is missing, NaN where it has no value.
        bound: The bound in words, e.g. `at least 0.01`.
        passed: The verdict.
        reason: Why it did not pass; empty where it did.
    """

    metric: str
    value: float | None
    bound: str
    passed: bool
    reason: str = ""


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
    bounds = [
        f"{words} {bound:g}"
        for words, bound in (("at least", verdict.lower_bound), ("at most", verdict.upper_bound))
        if bound is not None
    ]
    place = "" if verdict.slice == overall else f" ({verdict.slice})"
    return Threshold(
        metric=f"{verdict.metric}{place}",
        value=verdict.value,
        bound=" and ".join(bounds),
        passed=verdict.passed,
        reason="" if verdict.passed else verdict.reason,
    )


def _reading_order(name: str) -> tuple[str, int, str]:
    """Returns a sort key that takes numbers as numbers, and the popular before the rare."""
    feature, _, value = name.partition("=")
    place = _SEGMENTS.index(value) if value in _SEGMENTS else len(_SEGMENTS)
    return _padded(feature), place, _padded(value)


def _padded(text: str) -> str:
    return re.sub(r"\d+", lambda digits: digits.group().zfill(12), text)
