"""How far the newest span's events are from those of the span before, and whether it is too far.

The distances are TensorFlow Data Validation's drift comparators on statistics of two splits: what
came in with each span, and nothing else. The share of new movies is a mean of one of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    DatasetFeatureStatistics,
    DatasetFeatureStatisticsList,
    FeatureNameStatistics,
)

from components.data_gate.checks import Problem
from modules import features
from pipeline.config.spans import DriftConfig

Distance = Literal["jensen_shannon", "l_infinity", "share"]

_WORDS: Mapping[Distance, str] = {
    "jensen_shannon": "the Jensen-Shannon divergence",
    "l_infinity": "the largest change of a value's share",
    "share": "the share of events with movies that no earlier span lists",
}


@dataclasses.dataclass(frozen=True)
class _Comparator:
    """A feature that TFDV compares."""

    feature: str
    kind: schema_pb2.FeatureType
    distance: Distance
    setting: str


_COMPARATORS = (
    _Comparator(features.RATING, schema_pb2.FLOAT, "jensen_shannon", "rating"),
    _Comparator(features.MOVIE, schema_pb2.BYTES, "l_infinity", "movie"),
    _Comparator(features.EVENTS, schema_pb2.INT, "jensen_shannon", "events"),
    _Comparator(features.USER_GENDER, schema_pb2.BYTES, "l_infinity", "user_attributes"),
    _Comparator(features.USER_OCCUPATION, schema_pb2.BYTES, "l_infinity", "user_attributes"),
    _Comparator(features.USER_AGE, schema_pb2.INT, "jensen_shannon", "user_attributes"),
)


@dataclasses.dataclass(frozen=True)
class Measured:
    """One distance.

    Attributes:
        feature: Of the spans' splits, see `modules.features`.
        distance: Which.
        value: From 0 to 1.
        limit: The largest that passes.
        setting: What the limit is called in the configuration.
        detail: What TFDV adds, as the value whose share changed most; or "".
    """

    feature: str
    distance: Distance
    value: float
    limit: float
    setting: str
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is no larger than its limit."""
        return self.value <= self.limit

    def to_json(self) -> dict[str, Any]:
        """A tree of plain values."""
        return {
            "feature": self.feature,
            "distance": self.distance,
            "value": round(self.value, 6),
            "limit": self.limit,
            "setting": self.setting,
        }


@dataclasses.dataclass(frozen=True)
class Drift:
    """A comparison of two spans.

    Attributes:
        newest: The newest span's number.
        before: The number of the one before.
        measured: Every distance that has a limit.
        missing: Features that the newest span lost, by setting.
    """

    newest: int
    before: int
    measured: tuple[Measured, ...]
    missing: Mapping[str, str]

    def problems(self) -> list[Problem]:
        """What speaks against training."""
        found = [
            Problem(
                features.SPLIT_SPAN_NEWEST,
                feature,
                f"span {self.newest} has no value of it, and span {self.before} has",
                f"complete span {self.newest}; or, if that is meant, set data.drift.{setting}=null",
            )
            for feature, setting in self.missing.items()
        ]
        for one in self.measured:
            if one.passed:
                continue
            reason = f"{_WORDS[one.distance]} of span {self.newest}"
            if one.distance != "share":
                reason += f" from span {self.before}"
            found.append(
                Problem(
                    features.SPLIT_SPAN_NEWEST,
                    one.feature,
                    f"{reason} is {one.value:.4f}, above the limit {one.limit:g}{one.detail}",
                    f"mend span {self.newest}, or leave it out with data.spans.newest="
                    f"{self.before}; or, if the change is real, raise data.drift.{one.setting} for "
                    "this run (null compares nothing)",
                )
            )
        return found

    def __str__(self) -> str:
        told = ", ".join(f"{one.feature} {one.value:.4f} of {one.limit:g}" for one in self.measured)
        return f"span {self.newest} against span {self.before}: {told or 'nothing compared'}"

    def to_json(self) -> dict[str, Any]:
        """A tree of plain values."""
        return {
            "newest": self.newest,
            "before": self.before,
            "measured": [one.to_json() for one in self.measured],
        }


def measure(
    newest: DatasetFeatureStatistics,
    before: DatasetFeatureStatistics,
    limits: DriftConfig,
) -> Drift:
    """Measures the distances that have a limit.

    A feature that neither span has, as most releases say nothing of their users, is not compared,
    and neither is one that the newest span is the first to have.

    Args:
        newest: DatasetFeatureStatistics of the split `span_newest`.
        before: DatasetFeatureStatistics of the split `span_before`.
        limits: The largest distances.

    Raises:
        ValueError: TFDV did not compare a feature that both have.
    """
    own, earlier = _by_name(newest), _by_name(before)
    schema = schema_pb2.Schema()
    compared: dict[str, tuple[_Comparator, float]] = {}
    missing = {}
    for comparator in _COMPARATORS:
        limit = getattr(limits, comparator.setting)
        name = comparator.feature
        if limit is None or name not in earlier:
            continue
        if name not in own:
            missing[name] = comparator.setting
            continue
        compared[name] = comparator, limit
        drift = schema.feature.add(name=name, type=comparator.kind).drift_comparator
        if comparator.distance == "l_infinity":
            drift.infinity_norm.threshold = limit
        else:
            drift.jensen_shannon_divergence.threshold = limit
    anomalies = tfdv.validate_statistics(
        _listed(newest), schema, previous_statistics=_listed(before)
    )
    values = {
        info.path.step[0]: info.drift_measurements[0].value
        for info in anomalies.drift_skew_info
        if info.drift_measurements
    }
    if set(values) != set(compared):
        raise ValueError(f"compared {sorted(compared)}, but TFDV measured {sorted(values)}")
    measured = [
        Measured(name, of.distance, values[name], limit, of.setting, _detail(anomalies, name))
        for name, (of, limit) in compared.items()
    ]
    if limits.new_movies is not None:
        share = own[features.NEW_MOVIE].num_stats.mean
        measured.append(
            Measured(features.NEW_MOVIE, "share", share, limits.new_movies, "new_movies")
        )
    return Drift(_span(own), _span(earlier), tuple(measured), missing)


def _by_name(
    statistics: DatasetFeatureStatistics,
) -> dict[str, FeatureNameStatistics]:
    return {feature.path.step[0]: feature for feature in statistics.features}


def _listed(
    statistics: DatasetFeatureStatistics,
) -> DatasetFeatureStatisticsList:
    return DatasetFeatureStatisticsList(datasets=[statistics])


def _span(by_name: Mapping[str, FeatureNameStatistics]) -> int:
    return int(by_name[features.SPAN].num_stats.min)


def _detail(anomalies: anomalies_pb2.Anomalies, feature: str) -> str:
    """Returns the value that TFDV names as the one that changed most, where it does."""
    for reason in (
        anomalies.anomaly_info[feature].reason if feature in anomalies.anomaly_info else ()
    ):
        _, mark, value = reason.description.partition("maximum difference is: ")
        if mark:
            return f" ({value.strip().rstrip('.')!r} changed most)"
    return ""
