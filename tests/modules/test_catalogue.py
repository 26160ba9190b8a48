from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from components.movielens_example_gen.catalogue import Movie
from components.movielens_example_gen.examples import encode_movies
from modules.catalogue import CatalogueEntry, read_catalogue
from pipeline.errors import DataError


def test_it_reads_what_ingestion_writes(tmp_path: Path) -> None:
    movies = [
        Movie(3, "Amélie (2001)", ("Comedy", "Romance"), 2001),
        Movie(8, "Untitled", (), None),
    ]
    for number, movie in enumerate(movies):
        with tf.io.TFRecordWriter(str(tmp_path / f"part-{number}.gz"), options="GZIP") as writer:
            for record in encode_movies([movie]):
                writer.write(record)
    assert read_catalogue(f"{tmp_path}/") == {
        3: CatalogueEntry("Amélie (2001)", ("Comedy", "Romance"), 2001),
        8: CatalogueEntry("Untitled", (), None),
    }


def test_an_empty_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the catalogue is empty"):
        read_catalogue(str(tmp_path))
