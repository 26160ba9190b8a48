"""Titles, genres and years for the model's vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modules.catalogue import CatalogueEntry
from pipeline.errors import RegistryError
from pocketrec_device.bundle import Movie


def vocabulary_movies(
    model_movie_ids: Sequence[int],
    transform_movie_ids: Sequence[int],
    counts: Sequence[int],
    catalogue: Mapping[int, CatalogueEntry],
) -> tuple[Movie, ...]:
    """Returns the vocabulary's movies in the order of the model's ids.

    Args:
        model_movie_ids: Raw ids that travel with the model; the first has id 1.
        transform_movie_ids: The same from Transform.
        counts: Training events of each.
        catalogue: By raw id.

    Raises:
        RegistryError: The two vocabularies differ, or a movie is not in the catalogue.
    """
    if list(model_movie_ids) != list(transform_movie_ids):
        raise RegistryError(
            f"the model's vocabulary ({len(model_movie_ids)} movies) is not the one of Transform "
            f"({len(transform_movie_ids)} movies): titles would be wrong; run the pipeline again"
        )
    missing = [movie_id for movie_id in model_movie_ids if movie_id not in catalogue]
    if missing:
        raise RegistryError(
            f"{len(missing)} movies of the vocabulary are not in the catalogue, the first is "
            f"{missing[0]}; are model and examples of the same run?"
        )
    return tuple(
        Movie(
            id=position,
            movie_id=movie_id,
            title=catalogue[movie_id].title,
            genres=catalogue[movie_id].genres,
            year=catalogue[movie_id].year,
            count=count,
        )
        for position, (movie_id, count) in enumerate(
            zip(model_movie_ids, counts, strict=True), start=1
        )
    )
