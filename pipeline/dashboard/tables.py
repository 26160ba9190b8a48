"""Rows of text for the dashboard's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modules import features
from pipeline.dashboard import readers
from pipeline.dashboard.evaluation import Evaluation
from pipeline.dashboard.formats import MISSING, day, metric, number, share
from pipeline.lineage import PropertyValue, Step

Rows = list[list[str]]

_TIME_COUNTS = ("timestamp_min", "timestamp_max")
_FIRST_COUNTS = (
    *("release_format", "encoding", "ratings_read", "rows_skipped", "ratings_kept"),
    *("users", "movies", "movies_listed", *_TIME_COUNTS),
)


def counts(values: Mapping[str, PropertyValue]) -> Rows:
    """Returns one row a count, those of the whole release first, times with their date."""
    rows = []
    for name in (*(n for n in _FIRST_COUNTS if n in values), *sorted({*values} - {*_FIRST_COUNTS})):
        value = values[name]
        text = number(value) if isinstance(value, int | float) else str(value)
        if name in _TIME_COUNTS and isinstance(value, int | float):
            text = f"{value} ({day(value)})"
        rows.append([name, text])
    return rows


def statistics(splits: Sequence[readers.SplitStatistics]) -> Rows:
    """Returns one row a feature and split, the splits of a feature together."""
    order = {name: i for i, name in enumerate(dict.fromkeys(s.split for s in splits))}
    pairs = [(feature, split) for split in splits for feature in split.features]
    pairs.sort(key=lambda pair: (pair[0].name, order[pair[1].split]))
    return [_statistic(feature, split) for feature, split in pairs]


def _statistic(feature: readers.Feature, split: readers.SplitStatistics) -> list[str]:
    value = day if feature.name == features.TIMESTAMP else number
    figures = (feature.minimum, feature.mean, feature.median, feature.maximum)
    return [
        feature.name,
        split.split,
        feature.kind,
        number(split.examples),
        share(feature.missing, feature.missing + feature.present),
        number(feature.values),
        number(feature.longest),
        *(MISSING if figure is None else value(figure) for figure in figures),
        number(feature.zeros),
        number(feature.unique),
        feature.top if feature.top is not None else MISSING,
    ]


def anomalies(found: Sequence[readers.Anomaly]) -> Rows:
    """Returns one row a finding."""
    return [[a.feature, a.split, a.severity, a.summary, a.description] for a in found]


def epochs(history: Sequence[Mapping[str, float]]) -> tuple[list[str], Rows]:
    """Returns the columns' names and one row an epoch."""
    names = list(dict.fromkeys(name for row in history for name in row))
    return names, [[number(row.get(name)) for name in names] for row in history]


def metrics(evaluation: Evaluation) -> tuple[list[str], Rows]:
    """Returns the columns, one a slice, and one row a metric."""
    slices = list(evaluation.slices)
    names = dict.fromkeys(name for values in evaluation.slices.values() for name in values)
    rows = [[name, *(metric(evaluation.slices[s].get(name)) for s in slices)] for name in names]
    return ["Metric", *slices], rows


def variants(conversion: Mapping[str, Any]) -> tuple[list[str], Rows]:
    """Returns the columns and one row a variant, with its size relative to float32's."""
    reports = conversion.get("variants")
    if not isinstance(reports, Mapping):
        return [], []
    flat = {name: dict(_flatten(report)) for name, report in reports.items()}
    keys = dict.fromkeys(key for report in flat.values() for key in report if key != "file")
    names = sorted(keys, key=lambda key: key == "sha256")  # the long one last
    reference = flat.get("float32", {}).get("bytes")
    columns = ["Variant", *names]
    if reference:
        columns.insert(1, "of float32")
    rows = []
    for name, report in flat.items():
        row = [name, *(_figure(key, report.get(key)) for key in names)]
        if reference:
            row.insert(1, share(report.get("bytes", 0), reference))
        rows.append(row)
    return columns, rows


def conversion_settings(conversion: Mapping[str, Any]) -> Rows:
    """Returns what the converter reported beside the variants."""
    rest = {key: value for key, value in conversion.items() if key != "variants"}
    return [[key, _figure(key, value)] for key, value in _flatten(rest)]


def files(listed: Mapping[str, Mapping[str, Any]]) -> Rows:
    """Returns one row a file of the bundle."""
    return [
        [name, number(entry.get("bytes")), str(entry.get("sha256", MISSING))]
        for name, entry in sorted(listed.items())
    ]


def properties(values: Mapping[str, PropertyValue]) -> Rows:
    """Returns one row a property."""
    return [[name, str(value)] for name, value in values.items()]


def artifacts(step: Step) -> Rows:
    """Returns one row an input or output of a step."""
    groups = [("input", step.inputs), ("output", step.outputs)]
    return [
        [key, direction, artifact.type_name, str(artifact.artifact_id), artifact.uri]
        for direction, group in groups
        for key, members in group.items()
        for artifact in members
    ]


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _figure(key: str, value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return number(value) if isinstance(value, int) or "recall" not in key else metric(value)
