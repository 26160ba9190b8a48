"""What a MovieLens release holds: format, counts, times, timelines, anomalies."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from pathlib import Path
from typing import Any

import numpy as np
import tabulate

from components.movielens_example_gen import policy, problems
from components.movielens_example_gen.catalogue import Catalogue, read_catalogue
from components.movielens_example_gen.columns import HALF_STARS, Ints, Ratings
from components.movielens_example_gen.formats import Release, detect
from components.movielens_example_gen.problems import Report
from components.movielens_example_gen.reader import read_blocks
from components.movielens_example_gen.staging import staged
from components.movielens_example_gen.timelines import drop_duplicates, in_order

_QUANTILES = {
    "min": 0.0,
    "10%": 0.1,
    "25%": 0.25,
    "median": 0.5,
    "75%": 0.75,
    "90%": 0.9,
    "99%": 0.99,
    "max": 1.0,
}


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """One kind of malformed row.

    Attributes:
        reason: A key of `problems.REASONS`.
        rows: How many rows there are.
        line: Line of the first one, from 1.
        content: The first one.
    """

    reason: str
    rows: int
    line: int
    content: str


@dataclasses.dataclass(frozen=True)
class ReleaseReport:
    """What a release holds; counts leave malformed rows out, unless said otherwise.

    Attributes:
        path: As given.
        release_format: `100k`, `1m`, `10m` or `csv`.
        encoding: Of the titles.
        rows: Rows of ratings, malformed ones included.
        ratings: Ratings.
        users: Users with a rating.
        rated_movies: Movies with a rating.
        movies_listed: Movies in the list of movies.
        stars: Ratings by stars, from "0.5" to "5".
        timestamp_min: First time, seconds since 1970 UTC; None without ratings.
        timestamp_max: Last time.
        timeline_lengths: Ratings a user: quantiles by name.
        users_below_three: Users with fewer than three ratings: with `leave_last_out` they have no
            held-out event.
        tied_ratings: Ratings of the same user and second as the one before.
        out_of_order: Ratings that stand behind a later one of the same user in the file.
        titles_without_year: Listed movies.
        movies_without_genres: Listed movies.
        repeated_titles: Titles that several listed movies have.
        anomalies: Malformed rows by reason.
    """

    path: str
    release_format: str
    encoding: str
    rows: int
    ratings: int
    users: int
    rated_movies: int
    movies_listed: int
    stars: dict[str, int]
    timestamp_min: int | None
    timestamp_max: int | None
    timeline_lengths: dict[str, int]
    users_below_three: int
    tied_ratings: int
    out_of_order: int
    titles_without_year: int
    movies_without_genres: int
    repeated_titles: tuple[str, ...]
    anomalies: tuple[Anomaly, ...]

    def to_json(self) -> dict[str, Any]:
        """A tree of plain values."""
        return dataclasses.asdict(self)

    def to_text(self) -> str:
        """For the terminal."""
        facts: list[tuple[str, str]] = [
            ("release", self.path),
            ("format", f"{self.release_format}, titles in {self.encoding}"),
            ("ratings", f"{self.ratings:,}"),
            ("users", f"{self.users:,}"),
            ("movies", f"{self.rated_movies:,} rated, {self.movies_listed:,} listed"),
            ("time range", _time_range(self.timestamp_min, self.timestamp_max)),
            ("same second", f"{self.tied_ratings:,} ratings share user and second with another"),
            ("file order", f"{self.out_of_order:,} ratings stand behind a later one of their user"),
            ("short timelines", f"{self.users_below_three:,} users with fewer than 3 ratings"),
            ("titles", f"{self.titles_without_year:,} without a year, {_repeated(self)}"),
            ("no genres", f"{self.movies_without_genres:,} movies"),
        ]
        blocks = [
            tabulate.tabulate(facts, tablefmt="plain", disable_numparse=True),
            "Stars\n"
            + tabulate.tabulate(
                [(star, f"{count:,}") for star, count in self.stars.items()],
                tablefmt="plain",
                colalign=("right", "right"),
                disable_numparse=True,
            ),
            "Ratings a user\n"
            + tabulate.tabulate(
                [[f"{value:,}" for value in self.timeline_lengths.values()]],
                headers=list(self.timeline_lengths),
                tablefmt="plain",
                stralign="right",
                disable_numparse=True,
            ),
        ]
        if self.anomalies:
            table = [
                (a.reason, f"{a.rows:,}", f"{a.line:,}", a.content[:60]) for a in self.anomalies
            ]
            blocks.append(
                f"Malformed rows: {self.rows - self.ratings:,} of {self.rows:,}\n"
                + tabulate.tabulate(
                    table,
                    headers=("reason", "rows", "first line", "content"),
                    tablefmt="plain",
                    disable_numparse=True,
                )
            )
        else:
            blocks.append("Malformed rows: none")
        return "\n\n".join(blocks)


def inspect_release(path: Path) -> ReleaseReport:
    """Reads a whole release and describes it; malformed rows are counted, not refused.

    Args:
        path: Folder or `.zip` of a release.

    Raises:
        DataError: It is no release, or its list of movies cannot be read.
    """
    with staged(str(path)) as folder:
        release = detect(folder)
        catalogue = read_catalogue(release)
        blocks, reports = [], []
        for block in read_blocks(release, catalogue.movie_ids):
            blocks.append(block.ratings)
            reports.append(block.report)
        ratings, duplicates = drop_duplicates(Ratings.concat(blocks), catalogue.movie_ids)
        blocks.clear()
        report = Report.merge([*reports, duplicates])
        anomalies = _anomalies(report, release, catalogue.movie_ids)
    return _describe(str(path), release, catalogue, ratings, report, anomalies)


def _describe(
    path: str,
    release: Release,
    catalogue: Catalogue,
    ratings: Ratings,
    report: Report,
    anomalies: tuple[Anomaly, ...],
) -> ReleaseReport:
    ordered = in_order(ratings)
    same_user = ordered.user[1:] == ordered.user[:-1]
    ties = same_user & (ordered.timestamp[1:] == ordered.timestamp[:-1])
    _, lengths = np.unique(ordered.user, return_counts=True)
    half_stars = np.bincount(ratings.half_stars, minlength=HALF_STARS + 1)
    titles = collections.Counter(movie.title for movie in catalogue.movies)
    has_ratings = len(ratings) > 0
    return ReleaseReport(
        path=path,
        release_format=release.format,
        encoding=catalogue.encoding,
        rows=report.rows,
        ratings=len(ratings),
        users=len(lengths),
        rated_movies=len(np.unique(ratings.movie)),
        movies_listed=len(catalogue.movies),
        stars={f"{half / 2:g}": int(half_stars[half]) for half in range(1, HALF_STARS + 1)},
        timestamp_min=int(ratings.timestamp.min()) if has_ratings else None,
        timestamp_max=int(ratings.timestamp.max()) if has_ratings else None,
        timeline_lengths={
            name: int(np.quantile(lengths, share, method="lower"))
            for name, share in _QUANTILES.items()
        }
        if has_ratings
        else {},
        users_below_three=int((lengths < 3).sum()),
        tied_ratings=int(ties.sum()),
        out_of_order=_out_of_order(ratings),
        titles_without_year=sum(movie.year is None for movie in catalogue.movies),
        movies_without_genres=sum(not movie.genres for movie in catalogue.movies),
        repeated_titles=tuple(sorted(title for title, count in titles.items() if count > 1)),
        anomalies=anomalies,
    )


def _out_of_order(ratings: Ratings) -> int:
    """Ratings whose time is below that of an earlier row of the same user."""
    by_user = np.argsort(ratings.user, kind="stable")
    user, time = ratings.user[by_user], ratings.timestamp[by_user]
    if not len(user):
        return 0
    # A running maximum over all users at once: each user's times are lifted above those before.
    _, rank = np.unique(time, return_inverse=True)
    group = np.concatenate([[0], np.cumsum(user[1:] != user[:-1])])
    lifted = group * len(user) + rank
    return int((lifted < np.maximum.accumulate(lifted)).sum())


def _anomalies(report: Report, release: Release, movie_ids: Ints) -> tuple[Anomaly, ...]:
    found = []
    for reason, rows in report.counts.items():
        if reason == problems.DUPLICATE:
            first = policy.find_duplicate(report, (release,), movie_ids)
        else:
            first = report.first[reason]
        line = policy.line_number(release.ratings, first.offset)
        found.append(Anomaly(reason, rows, line, first.content))
    return tuple(found)


def _time_range(first: int | None, last: int | None) -> str:
    if first is None or last is None:
        return "none"
    return f"{_date(first)} to {_date(last)} ({first}..{last})"


def _date(second: int) -> str:
    try:
        moment = datetime.datetime.fromtimestamp(second, tz=datetime.timezone.utc)
    except (OverflowError, ValueError, OSError):
        return "beyond any date"
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _repeated(report: ReleaseReport) -> str:
    count = len(report.repeated_titles)
    shown = f" ({report.repeated_titles[0]!r}, ...)" if count else ""
    return f"{count:,} on several movies{shown}"
