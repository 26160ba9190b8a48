"""The tables about all runs and about the registry's versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.dashboard import glossary
from pipeline.dashboard.facts import UNKNOWN_DATASET, Dashboard
from pipeline.dashboard.formats import MISSING, metric, minute, moment, signed, size
from pipeline.dashboard.history import Record
from pipeline.dashboard.table import Cell, Column, Row, Table, figure, text
from pipeline.registry.store import ModelVersion

OUTCOMES: Mapping[str, str] = {
    "pushed": "pushed",
    "not-pushed": "not pushed",
    "failed": "failed",
    "incomplete": "incomplete",
    "data-only": "data only",
}
"""What a verdict is called in a table, by its kind."""

_MARGIN = "recall_margin_over_popularity_at_10"
_SHOWN = (glossary.RECALL, "ndcg_at_10", "mrr", "catalogue_coverage_at_10")


def outcome(record: Record) -> str:
    """Names how a run ended in a word or two."""
    d = record.dashboard
    kind = OUTCOMES[d.verdict.kind]
    if d.push and d.push.version is not None:
        return f"version {d.push.version}" + (", again" if record.is_repeat else "")
    return kind


def runs(records: Sequence[Record], current: str = "", links: bool = False) -> Table:
    """Shows one row a run, the latest first.

    Args:
        records: Oldest first.
        current: Id of the run that the page is about; empty for none.
        links: Whether each run has a part of the page, `run-NUMBER`, to link to.
    """
    # On the page about one run there is less room; there, the chart has the others.
    shown = _SHOWN if links else _SHOWN[:2]
    datasets = {record.dashboard.dataset for record in records} - {UNKNOWN_DATASET}
    encoders = {encoder(record.dashboard) for record in records} - {MISSING}
    told = [
        *([Column("Data set")] if len(datasets) > 1 else []),
        *([Column("Encoder")] if len(encoders) > 1 else []),
    ]
    columns = [
        *(Column("Run", is_number=True), Column("Started, UTC"), *told, Column("Outcome")),
        *(Column(glossary.metric(name).label, is_number=True) for name in shown),
        *(Column("Over popularity", is_number=True), Column("File", is_number=True)),
        *(Column("Changed settings"), Column("Why not pushed")),
    ]
    rows = []
    for record in reversed(records):
        d = record.dashboard
        margin = d.overall.get(_MARGIN)
        file_size = gated_bytes(d)
        details = {"Data set": d.dataset, "Encoder": encoder(d)}
        rows.append(
            Row(
                [
                    Cell(
                        str(record.number),
                        value=record.number,
                        href=f"#run-{record.number}" if links else "",
                        note="this run" if d.run.run_id == current else "",
                    ),
                    Cell(minute(d.run.started), value=d.run.started, kind="short"),
                    *(text(details[column.label]) for column in told),
                    text(outcome(record), kind=f"state {d.verdict.kind}"),
                    *(figure(d.overall.get(name), metric(d.overall.get(name))) for name in shown),
                    figure(margin, signed(margin)),
                    figure(file_size, size(file_size)),
                    text(_changes(record)),
                    text(_why_not(d), kind="long"),
                ]
            )
        )
    return Table("runs", "Runs, the latest first", columns, rows, can_filter=len(rows) > 1)


def versions(found: Sequence[ModelVersion]) -> Table:
    """Shows one row a version of the registry, the latest first."""
    columns = [
        *(Column("Version", is_number=True), Column("Aliases"), Column("Registered")),
        *(Column("Recall@10", is_number=True), Column("NDCG@10", is_number=True)),
        *(Column("File", is_number=True), Column("Encoder"), Column("Data set")),
        Column("Run"),
    ]
    rows = []
    for version in reversed(found):
        tags = version.tags
        count = _number(tags.get("bytes"))
        rows.append(
            Row(
                [
                    Cell(str(version.version), value=version.version),
                    text(", ".join(version.aliases) or MISSING),
                    Cell(moment(version.created_ms), value=version.created_ms),
                    *(
                        figure(_number(tags.get(name)), metric(_number(tags.get(name))))
                        for name in _SHOWN[:2]
                    ),
                    figure(count, size(count)),
                    text(tags.get("encoder", MISSING)),
                    text(tags.get("dataset", MISSING)),
                    text(tags.get("pipeline_run", MISSING)),
                ]
            )
        )
    return Table("versions", "Versions in the registry, the latest first", columns, rows)


def encoder(d: Dashboard) -> str:
    """Names the model's encoder; a dash where the run recorded none."""
    model = d.conversion.get("model") or (d.config or {}).get("model", {})
    return str(model.get("encoder", {}).get("name", MISSING))


def gated_bytes(d: Dashboard) -> int | None:
    """Returns the size of the file that the gate looked at; None where none was made."""
    count = d.variants.get(d.gated, {}).get("bytes")
    return None if count is None else int(count)


def _why_not(d: Dashboard) -> str:
    """Says in short why nothing was pushed; the run's own page has the whole sentences."""
    if d.verdict.kind == "pushed":
        return ""
    failed = [t for t in d.evaluation.thresholds if not t.passed] if d.evaluation else []
    if not failed:
        return d.verdict.reason or d.verdict.headline
    return "; ".join(
        f"{glossary.metric(t.metric).label} is {metric(t.value)}, {t.bound} wanted" for t in failed
    )


def _changes(record: Record) -> str:
    if record.changes is None:
        return MISSING
    return "; ".join(map(str, record.changes)) or "none"


def _number(tag: str | None) -> float | None:
    try:
        return None if tag is None else float(tag)
    except ValueError:
        return None
