"""Rows that break the format or the release's own rules: counted, judged, shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

FIELDS = "wrong_field_count"
NUMBER = "not_a_number"
RATING = "rating_off_scale"
MOVIE = "unknown_movie"
TIME = "negative_time"
TRUNCATED = "truncated_last_row"
DUPLICATE = "duplicate"

REASONS = {
    FIELDS: "the number of fields is not that of the format",
    NUMBER: "a field is not a number of its kind",
    RATING: "the rating is not one of 0.5, 1, 1.5, ... 5 stars",
    MOVIE: "the movie is not in the release's list of movies",
    TIME: "the time is before 1970",
    TRUNCATED: (
        "the file ends in the middle of this row: it has no line ending, and fewer fields or a "
        "shorter time than the row before"
    ),
    DUPLICATE: "this user rated this movie in an earlier row",
}
"""Every reason for which a row counts as malformed."""

_SHOWN_BYTES = 200


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """One malformed row.

    Attributes:
        file: Which ratings file, where several spans are read, from 0, the oldest.
        offset: Where the row starts in the ratings file, bytes.
        reason: A key of `REASONS`.
        content: The row as it stands, without its line ending, cut at 200 characters.
    """

    # First among the fields, as the order of rows is that of files; given by name alone.
    file: int = dataclasses.field(default=0, kw_only=True)
    offset: int
    reason: str
    content: str

    @classmethod
    def at(cls, offset: int, reason: str, line: bytes) -> Problem:
        """Makes a problem of a raw line."""
        text = line.rstrip(b"\r\n")[:_SHOWN_BYTES].decode("utf-8", errors="backslashreplace")
        return cls(offset, reason, text)


@dataclasses.dataclass(frozen=True)
class Report:
    """How a part of the ratings read.

    Attributes:
        rows: Rows read, malformed ones included; blank lines are none.
        counts: Malformed rows by reason; a row counts once, for its first reason.
        first: The first malformed row by reason; duplicates, which are found where the order of
            rows in the file is known no more, are in `pair` instead.
        pair: The lowest (user id, movie id) that stands more than once.
    """

    rows: int = 0
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    first: dict[str, Problem] = dataclasses.field(default_factory=dict)
    pair: tuple[int, int] | None = None

    @property
    def malformed(self) -> int:
        """Malformed rows."""
        return sum(self.counts.values())

    def in_file(self, file: int) -> Report:
        """Returns the same report on another file's rows."""
        first = {
            reason: dataclasses.replace(problem, file=file)
            for reason, problem in self.first.items()
        }
        return dataclasses.replace(self, first=first)

    @classmethod
    def merge(cls, reports: Iterable[Report]) -> Report:
        """Adds reports up; the outcome does not depend on their order."""
        rows = 0
        counts: dict[str, int] = {}
        first: dict[str, Problem] = {}
        pairs = []
        for report in reports:
            rows += report.rows
            for reason, count in report.counts.items():
                counts[reason] = counts.get(reason, 0) + count
            for reason, problem in report.first.items():
                first[reason] = min(first.get(reason, problem), problem)
            if report.pair is not None:
                pairs.append(report.pair)
        pair = min(pairs, default=None)
        return cls(rows, dict(sorted(counts.items())), dict(sorted(first.items())), pair)

    def to_json(self) -> dict[str, Any]:
        """A tree of plain values; `from_json` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Report:
        """Reads what `to_json` gave."""
        first = {reason: Problem(**problem) for reason, problem in tree["first"].items()}
        pair = tree["pair"]
        return cls(tree["rows"], tree["counts"], first, tuple(pair) if pair else None)
