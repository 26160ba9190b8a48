"""Reads what the Evaluator found: metrics by slice, and each threshold with its verdict."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow_model_analysis as tfma

OVERALL = "overall"

MEANINGS = {
    "windows": "test windows evaluated",
    "recall_at_10": "share of test windows whose target is among the first 10",
    "catalogue_coverage_at_10": "share of the catalogue that reaches the first 10 of some window",
    "recall_margin_over_popularity_at_10": (
        "recall@10 minus that of the better of the two popularity recommenders"
    ),
    "recall_change_from_blessed_at_10": (
        "recall@10 minus that of the latest blessed model; 0 where there is none"
    ),
    "recall_change_from_float32_at_10": "recall@10 minus that of the float32 variant",
}
"""What the thresholds are about, in words."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One threshold of the gate.

    Attributes:
        metric: Name of the metric.
        slice: The slice it was checked on.
        lower_bound: What the value must reach, or None.
        upper_bound: What it must not pass, or None.
        value: What was measured; None if the metric is missing, NaN if it has no value.
        passed: Whether the gate let it through.
    """

    metric: str
    slice: str
    lower_bound: float | None
    upper_bound: float | None
    value: float | None
    passed: bool

    @property
    def reason(self) -> str:
        """The verdict as a sentence."""
        bounds = [
            f"{words} {bound:.4g}"
            for words, bound in (("at least", self.lower_bound), ("at most", self.upper_bound))
            if bound is not None
        ]
        found = "was not computed" if self.value is None else f"is {self.value:.4g}"
        meaning = MEANINGS.get(self.metric)
        named = f"{self.metric} ({meaning})" if meaning else self.metric
        place = "" if self.slice == OVERALL else f" on {self.slice}"
        wanted = "required" if self.passed else "but must be"
        return f"{named} {found}{place}, {wanted} {' and '.join(bounds)}"


@dataclasses.dataclass(frozen=True)
class Validation:
    """The gate's decision.

    Attributes:
        blessed: Whether the model may ship.
        verdicts: Every threshold, in the order of the configuration.
        problems: What else speaks against blessing, e.g. a slice without windows.
    """

    blessed: bool
    verdicts: tuple[Verdict, ...]
    problems: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the model is not blessed, a sentence each; empty where it is."""
        failed = tuple(verdict.reason for verdict in self.verdicts if not verdict.passed)
        return () if self.blessed else failed + self.problems


def load_metrics(evaluation_uri: str) -> dict[str, dict[str, float]]:
    """Reads the metrics of an evaluation.

    Args:
        evaluation_uri: Of the Evaluator's `ModelEvaluation` artifact.

    Returns:
        Values by metric name, by slice: `overall` first, then e.g. `popularity_segment=head`, by
        name. A metric without a value is NaN.

    Raises:
        OSError: There is no evaluation.
    """
    found = {}
    for sliced in tfma.load_metrics(evaluation_uri):
        found[_slice_name(sliced.slice_key)] = {
            item.key.name: float(item.value.double_value.value)
            for item in sliced.metric_keys_and_values
            if item.value.HasField("double_value")
        }
    names = sorted(found, key=lambda name: (name != OVERALL, name))
    return {name: dict(sorted(found[name].items())) for name in names}


def load_validation(evaluation_uri: str) -> Validation:
    """Reads the gate's decision, with the value behind each threshold.

    Args:
        evaluation_uri: Of the Evaluator's `ModelEvaluation` artifact.

    Raises:
        OSError: There is no evaluation.
    """
    result = tfma.load_validation_result(evaluation_uri)
    metrics = load_metrics(evaluation_uri)
    failed = {
        (_slice_name(sliced.slice_key), failure.metric_key.name)
        for sliced in result.metric_validations_per_slice
        for failure in sliced.failures
    }
    config = tfma.load_eval_result(evaluation_uri).config
    verdicts = tuple(
        Verdict(
            metric=name,
            slice=slice_name,
            lower_bound=_bound(threshold, "lower_bound"),
            upper_bound=_bound(threshold, "upper_bound"),
            value=metrics.get(slice_name, {}).get(name),
            # Nothing is checked where there are no windows at all.
            passed=(slice_name, name) not in failed and slice_name in metrics,
        )
        for name, slice_name, threshold in _thresholds(config)
    )
    problems = [f"slice {_spec_name(spec)} has no test windows" for spec in result.missing_slices]
    if not verdicts:
        problems.append("no threshold is configured")
    return Validation(bool(result.validation_ok), verdicts, tuple(problems))


def _thresholds(config: Any) -> list[tuple[str, str, Any]]:
    found = []
    for spec in config.metrics_specs:
        found += [
            (name, OVERALL, threshold.value_threshold)
            for name, threshold in sorted(spec.thresholds.items())
        ]
        for metric in spec.metrics:
            name = tfma.metrics.metric_specs.metric_instance(metric).name
            found += [
                (name, _spec_name(slicing), per_slice.threshold.value_threshold)
                for per_slice in metric.per_slice_thresholds
                for slicing in per_slice.slicing_specs
            ]
    return found


def _bound(threshold: Any, side: str) -> float | None:
    return float(getattr(threshold, side).value) if threshold.HasField(side) else None


def _spec_name(spec: Any) -> str:
    parts = list(spec.feature_keys) + [
        f"{name}={value}" for name, value in sorted(spec.feature_values.items())
    ]
    return ", ".join(parts) or OVERALL


def _slice_name(slice_key: Any) -> str:
    return (
        ", ".join(f"{single.column}={_text(single)}" for single in slice_key.single_slice_keys)
        or OVERALL
    )


def _text(single: Any) -> str:
    value = getattr(single, single.WhichOneof("kind"))
    return value.decode() if isinstance(value, bytes) else str(value)
