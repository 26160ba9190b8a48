from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.models.user_features import UserFeatures
from modules.serving_inputs import further_inputs
from modules.user_attributes import ATTRIBUTES, CATEGORIES, category_id
from pipeline.config.model import ModelConfig, UserFeaturesConfig

IDS = np.array([[0, 3, 4], [1, 2, 5]], np.int32)
# A woman of 25 to 34, of whom the occupation is not known; of the other user, it alone is.
USERS = np.array([[1, 3, 0], [0, 0, 21]], np.int32)


def random_features(**reads: bool) -> UserFeatures:
    layer = UserFeatures(UserFeaturesConfig.model_validate(reads), dim=4)
    random = np.random.default_rng(3)
    for weight in layer.trainable_variables:
        weight.assign(random.normal(0, 1, weight.shape))
    return layer


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        ("user_gender", "F", 1),
        ("user_gender", "M", 2),
        ("user_gender", None, 0),
        ("user_age", 0, 0),
        ("user_age", 1, 1),
        ("user_age", 17, 1),
        ("user_age", 18, 2),
        ("user_age", 55, 6),
        ("user_age", 56, 7),
        ("user_age", 99, 7),
        ("user_occupation", "other", 1),
        ("user_occupation", "writer", 21),
        ("user_occupation", "salesman", 0),
    ],
)
def test_categories_have_fixed_numbers(
    attribute: str, value: str | int | None, expected: int
) -> None:
    assert category_id(attribute, value) == expected


def test_the_categories_are_those_of_movielens_1m() -> None:
    assert ATTRIBUTES == ("user_gender", "user_age", "user_occupation")
    assert [len(CATEGORIES[name]) for name in ATTRIBUTES] == [2, 7, 21]
    assert CATEGORIES["user_age"] == (
        "1 to 17", "18 to 24", "25 to 34", "35 to 44", "45 to 49", "50 to 55", "56 and more",
    )  # fmt: skip


def test_rows_of_the_known_categories_are_added_up() -> None:
    layer = random_features(gender=True, age=True, occupation=True)
    gender, age, occupation = (weight.numpy() for weight in layer.trainable_variables)
    added = layer(USERS).numpy()
    assert added.shape == (2, 1, 4)
    np.testing.assert_allclose(added[0, 0], gender[0] + age[2], rtol=1e-6)
    np.testing.assert_allclose(added[1, 0], occupation[20], rtol=1e-6)


def test_what_is_not_read_or_not_known_adds_nothing() -> None:
    layer = random_features(age=True)
    (age,) = (weight.numpy() for weight in layer.trainable_variables)
    np.testing.assert_array_equal(layer(USERS).numpy()[1], 0)
    np.testing.assert_allclose(layer(USERS).numpy()[0, 0], age[2], rtol=1e-6)
    np.testing.assert_array_equal(layer(np.array([[0, 8, 0], [0, -1, 0]], np.int32)).numpy(), 0)


def test_a_context_without_users_is_refused() -> None:
    with pytest.raises(ValueError, match="the context needs them"):
        random_features(gender=True)(None)


def test_the_vector_joins_every_event_and_no_padding() -> None:
    keras.utils.set_random_seed(1)
    config = ModelConfig.model_validate(
        {"encoder": {"name": "bow"}, "dim": 4, "user_features": {"gender": True, "age": True}}
    )
    model = Recommender(config, history_length=3, movies=6)
    plain = model(Context(IDS, user=np.zeros_like(USERS))).numpy()
    np.testing.assert_array_equal(model(Context(IDS, user=USERS)), plain)

    layer = next(part for part in model.layers if part.name == "user_features")
    for weight in layer.trainable_variables:
        weight.assign(np.full(weight.shape, len(weight.shape), np.float32))
    # A mean of item vectors moves by what is added to each: twice 2.
    moved = model(Context(IDS, user=USERS)).numpy() - plain
    np.testing.assert_allclose(moved[0, 1:], 4, rtol=1e-5)
    np.testing.assert_array_equal(moved[0, 0], 0)
    np.testing.assert_array_equal(moved[1], 0)
    np.testing.assert_allclose(
        model.encode_last(Context(IDS, user=tf.constant(USERS))),
        model(Context(IDS, user=USERS))[:, -1],
        rtol=1e-5,
    )


def test_the_served_model_asks_for_what_it_reads_alone() -> None:
    config = ModelConfig.model_validate({"user_features": {"gender": True, "occupation": True}})
    gender, occupation = further_inputs(config)
    assert (gender.name, gender.column) == ("user_gender", "user_gender_id")
    assert gender.categories == ("F", "M")
    assert occupation.name == "user_occupation"
    assert occupation.shape(50) == (None, 1)
    assert further_inputs(ModelConfig()) == ()
