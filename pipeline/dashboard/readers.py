"""Readers of the files inside artifacts; each returns plain values and imports no TFX."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import message
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from modules import features

_STATISTICS_FILE = "FeatureStats.pb"
_ANOMALIES_FILE = "SchemaDiff.pb"
_SPLIT_PREFIX = "Split-"
_ORDER = {
    name: place
    for place, name in enumerate((features.SPLIT_TRAIN, features.SPLIT_EVAL, features.SPLIT_TEST))
}


class UnreadableError(Exception):
    """A file that should be inside an artifact is missing or damaged; names it."""


@dataclasses.dataclass(frozen=True)
class Feature:
    """Statistics of one feature in one split.

    Attributes:
        name: The feature's name; nested ones joined by dots.
        kind: `INT`, `FLOAT`, `STRING`, ...
        present: Examples that have it.
        missing: Examples that lack it.
        values: Values in all examples together.
        longest: Most values in one example.
        minimum: Least value of a numeric feature, and so on; None for others.
        unique: Distinct values of a text feature.
        top: Its most frequent value.
        histogram: (low, high, count) of equally wide buckets; empty for text.
    """

    name: str
    kind: str
    present: int
    missing: int
    values: int
    longest: int
    minimum: float | None = None
    mean: float | None = None
    median: float | None = None
    maximum: float | None = None
    zeros: int | None = None
    unique: int | None = None
    top: str | None = None
    histogram: Sequence[tuple[float, float, float]] = ()


@dataclasses.dataclass(frozen=True)
class SplitStatistics:
    """Statistics of one split, features by name."""

    split: str
    examples: int
    features: Sequence[Feature]


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """One finding of the example validator."""

    split: str
    feature: str
    severity: str
    summary: str
    description: str


def read_statistics(root: Path) -> list[SplitStatistics]:
    """Reads every split of an ExampleStatistics artifact: train, eval, test, then others by name.

    Raises:
        UnreadableError: A file is missing or damaged.
    """
    splits = []
    for split, path in _split_files(root, _STATISTICS_FILE):
        proto = _parse(statistics_pb2.DatasetFeatureStatisticsList(), path)
        for dataset in proto.datasets:
            features = sorted((_feature(f) for f in dataset.features), key=lambda f: f.name)
            splits.append(SplitStatistics(split, int(dataset.num_examples), tuple(features)))
    return splits


def read_anomalies(root: Path) -> tuple[list[str], list[Anomaly]]:
    """Reads every split of an ExampleAnomalies artifact.

    Returns:
        The names of the splits that were checked, and what was found in them.

    Raises:
        UnreadableError: A file is missing or damaged.
    """
    splits, found = [], []
    for split, path in _split_files(root, _ANOMALIES_FILE):
        splits.append(split)
        proto = _parse(anomalies_pb2.Anomalies(), path)
        if proto.data_missing:
            found.append(Anomaly(split, "(whole split)", "ERROR", "No data", "The split is empty."))
        if proto.HasField("dataset_anomaly_info"):
            found.append(_anomaly(split, "(whole split)", proto.dataset_anomaly_info))
        for name in sorted(proto.anomaly_info):
            found.append(_anomaly(split, name, proto.anomaly_info[name]))
    return splits, found


def reading_order(split: str) -> int:
    """Returns a split's place: train, eval, test, then all others."""
    return _ORDER.get(split, len(_ORDER))


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        UnreadableError: It is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise UnreadableError(f"{path}: not valid JSON ({error})") from None


def read_epochs(root: Path) -> list[dict[str, float]]:
    """Reads a training run's `history.json`: the numbers of each epoch, first epoch first.

    Raises:
        UnreadableError: The file is missing, damaged, or no list of mappings.
    """
    path = root / "history.json"
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise UnreadableError(f"{path}: must be a list with one mapping an epoch")
    return [{k: float(v) for k, v in row.items() if _is_number(v)} for row in rows]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _split_files(root: Path, name: str) -> list[tuple[str, Path]]:
    folders = sorted(path for path in root.glob(f"{_SPLIT_PREFIX}*") if path.is_dir())
    if not folders:
        raise UnreadableError(f"{root}: holds no {_SPLIT_PREFIX}* folder")
    splits = [(path.name.removeprefix(_SPLIT_PREFIX), path / name) for path in folders]
    return sorted(splits, key=lambda pair: reading_order(pair[0]))


def _parse(proto: Any, path: Path) -> Any:
    try:
        proto.ParseFromString(path.read_bytes())
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or error}") from None
    except message.DecodeError as error:
        raise UnreadableError(f"{path}: damaged ({error})") from None
    return proto


def _anomaly(split: str, name: str, info: Any) -> Anomaly:
    severity = anomalies_pb2.AnomalyInfo.Severity.Name(info.severity)
    return Anomaly(split, name, severity, info.short_description, info.description)


def _feature(proto: Any) -> Feature:
    kind = statistics_pb2.FeatureNameStatistics.Type.Name(proto.type)
    which = proto.WhichOneof("stats")
    stats: Any = getattr(proto, which or "num_stats")
    common = stats.common_stats
    feature = Feature(
        name=proto.name or ".".join(proto.path.step),
        kind=kind,
        present=int(common.num_non_missing),
        missing=int(common.num_missing),
        values=int(common.tot_num_values),
        longest=int(common.max_num_values),
    )
    # Without a value, min and max are proto defaults, not figures.
    if which == "num_stats" and common.tot_num_values:
        return dataclasses.replace(
            feature,
            minimum=stats.min,
            mean=stats.mean,
            median=stats.median,
            maximum=stats.max,
            zeros=int(stats.num_zeros),
            histogram=_standard_histogram(stats.histograms),
        )
    if which == "string_stats":
        top = max(stats.top_values, key=lambda t: t.frequency, default=None)
        return dataclasses.replace(
            feature, unique=int(stats.unique), top=top.value if top else None
        )
    return feature


def _standard_histogram(histograms: Any) -> tuple[tuple[float, float, float], ...]:
    for histogram in histograms:
        if histogram.type == statistics_pb2.Histogram.STANDARD:
            return tuple((b.low_value, b.high_value, b.sample_count) for b in histogram.buckets)
    return ()
