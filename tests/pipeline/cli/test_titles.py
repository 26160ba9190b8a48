"""Misspelled titles: one clear winner, or those that may be meant."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.cli.titles import TitleFinder, UnknownTitleError
from pocketrec_device.bundle import Movie
from pocketrec_device.errors import TitleError
from pocketrec_device.titles import TitleIndex

TITLES = (
    "Toy Story (1995)",
    "Toy Story 2 (1999)",
    "Heat (1995)",
    "Hate (Haine, La) (1995)",
    "Sabrina (1954)",
    "Sabrina (1995)",
    "Matrix, The (1999)",
    "Star Wars: Episode IV - A New Hope (1977)",
    "Star Wars: Episode V - The Empire Strikes Back (1980)",
    "Star Maps (1997)",
    "Misérables, Les (1998)",
    "Speed (1994)",
    "Sleeps (1995)",
    "Willy Wonka and the Chocolate Factory (1971)",
)


class _Titles:
    """What a `TitleFinder` asks of a recommender, without a model."""

    def __init__(self, titles: Sequence[str]) -> None:
        self.movies = tuple(
            Movie(place, 10 * place, title, (), int(title[-5:-1]), 9)
            for place, title in enumerate(titles, start=1)
        )
        self.bundle = SimpleNamespace(movies=self.movies)
        self._index = TitleIndex(self.movies)

    def find(self, word: Any) -> Movie:
        if isinstance(word, int):
            raise TitleError("unknown id")
        return self._index.find(word)


@pytest.fixture
def finder() -> TitleFinder:
    return TitleFinder(_Titles(TITLES))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("toy stroy", "Toy Story (1995)"),
        ("toy stroy 2", "Toy Story 2 (1999)"),
        ("teh matrix", "Matrix, The (1999)"),
        ("Les Miserabels", "Misérables, Les (1998)"),
        ("Sabrnia (1954)", "Sabrina (1954)"),
        ("willy wonka & the chocolat factory", "Willy Wonka and the Chocolate Factory (1971)"),
    ],
)
def test_a_clear_winner_is_taken_and_told(finder: TitleFinder, typed: str, title: str) -> None:
    found = finder.find(typed)
    assert found.movie.title == title
    assert found.note == f"taking {typed!r} for {title} [id:{found.movie.movie_id}]"


def test_what_is_spelled_right_is_not_spoken_of(finder: TitleFinder) -> None:
    assert finder.find("the matrix").note == ""


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("haet", {"Heat (1995)", "Hate (Haine, La) (1995)"}),
        ("sabrnia", {"Sabrina (1954)", "Sabrina (1995)"}),
        ("speep", {"Speed (1994)", "Sleeps (1995)"}),
        # No misspelled "Star Maps", though that is nearer by letters.
        ("star wars", {TITLES[7], TITLES[8]}),
    ],
)
def test_on_doubt_the_candidates_are_named(
    finder: TitleFinder, typed: str, first: set[str]
) -> None:
    with pytest.raises(UnknownTitleError) as raised:
        finder.find(typed)
    assert {movie.title for movie in raised.value.candidates[:2]} == first


def test_nothing_near_has_no_candidates(finder: TitleFinder) -> None:
    for word in ("qqq zzz", 77):
        with pytest.raises(UnknownTitleError) as raised:
            finder.find(word)
        assert list(raised.value.candidates) == []


def test_a_right_title_of_two_movies_stays_the_runtimes_error(finder: TitleFinder) -> None:
    with pytest.raises(TitleError, match="'sabrina' names 2 movies"):
        finder.find("sabrina")
