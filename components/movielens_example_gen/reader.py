"""Ratings files, read in byte ranges: each range by itself, in any order, by any worker.

A range owns the lines that start in it.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from components.movielens_example_gen import problems, rows, storage
from components.movielens_example_gen.columns import HALF_STARS, Ints, Ratings
from components.movielens_example_gen.formats import Release
from components.movielens_example_gen.problems import Problem, Report

BLOCK_BYTES = 16 << 20
"""Bytes of a range: some hundred thousand rows, so that the work on a range outweighs its cost."""

_LONGEST_LINE = 1 << 16


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
    data = _take_truncated(release, first, data, found)
    columns, starts = rows.parse(release, first, data, found)
    read = len(columns[0]) + len(found)
    counts = collections.Counter(problem.reason for problem in found)
    ratings, good, broken = _apply_rules(columns, movie_ids)
    if starts is None:
        # Finding the lines costs as much as all else, so only where someone asks for them.
        starts = rows.line_starts(data if broken or with_offsets else b"")
    for reason, numbers in broken.items():
        counts[reason] += len(numbers)
        at = int(starts[numbers[0]])
        found.append(Problem.at(first + at, reason, data[at : data.index(b"\n", at)]))
    firsts: dict[str, Problem] = {}
    for problem in found:
        firsts[problem.reason] = min(firsts.get(problem.reason, problem), problem)
    offsets = first + starts[good] if with_offsets else None
    return Block(ratings, Report(read, dict(counts), firsts), offsets)


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
    before = _line_before(release, first + cut)
    shorter = bool(before) and len(tail.rsplit(separator, 1)[-1].strip()) < len(
        before.rsplit(separator, 1)[-1].strip()
    )
    cut_in_time = release.columns[-1] == "timestamp" and shorter
    if cut_in_time or not rows.row_pattern(release.columns, separator).fullmatch(
        tail.rstrip(b"\r")
    ):
        found.append(Problem.at(first + cut, problems.TRUNCATED, tail))
        return data[:cut]
    return data + b"\n"


def _line_before(release: Release, offset: int) -> bytes:
    """The last line before an offset that is not blank; it may be in another range."""
    start = max(release.header, offset - _LONGEST_LINE)
    with storage.open_binary(release.ratings) as file:
        file.seek(start)
        return file.read(offset - start).rstrip().rsplit(b"\n", 1)[-1]


def _apply_rules(
    columns: rows.Columns, movie_ids: Ints
) -> tuple[Ratings, npt.NDArray[np.bool_], dict[str, Ints]]:
    """Checks values against what a release may hold.

    Returns:
        The rows that keep the rules, which these are, `[rows]`, and the others' numbers by the
        first rule that they break.
    """
    user, movie, rating, timestamp = columns
    # Arrow takes "nan" and "inf" for numbers.
    finite = np.isfinite(rating)
    half = np.where(finite, rating * 2, 0)
    index = np.searchsorted(movie_ids, movie)
    good = np.ones(len(user), np.bool_)
    broken = {}
    for reason, kept in (
        (problems.NUMBER, finite),
        (problems.RATING, (half >= 1) & (half <= HALF_STARS) & (half == np.rint(half))),
        (problems.MOVIE, np.take(movie_ids, index, mode="clip") == movie),
        (problems.TIME, timestamp >= 0),
    ):
        numbers = np.flatnonzero(good & ~kept)
        if len(numbers):
            broken[reason] = numbers
            good &= kept
    half = np.where(good, half, 0).astype(np.uint8)
    ratings = Ratings(user, index.astype(np.int32), half, timestamp)
    return ratings.take(good) if broken else ratings, good, broken
