"""From a title as somebody typed it to a movie: one clear winner is taken, else we ask.

The device runtime finds titles that are spelled right. Misspelled ones are for the command line
alone: an app has a list to choose from.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Sequence

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from pocketrec_device import Recommender
from pocketrec_device.bundle import Movie
from pocketrec_device.errors import TitleError
from pocketrec_device.titles import TitleIndex

_YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
_IN_PARENTHESES = re.compile(r"\(([^()]*)\)")
_MOVED_ARTICLE = re.compile(r"^(?P<name>.+), (?P<article>[^ ,]{1,4})$")
# Of the query's letters, one in so many may be wrong, and one more: "haet", "toy stroy".
_LETTERS_A_MISTAKE = 6
# The winner is nearer than the next one by more than this many mistakes.
_LEAD = 1
_MOST_CANDIDATES = 5
_LEAST_LIKENESS = 75.0


@dataclasses.dataclass(frozen=True)
class Found:
    """A movie, and what to say if it is not what was typed.

    Attributes:
        movie: Of the model's catalogue.
        note: Empty where the title was spelled right.
    """

    movie: Movie
    note: str = ""


class UnknownTitleError(Exception):
    """No movie of the model is that for sure.

    Attributes:
        candidates: Movies that may be meant, the likeliest first.
    """

    def __init__(self, title: str, candidates: Sequence[Movie]) -> None:
        super().__init__(title)
        self.candidates = candidates


class TitleFinder:
    """Finds movies of a model by title or id."""

    def __init__(self, recommender: Recommender) -> None:
        """Prepares; the names of all movies are worked out when a title is misspelled."""
        self._recommender = recommender
        self._names: list[str] = []
        self._movies: list[Movie] = []

    def find(self, word: int | str) -> Found:
        """Returns the movie that a title or an id names.

        Raises:
            UnknownTitleError: No title is near enough, or several are.
            TitleError: The title is spelled right and names several movies.
        """
        try:
            return Found(self._recommender.find(word))
        except TitleError:
            if not isinstance(word, str):
                raise UnknownTitleError(str(word), ()) from None
            if _several(self._recommender, word):
                raise
        winner, candidates = self._near(word)
        if winner is None:
            raise UnknownTitleError(word, candidates)
        return Found(winner, f"taking {word!r} for {winner.title} [id:{winner.movie_id}]")

    def _near(self, title: str) -> tuple[Movie | None, list[Movie]]:
        """Returns the one movie that must be meant, if there is one, and those that may be."""
        names, year = self._all_names(), _year(title)
        name = _plain(_YEAR.sub("", title))
        allowed = 1 + len(name) // _LETTERS_A_MISTAKE
        close: dict[int, tuple[float, Movie]] = {}
        for _, mistakes, place in process.extract(
            name, names, scorer=OSA.distance, score_cutoff=allowed + _LEAD, limit=None
        ):
            movie = self._movies[place]
            if year is None or movie.year == year:
                close.setdefault(movie.id, (mistakes, movie))
        ranked = sorted(close.values(), key=lambda entry: (entry[0], entry[1].id))
        # "star wars" is no misspelled "Star Maps", but the beginning of longer titles.
        longer = {
            movie.id: movie
            for known, movie in zip(names, self._movies, strict=True)
            if f" {name} " in f" {known} " and (year is None or movie.year == year)
        }
        if not longer and ranked and ranked[0][0] <= allowed:
            leads = len(ranked) == 1 or ranked[1][0] > ranked[0][0] + _LEAD
            if leads:
                return ranked[0][1], []
        candidates = longer | {movie.id: movie for _, movie in ranked}
        for _, _, place in process.extract(
            name, names, scorer=fuzz.WRatio, score_cutoff=_LEAST_LIKENESS, limit=_MOST_CANDIDATES
        ):
            candidates.setdefault(self._movies[place].id, self._movies[place])
        return None, list(candidates.values())[:_MOST_CANDIDATES]

    def _all_names(self) -> list[str]:
        if not self._names:
            for movie in self._recommender.bundle.movies:
                for name in _names(movie.title):
                    self._names.append(name)
                    self._movies.append(movie)
        return self._names


def _several(recommender: Recommender, title: str) -> bool:
    """Returns whether a title is spelled right, and names several movies."""
    try:
        TitleIndex(recommender.bundle.movies).find(title)
    except TitleError as error:
        return " names " in str(error)
    return False


def _year(title: str) -> int | None:
    match = _YEAR.search(title)
    return None if match is None else int(match.group(1))


def _names(title: str) -> list[str]:
    """Returns what a movie may be called, folded, without repetition."""
    whole = _YEAR.sub("", title)
    main = _IN_PARENTHESES.sub("", whole)
    return list(dict.fromkeys(_plain(name) for name in (main, *_IN_PARENTHESES.findall(whole))))


def _plain(name: str) -> str:
    """Lower case, no accents, no punctuation, the article in front."""
    decomposed = unicodedata.normalize("NFKD", " ".join(name.split()).casefold())
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    match = _MOVED_ARTICLE.match(plain)
    if match is not None:
        plain = f"{match['article']} {match['name']}"
    words = re.sub(r"[^\w\s]", " ", plain).split()
    return " ".join(words)
