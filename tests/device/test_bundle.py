"""A runtime takes a whole bundle that it understands, and nothing else."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocketrec_device import BudgetError, Bundle, BundleError, Recommender
from tests.device import toy


@pytest.fixture
def copy(toy_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_bundle, tmp_path / "copy"))


def edit_manifest(bundle: Path, change: Callable[[Any], object]) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def replace_file(bundle: Path, name: str, content: bytes) -> None:
    """Replaces a file and its digest: the bundle is whole, but says something else."""
    (bundle / name).write_bytes(content)
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    edit_manifest(bundle, lambda manifest: manifest["files"].update({name: entry}))


def test_a_whole_bundle_is_read(toy_bundle: Path) -> None:
    bundle = Bundle.load(toy_bundle)
    bundle.verify()
    assert bundle.manifest.history_length == toy.LENGTH
    assert bundle.manifest.top_k == toy.TOP_K
    assert sorted(bundle.manifest.variants) == ["float32", "int8"]
    assert bundle.movies == toy.movies()
    assert bundle.vocabulary_id(toy.raw_id(3)) == 3
    assert bundle.vocabulary_id(999_999) == 0
    assert bundle.model("float32") != bundle.model() == bundle.model("int8")


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle.*manifest\.json"):
        Bundle.load(tmp_path)


def test_a_cut_manifest_is_refused(copy: Path) -> None:
    path = copy / "manifest.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(BundleError, match="not valid JSON"):
        Bundle.load(copy)


def delete(*keys: str | int) -> Callable[[Any], None]:
    def change(manifest: Any) -> None:
        for key in keys[:-1]:
            manifest = manifest[key]
        del manifest[keys[-1]]

    return change


def put(value: object, *keys: str | int) -> Callable[[Any], None]:
    def change(manifest: Any) -> None:
        for key in keys[:-1]:
            manifest = manifest[key]
        manifest[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("other", "format"), "format is 'other'"),
        (put(3, "format_version"), "format_version is 3; this runtime reads 1 and 2: use a"),
        (put("7", "top_k"), "top_k is '7', must be an integer"),
        (put(0, "history", "length"), r"history\.length is 0, must be at least 1"),
        (put("both", "history", "padding"), r"history\.padding is 'both'"),
        (delete("bundle_id"), "bundle_id is missing"),
        (delete("history", "min_rating"), r"history\.min_rating is missing"),
        (put("int4", "default_variant"), "default_variant is 'int4'"),
        (put("predict", "signature", "name"), "signature is 'predict'"),
        (put("int64", "signature", "inputs", 0, "dtype"), "dtype is 'int64'.*understands 'int32'"),
        (put([1, 10], "signature", "inputs", 0, "shape"), r"shape is \[1, 10\]"),
        (put("newest_first", "signature", "inputs", 0, "order"), "order is 'newest_first'"),
        (put(-1, "signature", "inputs", 0, "padding", "id"), r"padding\.id is -1"),
        (put("scores", "signature", "outputs", 1, "name"), "'top_prediction_scores' is missing"),
        (put("../x.tflite", "variants", "int8"), "'../x.tflite' is referred to but not listed"),
        (delete("files", "catalogue.json"), "'catalogue.json' is referred to but not listed"),
        (put("abc", "files", "int8.tflite", "sha256"), "must be 64 hex digits"),
        (
            put({"sha256": "0" * 64, "bytes": 1}, "files", "../../passwd"),
            "points outside of the bundle",
        ),
    ],
)
def test_what_is_not_understood_is_refused(
    copy: Path, change: Callable[[Any], None], message: str
) -> None:
    edit_manifest(copy, change)
    with pytest.raises(BundleError, match=message):
        Bundle.load(copy)


def test_an_input_that_the_runtime_cannot_feed_is_refused(copy: Path) -> None:
    def add_mood(manifest: Any) -> None:
        mood = {**manifest["signature"]["inputs"][0], "name": "context_mood"}
        manifest["signature"]["inputs"].append(mood)

    edit_manifest(copy, add_mood)
    with pytest.raises(BundleError, match=r"context_mood.*runtime as new as the bundle"):
        Bundle.load(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("int32", "signature", "inputs", 1, "dtype"), "dtype is 'int32'.*'float32'"),
        (put([-1, 1], "signature", "inputs", 2, "shape"), r"shape is \[-1, 1\].*\[-1, 10\]"),
        (put([-1, 10], "signature", "inputs", 3, "shape"), r"shape is \[-1, 10\].*\[-1, 1\]"),
        (put(-1, "signature", "inputs", 3, "unknown"), "unknown is -1"),
        (put(9, "signature", "inputs", 1, "padding", "value"), r"padding\.value is 9"),
        (delete("signature", "inputs", 2, "order"), "order is None"),
    ],
)
def test_a_further_input_that_is_not_understood_is_refused(
    tmp_path: Path, change: Callable[[Any], None], message: str
) -> None:
    bundle = toy.event_bundle(tmp_path)
    edit_manifest(bundle, change)
    with pytest.raises(BundleError, match=message):
        Bundle.load(bundle)


@pytest.mark.parametrize("name", ["vocabulary.json", "catalogue.json"])
def test_a_changed_byte_is_found_at_load(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[10] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}: sha256 is .*fetch the bundle again"):
        Bundle.load(copy)


@pytest.mark.parametrize("name", ["int8.tflite", "model_card.md", "android/config.json"])
def test_a_changed_byte_is_found_when_the_file_is_read(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    bundle = Bundle.load(copy)
    with pytest.raises(BundleError, match=f"{name}: sha256 is "):
        bundle.read(name)
    with pytest.raises(BundleError, match=f"{name}: sha256 is "):
        bundle.verify()


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "float32.tflite").unlink()
    with pytest.raises(BundleError, match=r"float32\.tflite: cannot be read"):
        Bundle.load(copy).model("float32")


def test_gzipped_models_are_unzipped_when_they_are_read(toy_bundle: Path, tmp_path: Path) -> None:
    plain, gzipped = Bundle.load(toy_bundle), Bundle.load(toy.gzipped_bundle(tmp_path))
    gzipped.verify()
    assert dict(gzipped.manifest.variants) == {
        "float32": "float32.tflite.gz",
        "int8": "int8.tflite.gz",
    }
    assert gzip.decompress(gzipped.read("int8.tflite.gz")) == gzipped.model("int8")
    ids = [toy.raw_id(number) for number in (3, 9)]
    for variant in ("float32", "int8"):
        answers = [Recommender(one, variant).recommend(ids) for one in (plain, gzipped)]
        assert answers[0] == answers[1]


def test_a_budget_counts_gzipped_bytes(tmp_path: Path) -> None:
    bundle = Bundle.load(toy.gzipped_bundle(tmp_path))
    size = (bundle.path / "int8.tflite.gz").stat().st_size
    assert size < len(bundle.model("int8"))
    assert bundle.best_variant(size) == "int8"
    with pytest.raises(BudgetError, match="no variant keeps to"):
        bundle.best_variant(size - 1)


def test_a_model_that_is_no_gzip_file_is_refused(tmp_path: Path) -> None:
    bundle = toy.gzipped_bundle(tmp_path)
    replace_file(bundle, "int8.tflite.gz", (bundle / "int8.tflite.gz").read_bytes()[:-3])
    with pytest.raises(BundleError, match=r"int8.tflite.gz: not a gzip file \(it is cut off\)"):
        Bundle.load(bundle).model()


def test_titles_that_are_one_place_off_are_refused(copy: Path) -> None:
    ids = [movie.movie_id for movie in toy.movies()]
    replace_file(copy, "vocabulary.json", json.dumps(ids[1:] + ids[:1]).encode())
    with pytest.raises(BundleError, match="disagree on the order of movies"):
        Bundle.load(copy)


def test_a_catalogue_with_a_gap_is_refused(copy: Path) -> None:
    catalogue = json.loads((copy / "catalogue.json").read_text())
    replace_file(copy, "catalogue.json", json.dumps(catalogue[1:]).encode())
    with pytest.raises(BundleError, match="entry 1 has id 2"):
        Bundle.load(copy)


def test_an_unknown_variant_is_named_with_those_there_are(toy_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"no variant 'int4'.*\['float32', 'int8'\]"):
        Bundle.load(toy_bundle).model("int4")
