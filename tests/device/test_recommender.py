"""The runtime's answers on a model that counts on: after movie i come i + 1, i + 2, ..."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pocketrec_device import Bundle, BundleError, HistoryError, Recommender, TitleError
from tests.device import toy


@pytest.fixture(scope="module")
def recommender(toy_bundle: Path) -> Recommender:
    return Recommender(Bundle.load(toy_bundle), "float32")


def numbers(recommender: Recommender, history: list[int], k: int = 10, **more: object) -> list[int]:
    """Recommends in the model's own numbers; an unknown movie is 0."""
    raw = [toy.raw_id(number) if number else 999_999 for number in history]
    found = recommender.recommend(raw, k, **more)  # type: ignore[arg-type]
    return [recommender.bundle.vocabulary_id(movie.movie_id) for movie in found]


def test_the_movies_after_the_last_one_come_best_first(recommender: Recommender) -> None:
    found = recommender.recommend([toy.raw_id(1), toy.raw_id(2)], k=3)
    assert [(movie.movie_id, movie.title, movie.score) for movie in found] == [
        (toy.raw_id(3), "Heat (1995)", -1.0),
        (toy.raw_id(4), toy.TITLES[3], -2.0),
        (toy.raw_id(5), toy.TITLES[4], -3.0),
    ]


def test_unknown_ids_are_skipped(recommender: Recommender) -> None:
    assert numbers(recommender, [0, 2, 0], k=2) == [3, 4]


def test_what_was_watched_is_left_out(recommender: Recommender) -> None:
    watched = [toy.raw_id(11), "Film 13 (2000)", 999_999]
    assert numbers(recommender, [12, 10], k=3, watched=watched) == [14, 15, 16]


def test_all_of_a_long_history_is_left_out_though_the_model_sees_its_end(
    recommender: Recommender,
) -> None:
    # The model sees 21..30 and would offer 31..42 = 31..40, 1, 2.
    history = [1, 31, *range(21, 31)]
    assert len(history) == toy.LENGTH + 2
    assert numbers(recommender, history, k=12) == [*range(32, 41), 2]


def test_both_sides_of_padding_give_the_same_answer(recommender: Recommender) -> None:
    left = np.array([[0] * 7 + [3, 9, 5]], np.int32)
    right = np.array([[3, 9, 5] + [0] * 7], np.int32)
    for one, other in zip(recommender.rank(left), recommender.rank(right), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("padding", "expected"), [("left", [0] * 8 + [4, 5]), ("right", [4, 5] + [0] * 8)]
)
def test_short_histories_are_padded_on_the_manifests_side(
    tmp_path: Path, padding: str, expected: list[int]
) -> None:
    conversion = toy.source().conversion.model_copy(update={"padding": padding})
    recommender = Recommender(Bundle.load(toy.bundle(tmp_path, conversion=conversion)))
    encoded = recommender.encode([[4, 5], list(range(1, 13)), []])
    assert encoded.dtype == np.int32
    assert encoded.tolist() == [expected, list(range(3, 13)), [0] * 10]


def test_batches_answer_as_single_histories_do(recommender: Recommender) -> None:
    histories = recommender.encode([[1], [5, 7], list(range(1, 11))])
    ids, scores = recommender.rank(histories)
    assert ids.shape == scores.shape == (3, toy.TOP_K)
    for row in range(3):
        single_ids, single_scores = recommender.rank(histories[row : row + 1])
        np.testing.assert_array_equal(ids[row], single_ids[0])
        np.testing.assert_array_equal(scores[row], single_scores[0])


def test_the_gated_variant_is_the_default(toy_bundle: Path) -> None:
    recommender = Recommender(Bundle.load(toy_bundle))
    assert recommender.variant == "int8"
    assert numbers(recommender, [2], k=3) == [3, 4, 5]


def test_a_history_without_a_known_movie_is_refused(recommender: Recommender) -> None:
    with pytest.raises(HistoryError, match=r"0 movie\(s\) that the model knows, of 2 given"):
        numbers(recommender, [0, 0])


def test_a_bundle_may_ask_for_a_longer_history(tmp_path: Path) -> None:
    conversion = toy.source().conversion.model_copy(update={"min_history": 3})
    recommender = Recommender(Bundle.load(toy.bundle(tmp_path, conversion=conversion)))
    with pytest.raises(HistoryError, match="at least 3"):
        numbers(recommender, [1, 2])
    assert numbers(recommender, [1, 2, 3], k=1) == [4]


@pytest.mark.parametrize("k", [0, -1, toy.TOP_K + 1])
def test_an_impossible_k_is_refused(recommender: Recommender, k: int) -> None:
    with pytest.raises(HistoryError, match=f"k is {k}; this model returns 1 to {toy.TOP_K}"):
        numbers(recommender, [1], k=k)


def test_an_unknown_title_is_refused(recommender: Recommender) -> None:
    with pytest.raises(TitleError, match=r"no movie 'Haet'.*Heat"):
        recommender.recommend(["Haet"])


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    conversion = toy.source().conversion.model_copy(update={"history_length": 9})
    # Metadata cannot be checked on a model of another shape, so the manifest alone is changed.
    bundle = toy.bundle(tmp_path)
    text = (bundle / "manifest.json").read_text()
    manifest = json.loads(text)
    manifest["history"]["length"] = conversion.history_length
    manifest["signature"]["inputs"][0]["shape"] = [-1, 9]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"shape \[-1, 10\], the manifest promises \[-1, 9\]"):
        Recommender(Bundle.load(bundle))


def test_a_file_that_is_no_model_is_refused(toy_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(toy_bundle, tmp_path / "copy"))
    content = b"not a model"
    (bundle / "int8.tflite").write_bytes(content)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"]["int8.tflite"]["sha256"] = hashlib.sha256(content).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="variant 'int8' cannot be opened"):
        Recommender(Bundle.load(bundle))


def test_a_vocabulary_that_is_too_short_is_noticed(tmp_path: Path) -> None:
    source = toy.source()
    bundle = Bundle.load(toy.bundle(tmp_path))
    shorter = Bundle(bundle.path, bundle.manifest, source.movies[:5])
    with pytest.raises(BundleError, match="model and vocabulary do not belong together"):
        Recommender(shorter).recommend([toy.raw_id(3)])
