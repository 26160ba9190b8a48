"""From a title as people write it to a movie of the catalogue."""

from __future__ import annotations

import dataclasses
import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from pocketrec_device.bundle import Movie
from pocketrec_device.errors import TitleError

_YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
_OTHER_NAME = re.compile(r"\(([^()]*)\)")
# MovieLens moves a leading article to the end: "Matrix, The (1999)".
_ARTICLES = "the|a|an|la|le|les|l'|el|los|las|lo|il|i|gli|das|der|die|un|une|una|o|os|as|de|het"
_MOVED_ARTICLE = re.compile(rf"^(?P<name>.+), (?P<article>{_ARTICLES})$")
_ARTICLE = re.compile(r"^(the|an?) ")
_MOST_SUGGESTIONS = 5
_ALSO_KNOWN_AS = "a.k.a. "


@dataclasses.dataclass(frozen=True)
class _Names:
    """Folded forms of one title, most specific first.

    Attributes:
        levels: Sets of names; a query is matched against the first level, then the next.
        year: None where the title tells none.
    """

    levels: tuple[frozenset[str], ...]
    year: int | None


class TitleIndex:
    """Finds movies by title.

    A title matches exactly; otherwise without regard to case, accents, the place of the article
    ("The Matrix (1999)" is "Matrix, The (1999)") and, where that leaves one movie, without the
    year; then by a name in parentheses ("Shichinin no samurai"); at last without the article.

    Args:
        movies: The catalogue.
    """

    def __init__(self, movies: Iterable[Movie]) -> None:
        self._movies = tuple(movies)
        self._exact: dict[str, list[Movie]] = {}
        for movie in self._movies:
            self._exact.setdefault(movie.title, []).append(movie)
        self._levels: list[dict[str, list[tuple[Movie, int | None]]]] = []

    def find(self, title: str) -> Movie:
        """Returns the one movie that `title` names.

        Raises:
            TitleError: None does, or several do; the message lists close titles.
        """
        exact = self._exact.get(title, [])
        if exact:
            return _only(title, exact)
        query = _names(title)
        for index in self._folded():
            # The query's fullest name must match; only a catalogue title may say more.
            found = {
                movie.id: movie
                for name in query.levels[0]
                for movie, year in index.get(name, [])
                if query.year is None or query.year == year
            }
            if found:
                return _only(title, list(found.values()))
        raise TitleError(self._unknown(title, query))

    def _folded(self) -> Sequence[dict[str, list[tuple[Movie, int | None]]]]:
        if not self._levels:
            levels: list[dict[str, list[tuple[Movie, int | None]]]] = [{}, {}, {}, {}]
            for movie in self._movies:
                names = _names(movie.title)
                for level, forms in zip(levels, names.levels, strict=True):
                    for form in forms:
                        level.setdefault(form, []).append((movie, names.year))
            self._levels = levels
        return self._levels

    def _unknown(self, title: str, query: _Names) -> str:
        main = self._folded()[1]
        (name,) = query.levels[0]
        # Titles that hold the query's words come first: "star wars" has none that is as short.
        words = [known for known in main if f" {name} " in f" {known.replace(':', '')} "]
        alike = difflib.get_close_matches(name, main, n=_MOST_SUGGESTIONS, cutoff=0.6)
        close = [movie.title for known in dict.fromkeys(words + alike) for movie, _ in main[known]]
        message = f"no movie {title!r} in the model's catalogue"
        if close:
            return f"{message}; close titles: {_listed(close[:_MOST_SUGGESTIONS])}"
        return f"{message}; titles look like {self._example()}"

    def _example(self) -> str:
        return repr(self._movies[0].title) if self._movies else "'Toy Story (1995)'"


def _only(title: str, movies: list[Movie]) -> Movie:
    if len(movies) == 1:
        return movies[0]
    same = len({movie.title for movie in movies}) == 1
    listed = [f"{movie.title} [movie id {movie.movie_id}]" for movie in movies]
    hint = "use a movie id" if same else "say which, with the year"
    raise TitleError(f"{title!r} names {len(movies)} movies: {_listed(listed)}; {hint}")


def _listed(titles: Sequence[str]) -> str:
    return "; ".join(titles[: 2 * _MOST_SUGGESTIONS])


def _names(title: str) -> _Names:
    text = " ".join(title.split())
    match = _YEAR.search(text)
    year = int(match.group(1)) if match else None
    whole = text[: match.start()] if match else text
    others = [name for name in _OTHER_NAME.findall(whole) if name.strip()]
    main = _OTHER_NAME.sub("", whole)
    return _Names(
        levels=(
            frozenset({_fold(whole)}),
            frozenset({_fold(main)}),
            frozenset(_fold(name) for name in others),
            frozenset({_ARTICLE.sub("", _fold(main))}),
        ),
        year=year,
    )


def _fold(name: str) -> str:
    """Lower case, without accents, the article in front, single spaces."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    plain = " ".join(plain.split()).removeprefix(_ALSO_KNOWN_AS)
    match = _MOVED_ARTICLE.match(plain)
    if match:
        joint = "" if match["article"].endswith("'") else " "
        plain = f"{match['article']}{joint}{match['name']}"
    return plain
