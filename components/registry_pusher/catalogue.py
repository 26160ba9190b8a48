"""Titles, genres and years for the model's vocabulary."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import tensorflow as tf

from modules import features
from pipeline.errors import RegistryError
from pocketrec_device.bundle import Movie


@dataclasses.dataclass(frozen=True)
class CatalogueEntry:
    """A listed movie.

    Attributes:
        title: As in the release.
        genres: As in the release.
        year: None where the title tells none.
    """

    title: str
    genres: tuple[str, ...]
    year: int | None


def read_catalogue(split_uri: str) -> dict[int, CatalogueEntry]:
    """Reads the catalogue split of ingestion's examples, by movie id.

    Args:
        split_uri: Folder of the split's gzipped TFRecord files.

    Raises:
        RegistryError: It holds no movie.
    """
    files = sorted(tf.io.gfile.glob(f"{split_uri.rstrip('/')}/*"))
    entries = {}
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        year = feature[features.YEAR].int64_list.value
        entries[int(feature[features.MOVIE_ID].int64_list.value[0])] = CatalogueEntry(
            title=feature[features.TITLE].bytes_list.value[0].decode(),
            genres=tuple(genre.decode() for genre in feature[features.GENRES].bytes_list.value),
            year=int(year[0]) if year else None,
        )
    if not entries:
        raise RegistryError(f"{split_uri}: the catalogue is empty; run the pipeline again")
    return entries


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
