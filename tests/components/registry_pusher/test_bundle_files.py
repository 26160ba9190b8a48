"""What a bundle holds, and that it is whole or does not exist."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from components.registry_pusher import bundle as bundle_module
from components.registry_pusher.bundle import bundle_files, write_bundle
from components.registry_pusher.conversion import VariantReport
from components.registry_pusher.embedding import METADATA_NAME, embed_manifest
from components.registry_pusher.signature import signature
from components.tflite_converter.flatbuffer import read_metadata
from pipeline.errors import RegistryError
from pocketrec_device import Bundle
from tests.device import toy


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.bundle(tmp_path_factory.mktemp("files"))


def read_manifest(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def test_every_file_is_listed_with_its_digest(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    on_disk = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert on_disk == {*manifest["files"], "manifest.json"}
    assert on_disk >= {
        "int8.tflite",
        "float32.tflite",
        "vocabulary.json",
        "catalogue.json",
        "metrics.json",
        "lineage.json",
        "model_card.md",
        "android/config.json",
        "android/sorted_movie_vocab.json",
        "android/movie_genre_vocab.txt",
    }
    for name, entry in manifest["files"].items():
        content = (bundle / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_the_manifest_says_how_an_evaluation_prepares_the_data(bundle: Path) -> None:
    assert read_manifest(bundle)["data"] == {
        "dataset": "sample",
        "min_ratings_per_movie": 5,
        "min_ratings_per_user": 5,
        "malformed": {"policy": "fail", "max_share": 0.001},
        "split": "leave_last_out",
        "generator": {"users": 600, "movies": 2000, "ratings": 60_000, "seed": 7},
    }


def test_the_same_model_makes_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    again = toy.bundle(tmp_path)
    for path in bundle.rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(bundle)).read_bytes() == path.read_bytes()


def test_the_bundles_id_is_of_the_model_not_of_the_run_nor_of_its_judge(
    bundle: Path, tmp_path: Path
) -> None:
    lineage = {"pipeline": "toy", "pipeline_run": "run-2", "artifacts": {}}
    other_run = toy.bundle(tmp_path / "run", lineage=lineage)
    judged_again = toy.bundle(
        tmp_path / "metrics", metrics={"overall": {"recall_at_10": 0.3, "ndcg_at_10": 0.1}}
    )
    other_data = toy.bundle(tmp_path / "data", dataset="ml-1m")
    bundle_id = Bundle.load(bundle).manifest.bundle_id
    assert (other_run / "lineage.json").read_bytes() != (bundle / "lineage.json").read_bytes()
    assert Bundle.load(other_run).manifest.bundle_id == bundle_id
    assert (judged_again / "metrics.json").read_bytes() != (bundle / "metrics.json").read_bytes()
    assert Bundle.load(judged_again).manifest.bundle_id == bundle_id
    assert Bundle.load(other_data).manifest.bundle_id != bundle_id


def test_gzipped_models_are_told_as_what_ships_and_what_runs(tmp_path: Path) -> None:
    folder = toy.gzipped_bundle(tmp_path)
    manifest = read_manifest(folder)
    assert manifest["format_version"] == 2
    assert manifest["variants"] == {"float32": "float32.tflite.gz", "int8": "int8.tflite.gz"}
    told, size = manifest["variant_figures"]["int8"], (folder / "int8.tflite.gz").stat().st_size
    assert told["file"] == "int8.tflite.gz"
    assert told["bytes"] == manifest["files"]["int8.tflite.gz"]["bytes"] == size
    assert told["unzipped_bytes"] == len(Bundle.load(folder).model("int8")) > size
    assert not (folder / "int8.tflite").exists()
    # TensorFlow's app maps its model into memory.
    (model,) = (folder / "android").glob("*.tflite")
    assert model.read_bytes()[4:8] == b"TFL3"


FURTHER = {"recall_at_10_float32": 0.26, "recall_change_from_float32_at_10": -0.01}
HEAD = {"recall_at_10": 0.5, "recall_at_10_float32": 0.52}


def test_the_manifest_tells_what_was_measured_of_each_variant(tmp_path: Path) -> None:
    conversion = toy.source().conversion
    reports = {
        "float32": conversion.variants["float32"],
        "int8": conversion.variants["int8"].model_copy(
            update={"latency_ms": 0.125, "memory_bytes": 70_000}
        ),
    }
    bundle = toy.bundle(
        tmp_path,
        conversion=conversion.model_copy(update={"variants": reports}),
        metrics={
            "overall": {"recall_at_10": 0.25, "ndcg_at_10": 0.1, **FURTHER},
            "popularity_segment=tail": {"recall_at_10": 0.125, "recall_at_10_float32": None},
            "popularity_segment=head": HEAD,
            "history_segment=1-9": HEAD,
        },
    )
    manifest = read_manifest(bundle)
    assert manifest["variant_figures"] == {
        "float32": {
            "file": "float32.tflite",
            "bytes": (bundle / "float32.tflite").stat().st_size,
            "unzipped_bytes": (bundle / "float32.tflite").stat().st_size,
            "memory_bytes": None,
            "latency_ms": None,
            "recall_at_10": 0.26,
            "recall_change_from_float32": 0.0,
            "recall_at_10_by_popularity": {"head": 0.52, "tail": None},
        },
        "int8": {
            "file": "int8.tflite",
            "bytes": (bundle / "int8.tflite").stat().st_size,
            "unzipped_bytes": (bundle / "int8.tflite").stat().st_size,
            "memory_bytes": 70_000,
            "latency_ms": 0.125,
            "recall_at_10": 0.25,
            "recall_change_from_float32": -0.01,
            "recall_at_10_by_popularity": {"head": 0.5, "tail": 0.125},
        },
    }
    assert list(manifest["variant_figures"]["int8"]["recall_at_10_by_popularity"]) == [
        "head",
        "tail",
    ]
    assert manifest["variants_left_out"] == {}
    assert manifest["variants"] == {"float32": "float32.tflite", "int8": "int8.tflite"}
    # Neither time nor memory nor recall is part of what the model is.
    plain = toy.bundle(tmp_path / "plain")
    assert Bundle.load(plain).manifest.bundle_id == manifest["bundle_id"]
    assert read_manifest(plain)["variant_figures"] != manifest["variant_figures"]


def test_what_is_left_out_stands_in_manifest_metrics_and_card(tmp_path: Path) -> None:
    conversion = toy.source().conversion
    float16 = VariantReport(bytes=5000, sha256="1" * 64, parity={}, latency_ms=0.5)
    conversion = conversion.model_copy(
        update={"variants": {**conversion.variants, "float16": float16}}
    )
    bundle = toy.bundle(
        tmp_path,
        conversion=conversion,
        left_out={"float16": "too bad", "int4": "the converter could not make it"},
        metrics={"overall": {"recall_at_10": 0.25, "ndcg_at_10": 0, "recall_at_10_float16": 0.1}},
    )
    manifest = read_manifest(bundle)
    assert manifest["variants_left_out"] == {
        "float16": "too bad",
        "int4": "the converter could not make it",
    }
    assert [*manifest["variants"]] == [*manifest["variant_figures"]] == ["float32", "int8"]
    assert not (bundle / "float16.tflite").exists()
    metrics = json.loads((bundle / "metrics.json").read_text("utf-8"))
    assert metrics["variants_left_out"] == {
        "float16": {
            "reason": "too bad",
            "bytes": 5000,
            "memory_bytes": None,
            "latency_ms": 0.5,
            "recall_at_10": 0.1,
            "recall_change_from_float32": None,
            "recall_at_10_by_popularity": {},
        },
        "int4": {"reason": "the converter could not make it"},
    }
    card = (bundle / "model_card.md").read_text("utf-8")
    assert "- float16: too bad\n- int4: the converter could not make it" in card
    everything = toy.bundle(tmp_path / "everything")
    assert "Left out" not in (everything / "model_card.md").read_text("utf-8")


def test_the_model_file_itself_says_what_it_is(bundle: Path) -> None:
    for name in ("int8", "float32"):
        payload = read_metadata((bundle / f"{name}.tflite").read_bytes(), METADATA_NAME)
        assert payload is not None
        contract = json.loads(payload)
        assert contract["variant"] == name
        assert contract["signature"]["inputs"][0]["shape"] == [-1, toy.LENGTH]
        vocabulary = (bundle / "vocabulary.json").read_bytes()
        assert contract["vocabulary"]["sha256"] == hashlib.sha256(vocabulary).hexdigest()


def test_a_model_that_answers_differently_after_embedding_is_not_shipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = toy.models()
    contract = {
        "signature": signature(toy.source().conversion),
        "vocabulary": {"size": toy.MOVIES},
    }
    monkeypatch.setattr(
        "components.registry_pusher.embedding.embed_metadata",
        lambda *_: models["int8"],
    )
    with pytest.raises(RegistryError, match="answers differently"):
        embed_manifest(models["float32"], contract)


def test_inputs_beside_the_ids_are_described_and_the_android_app_is_left_out(
    tmp_path: Path,
) -> None:
    bundle = toy.event_bundle(tmp_path)
    manifest = read_manifest(bundle)
    ids, rating, time, moment = manifest["signature"]["inputs"]
    assert ids == read_manifest(toy.bundle(tmp_path / "ids"))["signature"]["inputs"][0]
    per_event = {
        "shape": [-1, toy.LENGTH],
        "order": "oldest_first",
        "padding": {"value": 0, "like": "context_movie_id"},
        "unknown": 0,
    }
    assert "stars" in rating.pop("meaning")
    assert rating == {"name": "context_rating", "dtype": "float32", **per_event}
    assert "seconds since 1970 UTC" in time.pop("meaning")
    assert time == {"name": "context_timestamp", "dtype": "int32", **per_event}
    assert "moment" in moment.pop("meaning")
    assert moment == {
        "name": "request_timestamp", "dtype": "int32", "shape": [-1, 1], "unknown": 0,
    }  # fmt: skip
    assert not (bundle / "android").exists()
    assert "context_rating, context_timestamp, request_timestamp" in (
        bundle / "model_card.md"
    ).read_text("utf-8")
    Bundle.load(bundle).verify()


def test_the_card_shows_data_quality_sizes_and_limits(bundle: Path) -> None:
    card = (bundle / "model_card.md").read_text("utf-8")
    for words in (
        "Release: sample",
        "users: 600",
        "Encoder: lstm",
        "popularity_segment=head",
        "0.2500",
        "int8 (gated)",
        "## Limits",
        "## Use",
    ):
        assert words in card


def test_a_crash_leaves_no_bundle_and_the_next_try_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bundle"
    written: list[str] = []
    write = bundle_module._write

    def crash_at_the_manifest(path: Path, content: bytes) -> None:
        written.append(path.name)
        if path.name == "manifest.json":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(bundle_module, "_write", crash_at_the_manifest)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(toy.source(), target)
    assert written[-1] == "manifest.json"
    assert len(written) == len(bundle_files(toy.source())) + 1
    assert not target.exists()
    monkeypatch.undo()
    write_bundle(toy.source(), target)
    Bundle.load(target).verify()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_figure_that_is_no_number_is_not_written(tmp_path: Path) -> None:
    metrics = {"overall": {"recall_at_10": float("nan"), "ndcg_at_10": 0.1}}
    with pytest.raises(ValueError, match="not JSON compliant"):
        toy.bundle(tmp_path, metrics=metrics)
    assert not (tmp_path / "bundle").exists()
