"""The movies that a release lists, and what it says about its users."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from components.movielens_example_gen import storage
from components.movielens_example_gen.columns import Ints
from components.movielens_example_gen.formats import Release
from modules.user_attributes import OCCUPATIONS
from pipeline.errors import DataError

_NO_GENRES = frozenset({"(no genres listed)", "unknown", ""})
_YEAR = re.compile(r"\((\d{4})(?:\s*[-\u2013\u2014]\s*(?:\d{4})?)?\)\s*$")

_GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Movie:
    """A listed movie.

    Attributes:
        movie_id: The release's id.
        title: As the release spells it, the year included, without spaces around it.
        genres: In the release's order; empty where it lists none.
        year: Of the first showing, from the end of the title; None where it has none.
    """

    movie_id: int
    title: str
    genres: tuple[str, ...]
    year: int | None


@dataclasses.dataclass(frozen=True)
class User:
    """What a release says about a user; an unknown value is None.

    Attributes:
        gender: As in the release, `F` or `M`.
        age: Years (`100k`), or the lower end of the age group (`1m`; 1 stands for under 18).
        occupation: Its name.
    """

    gender: str | None
    age: int | None
    occupation: str | None


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """All listed movies, rated or not, by ascending id.

    Attributes:
        movies: `[movies]`.
        movie_ids: `[movies]`, ascending.
        encoding: `utf-8` or `latin-1`, as found.
    """

    movies: tuple[Movie, ...]
    movie_ids: Ints
    encoding: str


def year_of(title: str) -> int | None:
    """The year at the end of a title: 1995 of "Toy Story (1995)", the first of a range."""
    match = _YEAR.search(title)
    return int(match.group(1)) if match else None


def read_catalogue(release: Release) -> Catalogue:
    """Reads the list of movies.

    The encoding is told by the bytes: text in latin-1 with a letter beyond ASCII is practically
    never valid UTF-8, and releases use both.

    Raises:
        DataError: A row cannot be read, or an id stands twice; names file, line and content.
    """
    text, encoding = _decode(release.movies)
    if release.format == "csv":
        movies = list(_csv_movies(release.movies, text))
    elif release.format == "100k":
        movies = list(_bar_movies(release.movies, text, _genre_names(release)))
    else:
        movies = list(_dat_movies(release.movies, text))
    if not movies:
        raise DataError(f"{release.movies}: lists no movies; fetch the release again")
    movies.sort(key=lambda movie: movie.movie_id)
    for before, movie in itertools.pairwise(movies):
        if before.movie_id == movie.movie_id:
            raise DataError(
                f"{release.movies}: lists the movie {movie.movie_id} twice, as {before.title!r} "
                f"and {movie.title!r}; keep one"
            )
    ids = np.array([movie.movie_id for movie in movies], np.int64)
    return Catalogue(tuple(movies), ids, encoding)


def read_users(release: Release) -> Mapping[int, User]:
    """Reads the users' attributes by user id; empty where the release has none.

    Raises:
        DataError: A row cannot be read; names file, line and content.
    """
    if release.users is None:
        return {}
    text, _ = _decode(release.users)
    users = {}
    for number, line in _lines(text):
        try:
            if release.format == "100k":
                user, age, gender, occupation, _ = line.split("|")
            else:
                user, gender, age, code, _ = line.split("::")
                occupation = OCCUPATIONS[int(code)]
            users[int(user)] = User(gender or None, int(age) if age else None, occupation or None)
        except (ValueError, IndexError):
            raise _bad(release.users, number, line, "a user's five fields") from None
    return users


def _decode(path: str) -> tuple[str, str]:
    with storage.open_binary(path) as file:
        content = file.read()
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(): titles may hold other characters that Unicode calls line ends.
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.rstrip("\r")
        if stripped.strip():
            yield number, stripped


def _movie(raw_id: str, title: str, genres: Iterable[str]) -> Movie:
    title = title.strip()
    kept = tuple(genre for genre in genres if genre.strip() not in _NO_GENRES)
    movie_id = int(raw_id)
    if not 0 <= movie_id < 2**63:
        raise ValueError(raw_id)
    return Movie(movie_id, title, kept, year_of(title))


def _csv_movies(path: str, text: str) -> Iterator[Movie]:
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [title.strip() for title in next(reader, [])]
    missing = [name for name in ("movieId", "title", "genres") if header.count(name) != 1]
    if missing:
        raise DataError(
            f"{path}, line 1: the header {','.join(header)!r} must name each of movieId, title, "
            f"genres once; wrong: {', '.join(missing)}"
        )
    at_id, at_title, at_genres = (header.index(n) for n in ("movieId", "title", "genres"))
    line = reader.line_num + 1
    for row in reader:
        if row:
            try:
                if len(row) != len(header):
                    raise ValueError(row)
                yield _movie(row[at_id], row[at_title], row[at_genres].split("|"))
            except ValueError:
                raise _bad(path, line, ",".join(row), f"a movie's {len(header)} fields") from None
        line = reader.line_num + 1


def _dat_movies(path: str, text: str) -> Iterator[Movie]:
    for number, line in _lines(text):
        try:
            raw_id, rest = line.split("::", 1)
            title, genres = rest.rsplit("::", 1)
            yield _movie(raw_id, title, genres.split("|"))
        except ValueError:
            raise _bad(path, number, line, "id::title::genres") from None


def _bar_movies(path: str, text: str, names: tuple[str, ...]) -> Iterator[Movie]:
    for number, line in _lines(text):
        fields = line.split("|")
        flags = fields[-len(names) :]
        try:
            if len(fields) != len(names) + 5 or not set(flags) <= {"0", "1"}:
                raise ValueError(line)
            genres = (name for name, flag in zip(names, flags, strict=True) if flag == "1")
            yield _movie(fields[0], fields[1], genres)
        except ValueError:
            shape = f"id|title|date|date|link and {len(names)} genre flags"
            raise _bad(path, number, line, shape) from None


def _genre_names(release: Release) -> tuple[str, ...]:
    if release.genres is None:
        return _GENRES_100K
    text, _ = _decode(release.genres)
    names = {}
    for number, line in _lines(text):
        name, bar, position = line.rpartition("|")
        if not bar or not position.isdigit():
            raise _bad(release.genres, number, line, "name|position")
        names[int(position)] = name
    if sorted(names) != list(range(len(names))):
        raise DataError(f"{release.genres}: the positions must be 0, 1, 2, ...: {sorted(names)}")
    return tuple(names[position] for position in range(len(names)))


def _bad(path: str, number: int, line: str, expected: str) -> DataError:
    return DataError(f"{path}, line {number}: expected {expected}, found {line[:200]!r}")
