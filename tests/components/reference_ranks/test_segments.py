from __future__ import annotations

import numpy as np

from components.reference_ranks.segments import TargetSegments
from modules.catalogue import CatalogueEntry

CATALOGUE = {
    7: CatalogueEntry("Alien", ("Horror", "Sci-Fi"), 1979),
    9: CatalogueEntry("Untold", (), None),
    8: CatalogueEntry("Toy Story", ("Animation",), 2000),
}


def test_a_target_has_all_genres_and_one_decade() -> None:
    segments = TargetSegments([8, 7], CATALOGUE)
    targets = np.array([2, 1, 2])
    assert segments.genres(targets) == [("Horror", "Sci-Fi"), ("Animation",), ("Horror", "Sci-Fi")]
    assert segments.decades(targets).tolist() == ["1970s", "2000s", "1970s"]


def test_what_nobody_knows_is_a_slice_of_its_own() -> None:
    """A target outside of the vocabulary, a movie without genres, one that is not listed."""
    segments = TargetSegments([9, 123], CATALOGUE)
    assert segments.genres(np.array([0, 1, 2])) == [("unknown",)] * 3
    assert segments.decades(np.array([0, 1, 2])).tolist() == ["unknown"] * 3
