"""Ratings and distances in time: buckets and rows by hand, and what is not known."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.models.event_features import (
    EventFeatures,
    rating_buckets,
    step_buckets,
    step_buckets_of_arrays,
)
from modules.models.history import Context
from modules.models.recommender import Recommender
from pipeline.config.event_features import EventFeaturesConfig
from pipeline.config.model import BowConfig, ModelConfig

START = 978_300_000
IDS = np.array([[0, 3, 5, 8]], np.int32)
RATINGS = np.array([[0, 4.5, 0, 1]], np.float32)
# Gaps of 0 and 5 seconds; the moment is two days, 172,800 seconds, after the last event.
TIMES = np.array([[0, START, START, START + 5, START + 5 + 172_800]], np.int32)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        (-7, 1), (0, 1), (1, 2), (2, 3), (3, 3), (4, 4), (7, 4), (8, 5), (60, 7), (3600, 13),
        (86_400, 18), (2**28 - 1, 29), (2**28, 30), (2**30, 30),
    ],
)  # fmt: skip
def test_buckets_of_seconds(seconds: int, bucket: int) -> None:
    time = np.array([[START, START + seconds]], np.int32)
    assert step_buckets(tf.constant(time)).numpy().tolist() == [[bucket]]


def test_unknown_times_have_no_bucket() -> None:
    time = tf.constant([[0, START, 0, START, START + 1]], tf.int32)
    assert step_buckets(time).numpy().tolist() == [[0, 0, 0, 2]]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.just(0), st.integers(0, 2**31 - 1)), min_size=2, max_size=9))
def test_buckets_are_the_same_with_and_without_tensorflow(moments: list[int]) -> None:
    time = np.array([moments], np.int32)
    np.testing.assert_array_equal(step_buckets(tf.constant(time)), step_buckets_of_arrays(time))


def test_buckets_of_ratings_are_half_stars() -> None:
    ratings = tf.constant([0, 0.5, 1, 3.5, 5, 7, -1])
    assert rating_buckets(ratings).numpy().tolist() == [0, 1, 2, 7, 10, 10, 0]


def make_features(**settings: object) -> EventFeatures:
    layer = EventFeatures(EventFeaturesConfig.model_validate(settings), dim=3)
    random = np.random.default_rng(4)
    for weight in layer.trainable_variables:
        weight.assign(random.normal(size=weight.shape))
    return layer


def row(layer: EventFeatures, name: str, bucket: int) -> npt.NDArray[np.float32]:
    (table,) = (weight for weight in layer.trainable_variables if weight.name == name)
    return np.asarray(table)[bucket - 1]


def test_rows_are_added_up_by_hand() -> None:
    layer = make_features(rating=True, gap=True, age=True)
    added = layer(Context(IDS, RATINGS, TIMES)).numpy()[0]
    expected = [
        np.zeros(3),
        row(layer, "rating", 9) + row(layer, "age", 1),
        row(layer, "gap", 1) + row(layer, "age", 4),
        row(layer, "rating", 2) + row(layer, "gap", 4) + row(layer, "age", 19),
    ]
    np.testing.assert_allclose(added, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["gap", "age"])
def test_each_feature_alone(name: str) -> None:
    layer = make_features(**{name: True})
    added = layer(Context(IDS, None, TIMES)).numpy()[0]
    buckets = {"gap": [0, 0, 1, 4], "age": [0, 1, 4, 19]}[name]
    expected = [row(layer, name, bucket) if bucket else np.zeros(3) for bucket in buckets]
    np.testing.assert_allclose(added, expected, atol=1e-6)


def test_what_is_not_known_adds_nothing() -> None:
    layer = make_features(rating=True, gap=True, age=True)
    nothing = Context(IDS, np.zeros_like(RATINGS), np.zeros_like(TIMES))
    np.testing.assert_array_equal(layer(nothing), np.zeros((1, 4, 3)))


def test_training_forgets_a_share_of_ratings_by_its_seed() -> None:
    layer = make_features(rating=True, rating_dropout=0.25)
    many = Context(np.ones((200, 50), np.int32), np.full((200, 50), 4, np.float32))
    one, again, other = (
        layer(many, tf.constant([9, draw])).numpy().any(axis=-1) for draw in (1, 1, 2)
    )
    assert 0.22 < 1 - one.mean() < 0.28
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert layer(many).numpy().any(axis=-1).all()


def test_a_context_without_what_is_read_is_refused() -> None:
    with pytest.raises(ValueError, match="reads the ratings"):
        make_features(rating=True)(Context(IDS, None, TIMES))
    with pytest.raises(ValueError, match="reads the times"):
        make_features(age=True)(Context(IDS, RATINGS))


def make_model(**features: object) -> Recommender:
    keras.utils.set_random_seed(3)
    config = ModelConfig.model_validate(
        {"encoder": BowConfig(), "dim": 6, "dropout": 0.0, "event_features": features}
    )
    return Recommender(config, history_length=4, movies=9)


def test_a_new_model_is_the_one_without_features() -> None:
    plain, featured = make_model(), make_model(rating=True, gap=True, age=True)
    np.testing.assert_array_equal(
        featured(Context(IDS, RATINGS, TIMES)), plain(Context(IDS, RATINGS, TIMES))
    )
    assert featured.count_params() - plain.count_params() == (10 + 30 + 30) * 6


def test_rows_join_the_item_vectors_and_padding_stays_zero() -> None:
    model = make_model(rating=True)
    table = next(weight for weight in model.trainable_variables if weight.name == "rating")
    table.assign(np.random.default_rng(1).normal(size=table.shape))
    # An app may leave something at the padding.
    context = Context(IDS, np.array([[5, 4.5, 0, 1]], np.float32))
    items = model.input_table.numpy()[IDS[0, 1:]] * np.sqrt(6)
    items[[0, 2]] += table.numpy()[[8, 1]]
    expected = items.mean(axis=0)
    np.testing.assert_allclose(model.encode_last(context).numpy()[0], expected, rtol=1e-5)


def test_every_table_learns() -> None:
    model = make_model(rating=True, gap=True, age=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(Context(IDS, RATINGS, TIMES)))
    names = [weight.name for weight in model.trainable_variables]
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    learnt = {
        name: np.flatnonzero(np.abs(gradient).sum(axis=1)).tolist()
        for name, gradient in zip(names, gradients, strict=True)
        if name in ("rating", "gap", "age")
    }
    assert learnt == {"rating": [1, 8], "gap": [0, 3], "age": [0, 3, 18]}
