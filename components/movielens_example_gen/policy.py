"""What happens to malformed rows: the policy applied to a report on the whole file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from components.movielens_example_gen import problems, storage
from components.movielens_example_gen.columns import Ints
from components.movielens_example_gen.formats import Release
from components.movielens_example_gen.problems import REASONS, Problem, Report
from components.movielens_example_gen.reader import read_blocks
from pipeline.config.data import MalformedConfig
from pipeline.errors import DataError


def is_acceptable(report: Report, policy: MalformedConfig) -> bool:
    """Whether the policy allows to use the rows that are left."""
    allowed = policy.max_share * report.rows if policy.policy == "skip" else 0
    return report.rows > 0 and report.malformed <= allowed


def check(
    report: Report, policy: MalformedConfig, releases: Sequence[Release], movie_ids: Ints
) -> None:
    """Stops where the policy does not accept the malformed rows.

    Args:
        report: Of all files.
        policy: What the user allows.
        releases: Whose ratings, in order, to find line numbers in.
        movie_ids: The listed movies' ids, ascending, `[movies]`.

    Raises:
        DataError: Names the file, the line, its content, the reason and the way out.
    """
    if is_acceptable(report, policy):
        return
    if report.rows == 0:
        raise DataError(f"{releases[-1].ratings}: holds no ratings; fetch or generate it again")
    worst = min(report.first.values(), default=None)
    if worst is None:
        worst = find_duplicate(report, releases, movie_ids)
    ratings = releases[worst.file].ratings
    line = line_number(ratings, worst.offset)
    numbers = ", ".join(f"{count} {reason}" for reason, count in report.counts.items())
    message = (
        f"{ratings}, line {line}: {REASONS[worst.reason]} ({worst.reason}): "
        f"{worst.content!r}\n{report.malformed} of {report.rows} rows are malformed: {numbers}. "
    )
    if policy.policy == "fail":
        raise DataError(
            message + "Mend the file, or drop such rows with data.malformed.policy=skip "
            "and data.malformed.max_share"
        )
    raise DataError(
        message + f"That is a share of {report.malformed / report.rows:.6f}, above "
        f"data.malformed.max_share={policy.max_share:g}: mend the file or raise the share"
    )


def find_duplicate(report: Report, releases: Sequence[Release], movie_ids: Ints) -> Problem:
    """Reads the files again for the second row of the reported pair of user and movie."""
    if report.pair is None:
        raise ValueError("the report names no duplicate")
    user, movie = report.pair
    index = int(np.searchsorted(movie_ids, movie))
    places: list[tuple[int, int]] = []
    for number, release in enumerate(releases):
        for block in read_blocks(release, movie_ids, with_offsets=True):
            rows = (block.ratings.user == user) & (block.ratings.movie == index)
            if block.offsets is not None and rows.any():
                places += [(number, offset) for offset in block.offsets[rows].tolist()]
            if len(places) > 1:
                break
        if len(places) > 1:
            break
    number, offset = places[1]
    with storage.open_binary(releases[number].ratings) as file:
        file.seek(offset)
        found = Problem.at(offset, problems.DUPLICATE, file.readline())
        return dataclasses.replace(found, file=number)


def line_number(path: str, offset: int) -> int:
    """The line, from 1, that starts at a byte offset; reads the file up to there."""
    line = 1
    with storage.open_binary(path) as file:
        left = offset
        while left > 0 and (block := file.read(min(left, 1 << 24))):
            line += block.count(b"\n")
            left -= len(block)
    return line
