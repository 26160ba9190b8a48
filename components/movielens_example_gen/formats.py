"""Which MovieLens release a folder holds, told by its files.

| format | ratings | movies | users | releases |
|---|---|---|---|---|
| `100k` | `u.data`, tabs | `u.item`, bars | `u.user` | ml-100k |
| `1m` | `ratings.dat`, `::` | `movies.dat` | `users.dat` | ml-1m |
| `10m` | `ratings.dat`, `::`, half stars | `movies.dat` | none | ml-10m |
| `csv` | `ratings.csv`, header | `movies.csv`, quotes | none | ml-20m and later, ml-latest |
"""

from __future__ import annotations

import csv
import dataclasses
from typing import Literal

from components.movielens_example_gen import storage
from pipeline.errors import DataError

FormatName = Literal["100k", "1m", "10m", "csv"]

RATING_FIELDS = ("user", "movie", "rating", "timestamp")
"""What a row of ratings holds, in the order of the releases without a header."""

_CSV_NAMES = {"userId": "user", "movieId": "movie", "rating": "rating", "timestamp": "timestamp"}
_MOVIES_FILE = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}


@dataclasses.dataclass(frozen=True)
class Release:
    """A release's files and how its ratings are laid out.

    Attributes:
        format: The file format.
        ratings: Path or address of the ratings.
        movies: Path or address of the list of movies.
        users: Path or address of the users' attributes, where the release has them.
        genres: Path or address of the genre names (`100k` only, and optional there).
        columns: What each column of the ratings holds; names outside `RATING_FIELDS` are not read.
        header: Bytes of the header line of the ratings, 0 without one.
        separator: What stands between two columns of the ratings.
    """

    format: FormatName
    ratings: str
    movies: str
    users: str | None
    genres: str | None
    columns: tuple[str, ...]
    header: int
    separator: str

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is read."""
        return tuple(f for f in (self.ratings, self.movies, self.users, self.genres) if f)


def detect(folder: str) -> Release:
    """Finds the release in a folder, or in the one folder below it that holds one.

    Args:
        folder: A local path or an address; zip files are extracted before (see `staging.py`).

    Raises:
        DataError: The folder does not exist, holds no release or several, or lacks a file.
    """
    if not storage.is_folder(folder):
        raise DataError(f"{folder}: no such folder; give the folder or the .zip of a release")
    names = [n for n in storage.list_files(folder) if not n.startswith("__MACOSX/")]
    found = [n for n in names if n.rpartition("/")[2] in _MOVIES_FILE]
    if not found:
        expected = ", ".join(sorted(_MOVIES_FILE))
        raise DataError(f"{folder}: holds no MovieLens release: none of {expected} is in it")
    # The shallowest folder wins: a release may keep copies of itself deeper down.
    depth = min(n.count("/") for n in found)
    found = [n for n in found if n.count("/") == depth]
    if len(found) > 1:
        raise DataError(
            f"{folder}: holds several ratings files ({', '.join(found)}): give the folder of one "
            "release, with one of them in it"
        )
    return _describe(folder, found[0], frozenset(names))


def _describe(folder: str, ratings_name: str, names: frozenset[str]) -> Release:
    parent, slash, base = ratings_name.rpartition("/")

    def path_of(name: str) -> str | None:
        relative = parent + slash + name
        return storage.join(folder, relative) if relative in names else None

    ratings = storage.join(folder, ratings_name)
    movies = path_of(_MOVIES_FILE[base])
    if movies is None:
        raise DataError(
            f"{storage.join(folder, parent)}: has {base} but not {_MOVIES_FILE[base]}, "
            "which names the movies; complete the release"
        )
    if storage.size_of(ratings) == 0:
        raise DataError(f"{ratings}: is empty; fetch or generate the release again")
    if base == "u.data":
        return Release(
            "100k", ratings, movies, path_of("u.user"), path_of("u.genre"), RATING_FIELDS, 0, "\t"
        )
    if base == "ratings.dat":
        users = path_of("users.dat")
        name: FormatName = "1m" if users else "10m"
        return Release(name, ratings, movies, users, None, RATING_FIELDS, 0, "::")
    columns, header = _read_header(ratings)
    return Release("csv", ratings, movies, None, None, columns, header, ",")


def _read_header(ratings: str) -> tuple[tuple[str, ...], int]:
    with storage.open_binary(ratings) as file:
        line = file.readline()
    text = line.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    titles = [title.strip() for title in next(csv.reader([text]), [])]
    missing = [title for title in _CSV_NAMES if titles.count(title) != 1]
    if missing:
        raise DataError(
            f"{ratings}, line 1: the header {text!r} must name each of "
            f"{', '.join(_CSV_NAMES)} once; wrong: {', '.join(missing)}"
        )
    return tuple(_CSV_NAMES.get(title, title) for title in titles), len(line)
