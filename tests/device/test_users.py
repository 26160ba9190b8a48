"""Attributes of users through the runtime, on a model whose answers can be told by hand."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules import user_attributes
from pipeline.cli.evaluate import _attributes
from pocketrec_device import Bundle, BundleError, HistoryError, Recommender
from pocketrec_device.evaluation import leave_last_out, target_ranks
from pocketrec_device.manifest import USER_INPUTS
from tests.device import toy


def user_models() -> dict[str, bytes]:
    """A model that recommends the movies from `gender + 10 * age` on."""
    import tensorflow as tf

    steps = -np.arange(toy.MOVIES + 1, dtype=np.float32)
    one = tf.TensorSpec([None, 1], tf.int32)

    class FromCategory(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, toy.LENGTH], tf.int32, "context_movie_id"),
                tf.TensorSpec(one.shape, tf.int32, "user_gender"),
                tf.TensorSpec(one.shape, tf.int32, "user_age"),
            ]
        )
        def recommend(
            self, context_movie_id: tf.Tensor, user_gender: tf.Tensor, user_age: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            first = tf.cast(user_gender + 10 * user_age, tf.float32)
            before = tf.cast(-tf.constant(steps) < first, tf.float32)
            history = tf.reduce_sum(tf.one_hot(context_movie_id, toy.MOVIES + 1), axis=1)
            scores = tf.constant(steps) - 1e3 * before
            scores -= 1e9 * (history + tf.one_hot([0], toy.MOVIES + 1))
            best, ids = tf.math.top_k(scores, k=toy.TOP_K)
            return {"top_prediction_ids": ids, "top_prediction_scores": best}

    module = FromCategory()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": module.recommend})
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return {"float32": content, "int8": content}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    conversion = toy.source().conversion.model_copy(
        update={"further_inputs": ("user_gender", "user_age")}
    )
    folder = tmp_path_factory.mktemp("users")
    return toy.bundle(folder, conversion=conversion, variants=user_models())


@pytest.fixture(scope="module")
def recommender(bundle: Path) -> Recommender:
    return Recommender(Bundle.load(bundle))


def first(recommender: Recommender, user: dict[str, Any] | None) -> int:
    """The first recommendation in the model's own number."""
    (found,) = recommender.recommend([toy.raw_id(40)], 1, user=user)
    return recommender.bundle.vocabulary_id(found.movie_id)


def test_the_manifest_lists_the_categories(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    _, gender, age = manifest["signature"]["inputs"]
    assert gender.pop("meaning").startswith("gender of the user")
    assert gender == {
        "name": "user_gender", "dtype": "int32", "shape": [-1, 1], "unknown": 0,
        "categories": ["F", "M"],
    }  # fmt: skip
    assert len(age["categories"]) == 7


def test_runtime_and_pipeline_name_the_same_attributes() -> None:
    assert USER_INPUTS == user_attributes.ATTRIBUTES


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (None, 1),
        ({"user_gender": None}, 1),
        ({"user_gender": "M"}, 2),
        ({"user_gender": 2, "user_age": "18 to 24"}, 22),
        ({"user_age": 3}, 30),
        # The model does not read it.
        ({"user_occupation": "writer"}, 1),
    ],
)
def test_words_and_numbers_reach_the_model(
    recommender: Recommender, user: dict[str, Any] | None, expected: int
) -> None:
    assert first(recommender, user) == expected


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"gender": "F"}, r"user\['gender'\]: there is no such input.*user_gender"),
        ({"user_gender": "female"}, r"user\['user_gender'\] is 'female'; must be one of.*'F'"),
        ({"user_gender": 3}, "is 3; must be"),
        ({"user_gender": -1}, "is -1; must be"),
        ({"user_gender": True}, "is True; must be"),
    ],
)
def test_what_is_no_category_is_refused(
    recommender: Recommender, user: dict[str, Any], message: str
) -> None:
    with pytest.raises(HistoryError, match=message):
        first(recommender, user)


def test_a_model_of_movies_alone_needs_no_user(toy_bundle: Path) -> None:
    assert first(Recommender(Bundle.load(toy_bundle)), {"user_gender": "F"}) == 1


def test_a_manifest_without_categories_is_refused(bundle: Path, tmp_path: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    del manifest["signature"]["inputs"][1]["categories"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="categories is missing"):
        Bundle.load(tmp_path)


def test_an_evaluation_tells_each_case_its_user(recommender: Recommender) -> None:
    # Three users; the second one makes no case.
    numbers = [[40, 2], [39], [38, 31]]
    ids = np.array([toy.raw_id(number) for user in numbers for number in user])
    cases = leave_last_out(
        recommender,
        np.array([0, 2, 3, 5]),
        ids,
        np.full(5, 4.0, np.float32),
        np.arange(1, 6),
        {"user_gender": np.array([2, 2, 0]), "user_age": np.array([0, 7, 3])},
    )
    assert cases.further["user_gender"].tolist() == [[2], [0]]
    # From 2 on: the first. From 30 on: the second.
    assert target_ranks(recommender, cases).tolist() == [1, 2]


def test_a_release_tells_its_users(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::10::5::100\n2::10::4::100\n")
    (tmp_path / "movies.dat").write_text("10::Ten (1990)::Drama\n")
    (tmp_path / "users.dat").write_text("1::F::56::20::12345\n2::M::1::0::12345\n")
    told = _attributes(str(tmp_path), [2, 1, 9])
    assert {name: ids.tolist() for name, ids in told.items()} == {
        "user_gender": [2, 1, 0],
        "user_age": [1, 7, 0],
        "user_occupation": [1, 21, 0],
    }
