from __future__ import annotations

from pathlib import Path

import pytest

from components.movielens_example_gen.catalogue import (
    Movie,
    User,
    read_catalogue,
    read_users,
    year_of,
)
from components.movielens_example_gen.formats import detect
from pipeline.errors import DataError
from tests.components.movielens_example_gen.releases import FORMATS, write_release


@pytest.mark.parametrize("release_format", FORMATS)
def test_every_format_gives_the_same_movies(tmp_path: Path, release_format: str) -> None:
    write_release(tmp_path, release_format)

    catalogue = read_catalogue(detect(str(tmp_path)))

    assert catalogue.movies == (
        Movie(1, "Toy Story (1995)", ("Animation", "Children's", "Comedy"), 1995),
        Movie(2, "Café Müller (1978)", ("Drama",), 1978),
        Movie(3, "Matrix, The (1999)", ("Action", "Sci-Fi"), 1999),
        Movie(7, "Nameless", (), None),
    )
    assert catalogue.movie_ids.tolist() == [1, 2, 3, 7]
    assert catalogue.encoding == ("latin-1" if release_format in ("100k", "1m") else "utf-8")


def test_movies_are_sorted_by_id_and_quotes_are_undone(tmp_path: Path) -> None:
    write_release(tmp_path, "csv")
    (tmp_path / "movies.csv").write_text(
        'movieId,title,genres\n20,"Say ""Hi"", Bob (2001) ",Comedy\n3,B (1990),War|Western\n'
    )

    movies = read_catalogue(detect(str(tmp_path))).movies

    assert [(m.movie_id, m.title, m.year) for m in movies] == [
        (3, "B (1990)", 1990),
        (20, 'Say "Hi", Bob (2001)', 2001),
    ]


@pytest.mark.parametrize(
    ("title", "year"),
    [
        ("Toy Story (1995)", 1995),
        ("2001 (A Space Odyssey) (1968) ", 1968),
        ("Death Note (2006\u20132007)", 2006),
        ("Running (2014- )", 2014),
        ("Babylon 5", None),
        ("(1999) Something", None),
        ("Short (99)", None),
    ],
)
def test_year_is_the_one_at_the_end_of_the_title(title: str, year: int | None) -> None:
    assert year_of(title) == year


def test_users_attributes(tmp_path: Path) -> None:
    one = read_users(detect(str(write_release(tmp_path / "1m", "1m"))))
    assert one == {5: User("M", 25, "programmer"), 9: User("F", 1, "other")}
    hundred = read_users(detect(str(write_release(tmp_path / "100k", "100k"))))
    assert hundred == {5: User("M", 24, "technician"), 9: User("F", 53, "other")}
    assert read_users(detect(str(write_release(tmp_path / "csv", "csv")))) == {}


@pytest.mark.parametrize(
    ("release_format", "name", "content", "line"),
    [
        ("csv", "movies.csv", 'movieId,title,genres\n1,"A\nB",War\n2,C\n', 4),
        ("csv", "movies.csv", "movieId,title,genres\nx,A (1990),War\n", 2),
        ("csv", "movies.csv", "movieId,name,genres\n1,A (1990),War\n", 1),
        ("1m", "movies.dat", "1::A (1990)::War\n2::B\n", 2),
        ("1m", "users.dat", "5::M::25::12::1\n9::F::1::99::1\n", 2),
        ("100k", "u.item", "1|A|||x|1|0\n", 1),
        ("100k", "u.user", "5|24|M|technician\n", 1),
        ("100k", "u.genre", "unknown\n", 1),
    ],
)
def test_a_broken_row_is_named(
    tmp_path: Path, release_format: str, name: str, content: str, line: int
) -> None:
    write_release(tmp_path, release_format)
    (tmp_path / name).write_text(content)
    release = detect(str(tmp_path))

    with pytest.raises(DataError, match=rf"{name}, line {line}: "):
        (read_users if name in ("users.dat", "u.user") else read_catalogue)(release)


def test_a_movie_listed_twice_is_named(tmp_path: Path) -> None:
    write_release(tmp_path, "10m")
    (tmp_path / "movies.dat").write_text("1::A (1990)::War\n1::B (1991)::War\n")

    with pytest.raises(DataError, match="the movie 1 twice, as 'A"):
        read_catalogue(detect(str(tmp_path)))


def test_a_list_without_movies_is_named(tmp_path: Path) -> None:
    write_release(tmp_path, "10m")
    (tmp_path / "movies.dat").write_text("\n")

    with pytest.raises(DataError, match="lists no movies"):
        read_catalogue(detect(str(tmp_path)))
