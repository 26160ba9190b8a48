"""Reads the movies that a release lists, as ingestion wrote them: split `catalogue`."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from modules import features
from pipeline.errors import DataError


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
    """Reads the catalogue split of ingestion's examples, by the release's movie id.

    Args:
        split_uri: Folder of the split's gzipped TFRecord files.

    Raises:
        DataError: It holds no movie.
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
        raise DataError(f"{split_uri}: the catalogue is empty; run the pipeline again")
    return entries
