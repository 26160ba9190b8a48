"""What kind of movie a target is: the slices of the evaluation that belong to the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from modules.catalogue import CatalogueEntry
from modules.evaluation.ranking import IntArray

UNKNOWN = "unknown"
"""A movie outside of the vocabulary, and one whose genre or year the release does not tell."""


class TargetSegments:
    """Genres and decades by vocabulary id.

    Args:
        movie_ids: The release's ids; entry i has vocabulary id i + 1.
        catalogue: The release's movies by its ids.
    """

    def __init__(self, movie_ids: Sequence[int], catalogue: Mapping[int, CatalogueEntry]) -> None:
        entries = [catalogue.get(movie_id) for movie_id in movie_ids]
        self._genres = [
            (UNKNOWN,),
            *((entry.genres if entry else ()) or (UNKNOWN,) for entry in entries),
        ]
        years = [entry.year if entry else None for entry in entries]
        self._decades = np.array(
            [UNKNOWN, *(UNKNOWN if year is None else f"{year // 10 * 10}s" for year in years)]
        )

    def genres(self, targets: IntArray) -> list[tuple[str, ...]]:
        """Returns the genres of each target, at least one entry each; int64 [batch] in."""
        return [self._genres[target] for target in targets.tolist()]

    def decades(self, targets: IntArray) -> npt.NDArray[np.str_]:
        """Returns the decade of each target's release: text [batch]."""
        return self._decades[targets]
