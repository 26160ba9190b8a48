"""Lines of a ratings file to columns: Arrow for whole ranges, line by line where it must be.

Arrow parses a whole range at once; only where it meets a row that it cannot read are the range's
lines looked at one by one, so that the rows left are kept and the bad ones named.
"""

from __future__ import annotations

import csv
import functools
import io
import re
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.csv

from components.movielens_example_gen import problems
from components.movielens_example_gen.columns import Ints
from components.movielens_example_gen.formats import RATING_FIELDS, Release
from components.movielens_example_gen.problems import Problem

Columns = tuple[Ints, Ints, npt.NDArray[np.float64], Ints]
"""Users, movie ids, stars, timestamps, each `[rows]`."""

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


def parse(
    release: Release, first: int, data: bytes, found: list[Problem]
) -> tuple[Columns, Ints | None]:
    """Parses lines.

    Args:
        release: Whose ratings.
        first: Where the lines start in the file, bytes.
        data: Whole lines, each with its line ending.
        found: Rows that cannot be read are appended here.

    Returns:
        The columns of the rows that can be read, and where these start in `data`; None if all
        lines that are not blank can be read.
    """
    try:
        return _arrow(release, data), None
    except pyarrow.ArrowInvalid:
        pass
    separator = release.separator.encode()
    pattern = row_pattern(release.columns, separator)
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


def _arrow(release: Release, data: bytes) -> Columns:
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
    return cast(Columns, tuple(table.column(name).to_numpy() for name in RATING_FIELDS))


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
def row_pattern(columns: tuple[str, ...], separator: bytes) -> re.Pattern[bytes]:
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


def line_starts(data: bytes) -> Ints:
    """Where the lines that are not blank start, `[rows]`."""
    if not data:
        return np.zeros(0, np.int64)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    lengths = ends - starts
    first = np.frombuffer(data, np.uint8)[starts]
    blank = (lengths == 0) | ((lengths == 1) & (first == ord("\r")))
    return cast(Ints, starts[~blank])
