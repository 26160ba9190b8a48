"""The tables about data, training, variants and registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modules import features
from pipeline.dashboard import readers
from pipeline.dashboard.facts import Dashboard
from pipeline.dashboard.formats import MISSING, day, metric, number, share
from pipeline.dashboard.table import Cell, Column, Row, Table, figure, state, text
from pipeline.lineage import PropertyValue

_TIME_COUNTS = ("timestamp_min", "timestamp_max")
_SPLIT_COUNTS = ("examples", "events", "targets")
_FIRST_COUNTS = (
    *("release_format", "encoding", "ratings_read", "rows_skipped", "ratings_kept"),
    *("users", "movies", "movies_listed", *_TIME_COUNTS),
)


def counts(values: Mapping[str, PropertyValue]) -> Table:
    """Shows one row a count that is of no one split, times with their date."""
    rest = sorted({*values} - {*_FIRST_COUNTS, *_of_splits(values)})
    rows = []
    for name in (*(n for n in _FIRST_COUNTS if n in values), *rest):
        value = values[name]
        shown = number(value) if isinstance(value, int | float) else str(value)
        if name in _TIME_COUNTS and isinstance(value, int | float):
            shown = f"{value} ({day(value)})"
        rows.append(Row([text(name), text(shown)]))
    columns = [Column("Count"), Column("Value", is_number=True)]
    return Table("counts", "What was ingested", columns, rows, can_sort=False)


def by_split(values: Mapping[str, PropertyValue]) -> Table:
    """Shows one row a split, with the counts that ingestion took of it."""
    found = _of_splits(values)
    splits = list(dict.fromkeys(split for split, _ in found.values()))
    kinds = list(dict.fromkeys(kind for _, kind in found.values()))
    rows = [
        Row([text(split), *(_count(values.get(f"{split}_{kind}")) for kind in kinds)])
        for split in sorted(splits, key=lambda split: (readers.reading_order(split), split))
    ]
    columns = [Column("Split"), *(Column(kind, is_number=True) for kind in kinds)]
    return Table("splits", "Splits: timelines, their events, and targets", columns, rows)


def _of_splits(values: Mapping[str, PropertyValue]) -> dict[str, tuple[str, str]]:
    """Returns split and kind of the counts that belong to a split, by name."""
    parts = {name: name.rpartition("_") for name in sorted(values)}
    return {name: (one[0], one[2]) for name, one in parts.items() if one[2] in _SPLIT_COUNTS}


def _count(value: PropertyValue | None) -> Cell:
    return figure(value, number(value)) if isinstance(value, int | float) else Cell(MISSING)


def statistics(splits: Sequence[readers.SplitStatistics]) -> Table:
    """Shows one row a feature and split, the splits of a feature together."""
    order = {name: i for i, name in enumerate(dict.fromkeys(s.split for s in splits))}
    pairs = [(feature, split) for split in splits for feature in split.features]
    pairs.sort(key=lambda pair: (pair[0].name, order[pair[1].split]))
    columns = [
        *(Column(label) for label in ("Feature", "Split", "Type")),
        *(
            Column(label, is_number=True)
            for label in (
                *("Examples", "Missing", "Values", "Most in one", "Least", "Mean", "Median"),
                *("Greatest", "Zeros", "Distinct"),
            )
        ),
        Column("Most frequent"),
    ]
    rows = [_statistic(feature, split) for feature, split in pairs]
    return Table("statistics-table", "Features by split", columns, rows, can_filter=True)


def _statistic(feature: readers.Feature, split: readers.SplitStatistics) -> Row:
    value = day if feature.name == features.TIMESTAMP else number
    total = feature.missing + feature.present
    figures = (feature.minimum, feature.mean, feature.median, feature.maximum)
    return Row(
        [
            text(feature.name),
            text(split.split),
            text(feature.kind),
            figure(split.examples, number(split.examples)),
            figure(feature.missing / total if total else None, share(feature.missing, total)),
            figure(feature.values, number(feature.values)),
            figure(feature.longest, number(feature.longest)),
            *(figure(one, MISSING if one is None else value(one)) for one in figures),
            figure(feature.zeros, number(feature.zeros)),
            figure(feature.unique, number(feature.unique)),
            text(feature.top if feature.top is not None else MISSING),
        ]
    )


def anomalies(found: Sequence[readers.Anomaly]) -> Table:
    """Shows one row a finding."""
    labels = ("Feature", "Split", "Severity", "What", "Details")
    rows = [
        Row([text(v) for v in (a.feature, a.split, a.severity, a.summary, a.description)])
        for a in found
    ]
    caption = "What the data do that the schema does not allow"
    return Table("anomalies-table", caption, [Column(label) for label in labels], rows)


def drift(measured: Sequence[Mapping[str, Any]]) -> Table:
    """Shows one row a distance between two spans, with its limit."""
    columns = [
        *(Column("Feature"), Column("Distance"), Column("Value", is_number=True)),
        *(Column("At most", is_number=True), Column("Margin", is_number=True), Column("Verdict")),
    ]
    rows = []
    for one in measured:
        value, limit = float(one["value"]), float(one["limit"])
        rows.append(
            Row(
                [
                    text(one["feature"]),
                    text(str(one["distance"]).replace("_", " ")),
                    figure(value, number(value)),
                    figure(limit, number(limit)),
                    figure(limit - value, number(limit - value)),
                    state("pass" if value <= limit else "fail"),
                ]
            )
        )
    return Table("drift-table", "Drift of the newest span", columns, rows)


def epochs(history: Sequence[Mapping[str, float]]) -> Table:
    """Shows one row an epoch."""
    names = list(dict.fromkeys(name for row in history for name in row))
    rows = [
        Row([figure(row.get(name), number(row.get(name))) for name in names]) for row in history
    ]
    columns = [Column(name, is_number=place > 0) for place, name in enumerate(names)]
    return Table("epochs", "Training by epoch", columns, rows)


def variants(d: Dashboard) -> Table:
    """Shows one row a variant, with its size relative to float32's; the long checksum last."""
    flat = {name: dict(_flatten(report)) for name, report in d.variants.items()}
    keys = dict.fromkeys(key for report in flat.values() for key in report if key != "file")
    names = sorted(keys, key=lambda key: key == "sha256")
    reference = flat.get("float32", {}).get("bytes")
    columns = [Column("Variant"), *(Column(name, is_number=name != "sha256") for name in names)]
    if reference:
        columns.insert(1, Column("of float32", is_number=True))
    rows = []
    for name, report in flat.items():
        note = "gated, ships" if name == d.gated else ""
        cells = [text(name, note=note), *(_figure(key, report.get(key)) for key in names)]
        if reference:
            size = report.get("bytes", 0)
            cells.insert(1, figure(size / reference, share(size, reference)))
        rows.append(Row(cells))
    caption = "Variants of the model and their parity with the Keras model"
    return Table("variants-table", caption, columns, rows)


def conversion_settings(conversion: Mapping[str, Any]) -> Table:
    """Shows what the converter reported beside the variants."""
    rest = {key: value for key, value in conversion.items() if key != "variants"}
    rows = [Row([text(key), _figure(key, value)]) for key, value in _flatten(rest)]
    return _pairs("conversion", "What all variants share", "Setting", rows)


def files(listed: Mapping[str, Mapping[str, Any]]) -> Table:
    """Shows one row a file of the bundle."""
    rows = [
        Row(
            [
                text(name),
                figure(entry.get("bytes"), number(entry.get("bytes"))),
                text(entry.get("sha256", MISSING), kind="code"),
            ]
        )
        for name, entry in sorted(listed.items())
    ]
    columns = [Column("File"), Column("Bytes", is_number=True), Column("sha256")]
    return Table("files", "Files of the bundle", columns, rows)


def properties(anchor: str, caption: str, values: Mapping[str, PropertyValue]) -> Table:
    """Shows one row a property."""
    rows = [Row([text(name), text(value)]) for name, value in values.items()]
    return _pairs(anchor, caption, "Property", rows)


def _pairs(anchor: str, caption: str, name: str, rows: Sequence[Row]) -> Table:
    return Table(anchor, caption, [Column(name), Column("Value")], rows, can_sort=False)


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _figure(key: str, value: Any) -> Cell:
    if value is None:
        return text(MISSING)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text(value, kind="code" if key == "sha256" else "")
    shown = number(value) if isinstance(value, int) or "recall" not in key else metric(value)
    return figure(value, shown)
