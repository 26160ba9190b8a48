"""What a split's statistics and anomalies must be like before anything is learned from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from modules import features

REQUIRED_SPLITS = (features.SPLIT_TRAIN, features.SPLIT_EVAL, features.SPLIT_TEST)

_EVENT_LISTS = (features.MOVIE_ID, features.RATING, features.TIMESTAMP)

_Reason = anomalies_pb2.AnomalyInfo

_FIX_DATA = (
    "mend the data (`data.malformed.policy=skip` drops bad rows), or, if the values are right, "
    "renew schema/schema.pbtxt"
)
_REMEDIES = {
    _Reason.SCHEMA_NEW_COLUMN: "leave the feature out, or describe it in schema/schema.pbtxt",
    _Reason.SCHEMA_MISSING_COLUMN: (
        "ingest a release that has the feature, or drop its `presence` from schema/schema.pbtxt"
    ),
}


@dataclasses.dataclass(frozen=True)
class Problem:
    """One reason not to train.

    Attributes:
        split: The split that it was found in.
        feature: The feature, or "" where the whole split is meant.
        reason: What is wrong, with the values found.
        remedy: What a user can do.
    """

    split: str
    feature: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        place = f"split {self.split!r}" + (f", feature {self.feature!r}" if self.feature else "")
        return f"{place}: {self.reason}. Way out: {self.remedy}"


def find_problems(
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatistics],
    anomalies: Mapping[str, anomalies_pb2.Anomalies],
    schema: schema_pb2.Schema,
    *,
    required_splits: Sequence[str] = REQUIRED_SPLITS,
) -> list[Problem]:
    """Collects everything that speaks against training, by split and feature.

    Args:
        statistics: The splits' statistics over all examples, by split name.
        anomalies: What TensorFlow Data Validation found, by split name.
        schema: What the anomalies were judged by; quoted in the reasons.
        required_splits: Splits that must be there and hold examples.

    Returns:
        The problems, empty where training may go on.
    """
    problems = []
    for split in required_splits:
        if split not in statistics or statistics[split].num_examples == 0:
            problems.append(
                Problem(
                    split,
                    "",
                    "the split holds no examples",
                    "give more data, lower data.min_ratings_per_movie and "
                    "data.min_ratings_per_user, or change data.split",
                )
            )
        elif split not in anomalies:
            problems.append(
                Problem(split, "", "the split was not validated", "validate it: exclude no split")
            )
        else:
            found = _anomalies(split, anomalies[split], schema)
            named = {problem.feature for problem in found}
            # One reason a feature is enough: values that are missing are also fewer, for one.
            problems += found
            problems += [
                problem
                for problem in _inconsistencies(split, statistics[split])
                if problem.feature not in named
            ]
    return problems


def _anomalies(
    split: str, anomalies: anomalies_pb2.Anomalies, schema: schema_pb2.Schema
) -> list[Problem]:
    problems = []
    for feature, info in sorted(anomalies.anomaly_info.items()):
        if info.severity == anomalies_pb2.AnomalyInfo.WARNING:
            continue
        kinds = {reason.type for reason in info.reason}
        remedy = next((_REMEDIES[kind] for kind in _REMEDIES if kind in kinds), _FIX_DATA)
        reasons = [reason.description for reason in info.reason] or [info.description]
        problems.append(
            Problem(
                split,
                feature,
                " ".join(text.strip().rstrip(".") for text in reasons)
                + _expectation(feature, schema),
                remedy,
            )
        )
    if anomalies.HasField("dataset_anomaly_info"):
        problems.append(
            Problem(split, "", anomalies.dataset_anomaly_info.description.rstrip("."), _FIX_DATA)
        )
    return problems


def _expectation(feature_name: str, schema: schema_pb2.Schema) -> str:
    for feature in schema.feature:
        if feature.name != feature_name:
            continue
        text = f" (the schema has {schema_pb2.FeatureType.Name(feature.type)}"
        for domain in (feature.int_domain, feature.float_domain):
            limits = [
                f"{word} {getattr(domain, name)}"
                for word, name in (("at least", "min"), ("at most", "max"))
                if domain.HasField(name)
            ]
            if limits:
                text += ", " + " and ".join(limits)
        return text + ")"
    return ""


def _inconsistencies(
    split: str, statistics: statistics_pb2.DatasetFeatureStatistics
) -> list[Problem]:
    """What the schema's language cannot say: how features hang together, and with the split."""
    by_name = {feature.path.step[0]: feature for feature in statistics.features}
    problems = []

    values = {name: _number_of_values(by_name[name]) for name in _EVENT_LISTS if name in by_name}
    for name, count in values.items():
        if count != values.get(features.MOVIE_ID, count):
            problems.append(
                Problem(
                    split,
                    name,
                    f"holds {count} values, while {features.MOVIE_ID} holds "
                    f"{values[features.MOVIE_ID]}: each event needs one of both",
                    "write timelines with lists of the same length",
                )
            )

    held_out = by_name.get(features.HELD_OUT)
    expected = 0 if split == features.SPLIT_TRAIN else 1
    if held_out is not None:
        found = {held_out.num_stats.min, held_out.num_stats.max}
        if found != {expected}:
            problems.append(
                Problem(
                    split,
                    features.HELD_OUT,
                    f"ranges from {min(found):g} to {max(found):g}, must be {expected} throughout: "
                    "training and held-out timelines are mixed",
                    "write timelines with held_out 0 in train, and 1 in the other splits",
                )
            )
    return problems


def _number_of_values(feature: statistics_pb2.FeatureNameStatistics) -> int:
    which = feature.WhichOneof("stats")
    return int(getattr(feature, which).common_stats.tot_num_values) if which else 0
