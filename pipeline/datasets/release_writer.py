"""Writes ratings and movies in the layouts of the official MovieLens releases."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.datasets.synthetic_timelines import Ratings

FormatName = Literal["ml-latest", "ml-10m", "ml-1m", "ml-100k"]


@dataclasses.dataclass(frozen=True)
class Layout:
    """The files of a release and how ratings are spelled in them."""

    ratings_file: str
    movies_file: str
    users_file: str | None
    separator: str
    star_words: tuple[str, ...]
    """How 0, 1, ... 10 half stars are written."""
    encoding: str = "utf-8"
    line_end: str = "\n"
    header: str = ""


_WHOLE_STARS = tuple(str((half + 1) // 2) for half in range(11))

LAYOUTS: dict[FormatName, Layout] = {
    "ml-latest": Layout(
        ratings_file="ratings.csv",
        movies_file="movies.csv",
        users_file=None,
        separator=",",
        star_words=tuple(f"{half / 2:.1f}" for half in range(11)),
        line_end="\r\n",
        header="userId,movieId,rating,timestamp",
    ),
    "ml-10m": Layout(
        ratings_file="ratings.dat",
        movies_file="movies.dat",
        users_file=None,
        separator="::",
        star_words=tuple(f"{half / 2:g}" for half in range(11)),
    ),
    "ml-1m": Layout(
        ratings_file="ratings.dat",
        movies_file="movies.dat",
        users_file="users.dat",
        separator="::",
        star_words=_WHOLE_STARS,
        encoding="latin-1",
    ),
    "ml-100k": Layout(
        ratings_file="u.data",
        movies_file="u.item",
        users_file="u.user",
        separator="\t",
        star_words=_WHOLE_STARS,
        encoding="latin-1",
    ),
}

# The flags of u.item, in its order; later releases renamed Children's and added IMAX.
_GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary"),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi"),
    *("Thriller", "War", "Western"),
)
_AGES_1M = (1, 18, 25, 35, 45, 50, 56)
_OCCUPATIONS_100K = ("artist", "educator", "engineer", "librarian", "other", "student", "writer")


def write_ratings(
    folder: Path,
    name: FormatName,
    blocks: Iterable[Ratings],
    movie_ids: npt.NDArray[np.int64],
) -> int:
    """Writes the ratings file, one block of viewers in memory at a time.

    Args:
        folder: Where the file goes.
        name: The release whose layout is taken.
        blocks: Ratings; `movies` are indices into `movie_ids`.
        movie_ids: int64 [movies], public ids.

    Returns:
        Ratings written.
    """
    layout = LAYOUTS[name]
    words = pa.array(layout.star_words)
    written = 0
    with (folder / layout.ratings_file).open("wb") as sink:
        if layout.header:
            sink.write((layout.header + layout.line_end).encode())
        for block in blocks:
            rows = pc.binary_join_element_wise(
                pa.array(block.users).cast(pa.string()),
                pa.array(movie_ids[block.movies]).cast(pa.string()),
                words.take(pa.array(block.half_stars)),
                pa.array(block.timestamps).cast(pa.string()),
                layout.separator,
            )
            lines = pc.binary_join_element_wise(rows, "", layout.line_end)
            # The values of a string array stand back to back: the file's bytes, ready made.
            sink.write(lines.buffers()[2])
            written += len(block.users)
    return written


def write_movies(
    folder: Path,
    name: FormatName,
    movie_ids: Sequence[int],
    titles: Sequence[str],
    genres: Sequence[Sequence[str]],
) -> None:
    """Writes the movies file, in the order of ids."""
    layout = LAYOUTS[name]
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator=layout.line_end)
    if layout.header:
        table.writerow(("movieId", "title", "genres"))
    for movie_id, title, names in sorted(zip(movie_ids, titles, genres, strict=True)):
        joined = "|".join(names) or "(no genres listed)"
        if name == "ml-latest":
            table.writerow((movie_id, title, joined))
        elif name == "ml-100k":
            flags = [str(int(genre in (names or ("unknown",)))) for genre in _GENRES_100K]
            released = f"01-Jan-{title[-5:-1]}"
            text.write("|".join((str(movie_id), title, released, "", "", *flags)) + "\n")
        else:
            if name == "ml-1m":
                joined = joined.replace("Children", "Children's")
            text.write(f"{movie_id}::{title}::{joined}\n")
    (folder / layout.movies_file).write_bytes(text.getvalue().encode(layout.encoding))


def write_users(folder: Path, name: FormatName, users: int, seed: np.random.SeedSequence) -> None:
    """Writes the viewers' attributes, in the releases that have them."""
    layout = LAYOUTS[name]
    if layout.users_file is None:
        return
    rng = np.random.default_rng(seed)
    genders = np.where(rng.random(users) < 0.3, "F", "M").tolist()
    ages = rng.integers(len(_AGES_1M), size=users).tolist()
    occupations = rng.integers(21, size=users).tolist()
    zips = rng.integers(1_000, 99_951, size=users).tolist()
    with (folder / layout.users_file).open("w", encoding=layout.encoding, newline="") as sink:
        for user, gender, age, occupation, zip_code in zip(
            range(1, users + 1), genders, ages, occupations, zips, strict=True
        ):
            if name == "ml-1m":
                sink.write(f"{user}::{gender}::{_AGES_1M[age]}::{occupation}::{zip_code:05d}\n")
            else:
                work = _OCCUPATIONS_100K[occupation % len(_OCCUPATIONS_100K)]
                sink.write(f"{user}|{_AGES_1M[age] + 6}|{gender}|{work}|{zip_code:05d}\n")
