"""From ratings in file order to timelines: what each user watched, in order.

The order is that of the benchmark protocol: by timestamp, ties in file order.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.movielens_example_gen import policy, problems
from components.movielens_example_gen.columns import Ints, Ratings
from components.movielens_example_gen.log import opened
from components.movielens_example_gen.problems import Report
from components.movielens_example_gen.reader import read_blocks
from components.movielens_example_gen.spans import select_spans
from pipeline.config.data import MalformedConfig
from pipeline.config.spans import SpansConfig


@dataclasses.dataclass(frozen=True)
class Timelines:
    """Timelines of several users, one after the other.

    Attributes:
        user_ids: `[users]`, ascending.
        offsets: `[users + 1]`: user `u` has the events `offsets[u]` up to `offsets[u + 1]`.
        movie_ids: `[events]`, the release's own ids.
        ratings: `[events]`, stars, float32.
        timestamps: `[events]`, seconds since 1970 UTC, never falling within a user.
    """

    user_ids: Ints
    offsets: Ints
    movie_ids: Ints
    ratings: npt.NDArray[np.float32]
    timestamps: Ints

    @property
    def lengths(self) -> Ints:
        """Events of each user, `[users]`."""
        return np.diff(self.offsets)


def load_timelines(
    path: str | Path,
    min_ratings_per_movie: int = 1,
    min_ratings_per_user: int = 1,
    malformed: MalformedConfig | None = None,
    spans: SpansConfig | None = None,
) -> Timelines:
    """Reads a whole release into memory, the same way as the pipeline does.

    Args:
        path: Folder or `.zip` of a release, or a pattern of spans.
        min_ratings_per_movie: Movies with fewer ratings are dropped, first.
        min_ratings_per_user: Users with fewer ratings left are dropped, then.
        malformed: What happens to malformed rows; None stops at the first.
        spans: Which spans of a pattern; None takes all.

    Returns:
        All timelines, by ascending user id. About 30 bytes a rating, twice that while reading.

    Raises:
        DataError: The release cannot be read, or holds malformed rows that are not allowed.
    """
    with opened(select_spans(str(path), spans or SpansConfig())) as log:
        movie_ids = log.catalogue.movie_ids
        blocks, reports = [], []
        for number, release in enumerate(log.releases):
            for block in read_blocks(release, movie_ids):
                blocks.append(block.ratings)
                reports.append(block.report.in_file(number))
        ratings, duplicates = drop_duplicates(Ratings.concat(blocks), movie_ids)
        blocks.clear()
        report = Report.merge([*reports, duplicates])
        policy.check(report, malformed or MalformedConfig(), log.releases, movie_ids)
    counts = count_movies(ratings, len(movie_ids))
    kept = keep_frequent(ratings, counts, min_ratings_per_movie, min_ratings_per_user)
    return to_timelines(in_order(kept), movie_ids)


def drop_duplicates(ratings: Ratings, movie_ids: Ints) -> tuple[Ratings, Report]:
    """Keeps the first row of each pair of user and movie.

    Args:
        ratings: In file order; all rows of each of its users.
        movie_ids: The listed movies' ids, ascending, `[movies]`.

    Returns:
        The rows left, in the same order, and a report that counts the others (but no rows).
    """
    repeated, report = find_repeated(ratings, movie_ids)
    return ratings if repeated is None else ratings.take(~repeated), report


def find_repeated(ratings: Ratings, movie_ids: Ints) -> tuple[npt.NDArray[np.bool_] | None, Report]:
    """Finds the rows that `drop_duplicates` drops.

    Args:
        ratings: In file order; all rows of each of its users.
        movie_ids: The listed movies' ids, ascending, `[movies]`.

    Returns:
        Which rows, `[rows]`, None where there are none, and their report.
    """
    _, dense = np.unique(ratings.user, return_inverse=True)
    key = dense.astype(np.int64) * len(movie_ids) + ratings.movie
    # A plain sort tells cheaply that there are none, which is the rule.
    in_line = np.sort(key)
    if not (in_line[1:] == in_line[:-1]).any():
        return None, Report()
    order = np.argsort(key, kind="stable")
    repeated = np.zeros(len(ratings), np.bool_)
    repeated[order[1:]] = key[order[1:]] == key[order[:-1]]
    lowest = int(np.flatnonzero(repeated)[np.argmin(key[repeated])])
    pair = int(ratings.user[lowest]), int(movie_ids[ratings.movie[lowest]])
    report = Report(counts={problems.DUPLICATE: int(repeated.sum())}, pair=pair)
    return repeated, report


def count_movies(ratings: Ratings, movies: int) -> Ints:
    """Ratings of each listed movie, `[movies]`."""
    return np.bincount(ratings.movie, minlength=movies).astype(np.int64)


def keep_frequent(
    ratings: Ratings, movie_counts: Ints, min_ratings_per_movie: int, min_ratings_per_user: int
) -> Ratings:
    """Drops rare movies, and then users with few ratings left.

    Args:
        ratings: All rows of each of its users; further users may be elsewhere.
        movie_counts: Ratings of each listed movie by all users, `[movies]`.
        min_ratings_per_movie: Fewest ratings of a movie.
        min_ratings_per_user: Fewest ratings of a user, of movies that are kept.

    Returns:
        The rows left, in the same order.
    """
    if min_ratings_per_movie > 1:
        ratings = ratings.take(movie_counts[ratings.movie] >= min_ratings_per_movie)
    if min_ratings_per_user > 1:
        _, dense, counts = np.unique(ratings.user, return_inverse=True, return_counts=True)
        ratings = ratings.take(counts[dense] >= min_ratings_per_user)
    return ratings


def in_order(ratings: Ratings) -> Ratings:
    """Sorts by user and timestamp; rows of the same second stay in their order."""
    return ratings.take(np.lexsort((ratings.timestamp, ratings.user)))


def to_timelines(ratings: Ratings, movie_ids: Ints) -> Timelines:
    """Cuts ordered ratings at the users.

    Args:
        ratings: As `in_order` returns them.
        movie_ids: The listed movies' ids, ascending, `[movies]`.
    """
    user_ids, starts = np.unique(ratings.user, return_index=True)
    return Timelines(
        user_ids,
        np.append(starts, len(ratings)).astype(np.int64),
        movie_ids[ratings.movie],
        ratings.half_stars.astype(np.float32) / np.float32(2),
        ratings.timestamp,
    )
