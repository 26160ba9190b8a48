"""What the catalogue says about the movies, as numbers that an item table can learn from.

A movie's row in a table is `items[movie] + values[movie] @ vectors`, with a learned vector a
genre and a learned vector a span of years. An export adds up once and keeps the sum: what a
device gets is one table, as large as without features.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from modules.catalogue import CatalogueEntry
from pipeline.config.model import ItemFeaturesConfig
from pipeline.errors import ConfigError

YEARS_A_SPAN = 5
"""Spans start at years that this divides: 1995 to 1999 is one."""

Columns = dict[str, npt.NDArray[np.float32]]


@dataclasses.dataclass(frozen=True)
class ItemFeatures:
    """Numbers of each movie of the vocabulary.

    Attributes:
        names: `[columns]`, what each column says, e.g. `genres Comedy` and `year 1995-1999`.
        values: float32 [movies + 1, columns]. A movie with n genres has 1/n at each of them; its
            span of years has 1. Row 0, padding, is zero; so are the genres, or the years, of a
            movie of which the catalogue does not tell them.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float32]

    def digest(self) -> str:
        """Returns a name for the content."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        digest.update(self.values.tobytes())
        return digest.hexdigest()[:16]


def build_item_features(
    config: ItemFeaturesConfig,
    movie_ids: Sequence[int],
    catalogue: Mapping[int, CatalogueEntry],
) -> ItemFeatures | None:
    """Lines the catalogue up with the vocabulary.

    Args:
        config: Which features there are.
        movie_ids: `[movies]`, the release's ids; entry i has vocabulary id i + 1.
        catalogue: By the release's id. A movie that is not in it has no features: zeros.

    Returns:
        A column each genre, and each span of years, that a movie of the vocabulary has, sorted;
        None where the configuration asks for nothing.

    Raises:
        ConfigError: A feature is asked for that the catalogue has for no movie.
    """
    if not config.any:
        return None
    listed = {
        row: catalogue[movie_id]
        for row, movie_id in enumerate(movie_ids, start=1)
        if movie_id in catalogue
    }
    rows = len(movie_ids) + 1
    columns: Columns = {}
    if config.genres:
        genres = {row: tuple(dict.fromkeys(entry.genres)) for row, entry in listed.items()}
        columns |= _columns("genres", genres, rows)
    if config.year:
        spans = {row: _span(entry.year) for row, entry in listed.items() if entry.year is not None}
        columns |= _columns("year", spans, rows)
    return ItemFeatures(tuple(columns), np.stack(list(columns.values()), axis=1))


def _span(year: int) -> tuple[str]:
    start = year // YEARS_A_SPAN * YEARS_A_SPAN
    return (f"{start}-{start + YEARS_A_SPAN - 1}",)


def _columns(key: str, words: Mapping[int, Iterable[str]], rows: int) -> Columns:
    """Returns float32 [rows] for each word: a row's words share a weight of 1."""
    found = sorted({word for some in words.values() for word in some})
    if not found:
        raise ConfigError(
            f"model.item_features.{key}: the catalogue tells none for any movie of the "
            f"vocabulary; set model.item_features.{key} to false"
        )
    columns = {word: np.zeros(rows, np.float32) for word in found}
    for row, some in words.items():
        own = tuple(some)
        for word in own:
            columns[word][row] = 1 / len(own)
    return {f"{key} {word}": column for word, column in columns.items()}
