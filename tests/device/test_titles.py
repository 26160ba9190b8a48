"""Titles as people write them."""

import pytest

from pocketrec_device.errors import TitleError
from pocketrec_device.titles import TitleIndex
from tests.device import toy


@pytest.fixture(scope="module")
def index() -> TitleIndex:
    return TitleIndex(toy.movies())


@pytest.mark.parametrize(
    ("title", "number"),
    [
        ("Toy Story (1995)", 1),
        ("toy story (1995)", 1),
        ("  Toy   Story ", 1),
        ("Matrix, The (1999)", 2),
        ("The Matrix (1999)", 2),
        ("the matrix", 2),
        ("Matrix", 2),
        ("Seven Samurai", 4),
        ("Seven Samurai (1954)", 4),
        ("Shichinin no samurai", 4),
        ("The Magnificent Seven", 4),
        ("The City of Lost Children (1995)", 5),
        ("La cite des enfants perdus", 5),
        ("Sabrina (1995)", 7),
        ("Les Miserables", 8),
        ("LES MISÉRABLES (1998)", 8),
    ],
)
def test_a_title_finds_its_movie(index: TitleIndex, title: str, number: int) -> None:
    assert index.find(title).id == number


def test_a_title_of_two_movies_is_ambiguous(index: TitleIndex) -> None:
    with pytest.raises(TitleError, match=r"'Sabrina' names 2 movies.*1954.*1995.*with the year"):
        index.find("Sabrina")


def test_movies_of_the_same_title_need_an_id() -> None:
    first, second, *_ = toy.movies()
    twins = [first, type(second)(2, 77, first.title, (), 1995, 1)]
    with pytest.raises(TitleError, match=r"movie id 77.*use a movie id"):
        TitleIndex(twins).find("Toy Story (1995)")


def test_the_wrong_year_is_no_match(index: TitleIndex) -> None:
    with pytest.raises(TitleError, match=r"close titles: Toy Story \(1995\)"):
        index.find("Toy Story (1996)")


def test_a_typing_error_brings_close_titles(index: TitleIndex) -> None:
    with pytest.raises(TitleError, match=r"close titles: Matrix, The \(1999\)"):
        index.find("The Matirx")


def test_part_of_a_title_brings_the_titles_that_hold_it(index: TitleIndex) -> None:
    with pytest.raises(TitleError, match=r"close titles: City of Lost Children"):
        index.find("lost children")


def test_a_title_like_no_other_brings_an_example(index: TitleIndex) -> None:
    with pytest.raises(TitleError, match=r"titles look like 'Toy Story \(1995\)'"):
        index.find("zzzzqqqq")
