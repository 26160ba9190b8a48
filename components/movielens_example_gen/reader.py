"""Ratings files, read in byte ranges: each range by itself, in any order, by any worker.

A range owns the lines that start in it. Arrow parses a whole range at once; only where it meets a
row that it cannot read are the range's lines looked at one by one, so that the rows left are kept
and the bad ones named.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import re
from collections.abc import Iterator
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.csv

from components.movielens_example_gen import problems, storage
from components.movielens_example_gen.columns import HALF_STARS, Ints, Ratings
from components.movielens_example_gen.formats import RATING_FIELDS, Release
from components.movielens_example_gen.problems import Problem, Report

BLOCK_BYTES = 16 << 20
"""Bytes of a range: some hundred thousand rows, so that the work on a range outweighs its cost."""

# Arrow takes separators of one byte: `::` becomes the ASCII unit separator, which no number holds.
_UNIT_SEPARATOR = "\x1f"

# No narrower than what Arrow reads: a row that these turn down is never shown to it.
_INTEGER = rb"-?(?:\d{1,19}|0[xX][0-9a-fA-F]{1,16})"
_DECIMAL = rb"-?(?:\d{1,19}(?:\.\d{0,19})?|\.\d{1,19})(?:[eE][+-]?\d{1,3})?"
_TYPES = {
    "user": pyarrow.int64(),
    "movie": pyarrow.int64(),
    "rating": pyarrow.float64(),
    "timestamp": pyarrow.int64(),
}


@dataclasses.dataclass(frozen=True)
class Block:
    """What one byte range holds.

    Attributes:
        ratings: The well-formed rows, in file order, `[rows]`.
        report: Counts of rows and malformed rows.
        offsets: Where each row of `ratings` starts in the file, bytes, `[rows]`; None unless
            asked for.
    """

    ratings: Ratings
    report: Report
    offsets: Ints | None = None


def byte_ranges(release: Release, block_bytes: int = BLOCK_BYTES) -> list[tuple[int, int]]:
    """Cuts the ratings file, its header left out, into `[start, end)` ranges of bytes."""
    size = storage.size_of(release.ratings)
    starts = range(release.header, size, block_bytes)
    return [(start, min(start + block_bytes, size)) for start in starts]


def read_block(
    release: Release, movie_ids: Ints, start: int, end: int, with_offsets: bool = False
) -> Block:
    """Reads the rows that start in a byte range.

    Args:
        release: Whose ratings.
        movie_ids: The listed movies' ids, ascending, `[movies]`.
        start: First byte of the range; at a line's start only if 0 or the header's end.
        end: First byte behind the range.
        with_offsets: Whether to say where each row starts.
    """
    first, data = _read_lines(release, start, end)
    found: list[Problem] = []
    counts: dict[str, int] = {}
    data = _take_truncated(release, first, data, found)
    columns, starts = _parse(release, first, data, found)
    user, movie, rating, timestamp = columns
    half = rating * 2
    with np.errstate(invalid="ignore"):
        # Arrow takes "nan" and "inf" for numbers.
        finite = np.isfinite(rating)
        on_scale = (half >= 1) & (half <= HALF_STARS) & (half == np.rint(half))
    index = np.searchsorted(movie_ids, movie)
    known = np.take(movie_ids, index, mode="clip") == movie
    good = on_scale & known & (timestamp >= 0)
    for problem in found:
        counts[problem.reason] = counts.get(problem.reason, 0) + 1
    if not good.all():
        starts = _line_starts(data) if starts is None else starts
        left = ~good
        for reason, ok in (
            (problems.NUMBER, finite),
            (problems.RATING, on_scale),
            (problems.MOVIE, known),
            (problems.TIME, timestamp >= 0),
        ):
            rows = np.flatnonzero(left & ~ok)
            left &= ok
            if len(rows):
                counts[reason] = counts.get(reason, 0) + len(rows)
                at = int(starts[rows[0]])
                end_of_line = data.index(b"\n", at)
                found.append(Problem.at(first + at, reason, data[at:end_of_line]))
    firsts: dict[str, Problem] = {}
    for problem in found:
        firsts[problem.reason] = min(firsts.get(problem.reason, problem), problem)
    ratings = Ratings(
        user, index.astype(np.int32), np.where(good, half, 0).astype(np.uint8), timestamp
    )
    offsets = None
    if with_offsets:
        offsets = first + (_line_starts(data) if starts is None else starts)[good]
    malformed = sum(counts.values()) - int((~good).sum())
    return Block(
        ratings if good.all() else ratings.take(good),
        Report(len(user) + malformed, counts, firsts),
        offsets,
    )


def read_blocks(
    release: Release, movie_ids: Ints, with_offsets: bool = False, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Reads the whole file, range by range, in file order."""
    for start, end in byte_ranges(release, block_bytes):
        yield read_block(release, movie_ids, start, end, with_offsets)


def _read_lines(release: Release, start: int, end: int) -> tuple[int, bytes]:
    """Returns the lines that start in `[start, end)` and the offset of the first one."""
    with storage.open_binary(release.ratings) as file:
        if start <= release.header:
            first = release.header
            file.seek(first)
            data = file.read(end - first)
        else:
            # The byte before tells whether a line starts at `start` itself.
            file.seek(start - 1)
            chunk = file.read(end - start + 1)
            cut = chunk.find(b"\n")
            first = start + cut
            if cut < 0 or first >= end:
                return end, b""
            data = chunk[cut + 1 :]
        if not data.endswith(b"\n"):
            data += file.readline()
    return first, data


def _take_truncated(release: Release, first: int, data: bytes, found: list[Problem]) -> bytes:
    """Takes off a last line that the file's end cuts short.

    A last line without a line ending is whole if it reads, and if its last field is no shorter
    than that of the row before: a time that lost digits reads well, but as another time.
    """
    if not data or data.endswith(b"\n"):
        return data
    cut = data.rfind(b"\n") + 1
    tail = data[cut:]
    if not tail.strip():
        return data[:cut]
    separator = release.separator.encode()
    before = data[:cut].rstrip().rsplit(b"\n", 1)[-1]
    shorter = bool(before) and len(tail.rsplit(separator, 1)[-1].strip()) < len(
        before.rsplit(separator, 1)[-1].strip()
    )
    cut_in_time = release.columns[-1] == "timestamp" and shorter
    if cut_in_time or not _row_pattern(release.columns, separator).fullmatch(tail.rstrip(b"\r")):
        found.append(Problem.at(first + cut, problems.TRUNCATED, tail))
        return data[:cut]
    return data + b"\n"


_Columns = tuple[Ints, Ints, npt.NDArray[np.float64], Ints]


def _parse(
    release: Release, first: int, data: bytes, found: list[Problem]
) -> tuple[_Columns, Ints | None]:
    """Parses lines; what cannot be read goes to `found`.

    Returns:
        The columns of the rows that can be read, and where these start in `data`; None if all
        lines that are not blank can be read.
    """
    try:
        return _arrow(release, data), None
    except pyarrow.ArrowInvalid:
        pass
    separator = release.separator.encode()
    pattern = _row_pattern(release.columns, separator)
    lines: list[bytes] = []
    starts: list[int] = []
    at = 0
    for line in data.split(b"\n"):
        if pattern.fullmatch(line.rstrip(b"\r")):
            lines.append(line)
            starts.append(at)
        elif line.strip():
            found.append(Problem.at(first + at, _why(release, line), line))
        at += len(line) + 1
    good = _readable(release, lines)
    for row in np.flatnonzero(~good):
        found.append(Problem.at(first + starts[row], problems.NUMBER, lines[row]))
    kept = b"".join(line + b"\n" for line, ok in zip(lines, good, strict=True) if ok)
    return _arrow(release, kept), np.array(starts, np.int64)[good]


def _arrow(release: Release, data: bytes) -> _Columns:
    if not data.strip():
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0), none
    delimiter = release.separator
    if len(delimiter) > 1:
        data = data.replace(delimiter.encode(), _UNIT_SEPARATOR.encode())
        delimiter = _UNIT_SEPARATOR
    table = pyarrow.csv.read_csv(
        pyarrow.BufferReader(data),
        read_options=pyarrow.csv.ReadOptions(column_names=list(release.columns)),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter, quote_char='"' if release.format == "csv" else False
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=_TYPES, include_columns=list(RATING_FIELDS), null_values=[]
        ),
    )
    return cast(_Columns, tuple(table.column(name).to_numpy() for name in RATING_FIELDS))


def _readable(release: Release, lines: list[bytes]) -> npt.NDArray[np.bool_]:
    """Which lines Arrow can read, found by halving: numbers that look right but do not fit."""
    if not lines:
        return np.zeros(0, np.bool_)
    try:
        _arrow(release, b"\n".join(lines) + b"\n")
    except pyarrow.ArrowInvalid:
        if len(lines) == 1:
            return np.zeros(1, np.bool_)
        half = len(lines) // 2
        return np.concatenate([_readable(release, lines[:half]), _readable(release, lines[half:])])
    return np.ones(len(lines), np.bool_)


@functools.cache
def _row_pattern(columns: tuple[str, ...], separator: bytes) -> re.Pattern[bytes]:
    """A whole row: numbers where numbers belong, anything in the columns that are not read."""
    blanks = rb" *" if separator == b"\t" else rb"[ \t]*"
    parts = []
    for column in columns:
        if column in RATING_FIELDS:
            number = blanks + (_DECIMAL if column == "rating" else _INTEGER) + blanks
            parts.append(rb'(?:%b|"%b")' % (number, number) if separator == b"," else number)
        else:
            parts.append(rb'(?:"(?:[^"]|"")*"|[^",]*)')
    return re.compile(re.escape(separator).join(parts))


def _why(release: Release, line: bytes) -> str:
    if release.format == "csv":
        text = line.decode("utf-8", errors="replace").rstrip("\r")
        fields = len(next(csv.reader(io.StringIO(text, newline="")), []))
    else:
        fields = line.count(release.separator.encode()) + 1
    return problems.NUMBER if fields == len(release.columns) else problems.FIELDS


def _line_starts(data: bytes) -> Ints:
    """Where the lines that are not blank start, `[rows]`."""
    if not data:
        return np.zeros(0, np.int64)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    lengths = ends - starts
    first = np.frombuffer(data, np.uint8)[starts]
    blank = (lengths == 0) | ((lengths == 1) & (first == ord("\r")))
    return cast(Ints, starts[~blank])
