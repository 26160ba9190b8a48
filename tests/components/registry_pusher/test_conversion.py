"""The converter's artifact is read, or refused with the file's name."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from components.registry_pusher.catalogue import vocabulary_movies
from components.registry_pusher.conversion import read_conversion, read_movie_ids, read_variants
from modules.catalogue import CatalogueEntry
from pipeline.errors import RegistryError
from pocketrec_device.bundle import Movie


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    (tmp_path / "variants").mkdir()
    content = b"a model"
    (tmp_path / "variants" / "int8.tflite").write_bytes(content)
    (tmp_path / "movie_vocabulary.txt").write_text("260\n1\n")
    write(tmp_path, report(hashlib.sha256(content).hexdigest()))
    return tmp_path


def report(sha256: str) -> dict[str, Any]:
    return {
        "history": {"length": 10, "padding": "left", "min_history": 2, "min_rating": 3.5},
        "top_k": 100,
        "gated": "int8",
        "model": {"encoder": {"name": "cnn"}},
        "variants": {
            "int8": {"bytes": 7, "sha256": sha256, "top10_overlap": 0.98, "recall_at_10": None}
        },
    }


def write(folder: Path, value: object) -> None:
    (folder / "conversion.json").write_text(json.dumps(value))


def test_the_report_is_read(artifact: Path) -> None:
    conversion = read_conversion(artifact)
    assert conversion.history_length == 10
    assert conversion.padding == "left"
    assert conversion.min_history == 2
    assert conversion.min_rating == 3.5
    assert conversion.top_k == 100
    assert conversion.gated == "int8"
    assert conversion.variants["int8"].parity == {"top10_overlap": 0.98, "recall_at_10": None}
    assert read_variants(artifact, conversion) == {"int8": b"a model"}
    assert read_movie_ids(artifact) == [260, 1]


def test_inputs_beside_the_ids_are_read_and_old_reports_have_none(artifact: Path) -> None:
    assert read_conversion(artifact).further_inputs == ()
    said = json.loads((artifact / "conversion.json").read_text())
    write(artifact, {**said, "inputs": ["context_movie_id", "context_rating"]})
    assert read_conversion(artifact).further_inputs == ("context_rating",)
    for inputs in (["context_rating"], ["context_movie_id", "context_mood"]):
        write(artifact, {**said, "inputs": inputs})
        with pytest.raises(RegistryError, match=r"conversion\.json: .*inputs are .*others can be"):
            read_conversion(artifact)


def test_times_memory_and_what_was_not_made_are_read_where_they_are_told(artifact: Path) -> None:
    before = read_conversion(artifact)
    assert before.variants["int8"].latency_ms is None
    assert before.variants["int8"].memory_bytes is None
    assert before.not_made == {}
    said = json.loads((artifact / "conversion.json").read_text())
    said["variants"]["int8"].update({"latency_ms": 0.25, "memory_bytes": 65_536})
    write(artifact, {**said, "not_made": {"int4": "no such operator"}})
    conversion = read_conversion(artifact)
    assert conversion.variants["int8"].latency_ms == 0.25
    assert conversion.variants["int8"].memory_bytes == 65_536
    assert conversion.variants["int8"].parity == before.variants["int8"].parity
    assert conversion.not_made == {"int4": "no such operator"}
    write(artifact, {**said, "not_made": ["int4"]})
    with pytest.raises(RegistryError, match="not a conversion report"):
        read_conversion(artifact)


def test_a_report_without_a_key_is_refused(artifact: Path) -> None:
    write(artifact, {"top_k": 100})
    with pytest.raises(RegistryError, match=r"conversion\.json: not a conversion report.*history"):
        read_conversion(artifact)


def test_a_model_that_was_changed_after_its_conversion_is_refused(artifact: Path) -> None:
    conversion = read_conversion(artifact)
    (artifact / "variants" / "int8.tflite").write_bytes(b"another")
    with pytest.raises(RegistryError, match=r"int8\.tflite: sha256 is .* run the pipeline again"):
        read_variants(artifact, conversion)


def test_a_vocabulary_that_is_no_list_of_numbers_is_refused(artifact: Path) -> None:
    (artifact / "movie_vocabulary.txt").write_text("260\nToy Story\n")
    with pytest.raises(RegistryError, match=r"movie_vocabulary\.txt: not a vocabulary"):
        read_movie_ids(artifact)


CATALOGUE = {
    1: CatalogueEntry("Toy Story (1995)", ("Comedy",), 1995),
    260: CatalogueEntry("Star Wars (1977)", (), 1977),
    5: CatalogueEntry("Untitled", (), None),
}


def test_movies_follow_the_models_ids() -> None:
    assert vocabulary_movies([260, 1], [260, 1], [9, 4], CATALOGUE) == (
        Movie(1, 260, "Star Wars (1977)", (), 1977, 9),
        Movie(2, 1, "Toy Story (1995)", ("Comedy",), 1995, 4),
    )


def test_a_vocabulary_that_is_not_transforms_is_refused() -> None:
    with pytest.raises(RegistryError, match="titles would be wrong"):
        vocabulary_movies([1, 260], [260, 1], [9, 4], CATALOGUE)


def test_a_movie_that_is_not_listed_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"1 movies of the vocabulary.*the first is 7"):
        vocabulary_movies([260, 7], [260, 7], [9, 4], CATALOGUE)
