"""Every kind of item table inside a recommender: what it promises to all of them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules.models import serving
from modules.models.history import Context
from modules.models.recommender import Recommender
from pipeline.config.model import ModelConfig

MOVIES, LENGTH = 40, 5
TABLES: list[dict[str, Any]] = [
    {"name": "codebooks", "books": 4, "codes": 8},
    {"name": "codebooks", "books": 2, "codes": 8, "composition": "additive", "bits": 4},
    {"name": "codebooks", "books": 2, "codes": 8, "width": 6, "assignment": "teacher"},
    {"name": "dense"},
    {"name": "dense", "bits": 4},
    {"name": "dense", "width": 6},
    {"name": "dense", "bands": [{"width": 3, "bits": 4}, {"width": 5, "bits": 2}]},
    {
        "name": "dense",
        "bands": [
            {"width": 3, "bits": 4},
            {"width": 2, "bits": 4, "movies": 25},
            {"width": 1, "bits": 4, "movies": 22},
            {"width": 2, "bits": 2, "movies": 22},
        ],
    },
    {"name": "elastic", "blocks": 4},
    {"name": "elastic", "blocks": 3, "width": 6, "bits": 4},
    {"name": "semi_tensor", "rank": 8},
    {"name": "semi_tensor", "rank": 8, "width": 6, "bits": 4},
]


def make_model(table: dict[str, Any], **settings: Any) -> Recommender:
    keras.utils.set_random_seed(2)
    config = ModelConfig.model_validate(
        {"encoder": {"name": "mixer", "heads": 2}, "dim": 8, "item_table": table, **settings}
    )
    return Recommender(config, history_length=LENGTH, movies=MOVIES)


@pytest.mark.parametrize("scoring", ["dot", "cosine"])
@pytest.mark.parametrize(
    ("table", "tied"),
    [
        (table, tied)
        for table in TABLES
        for tied in (True, False)
        if tied or table["name"] != "elastic"
    ],
    ids=repr,
)
def test_the_served_graph_scores_as_training_does(
    table: dict[str, Any], tied: bool, scoring: str
) -> None:
    model = make_model(table, tied=tied, scoring=scoring)
    graph = serving.ServingGraph(model, top_k=10)
    histories = np.array([[0, 0, 3, 9, 4], [5, 6, 7, 8, 40]], np.int32)
    scores = model(Context(histories))[:, -1].numpy() @ model.scoring_table().numpy().T
    for history, row in zip(histories, scores, strict=True):
        row[[0, *history]] = -np.inf
    answers = graph.recommend(tf.constant(histories))
    best = np.sort(scores, axis=1)[:, :-11:-1]
    np.testing.assert_allclose(answers["top_prediction_scores"].numpy(), best, atol=1e-4)


@pytest.mark.parametrize("table", TABLES, ids=repr)
def test_every_weight_learns_and_padding_has_no_row(table: dict[str, Any]) -> None:
    model = make_model(table, scoring="cosine")
    context = Context(np.array([[1, 2, 3, 4, 5], [7, 8, 9, 10, 11]], np.int32))
    with tf.GradientTape() as tape:
        vectors = model(context)[:, -1]
        scores = tf.matmul(vectors, model.scoring_table(), transpose_b=True)
        loss = tf.reduce_sum(tf.nn.log_softmax(scores)[:, 20])
        # What scores do not reach, as centroids.
        added = model.regularisation()
        loss += 0.0 if added is None else added
    weights = model.trainable_variables
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        assert gradient is not None, weight.path
        assert np.abs(tf.convert_to_tensor(gradient).numpy()).max() > 0, weight.path
    np.testing.assert_array_equal(model.scoring_table().numpy()[0], 0)


def test_a_narrow_table_makes_narrow_contexts() -> None:
    model = make_model({"name": "dense", "width": 6})
    assert (model.width, model.scoring_table().shape[1]) == (6, 6)
    assert model.encode_last(Context(np.array([[0, 0, 0, 0, 3]], np.int32))).shape == (1, 6)


def test_a_name_alone_stands_for_its_defaults() -> None:
    config = ModelConfig.model_validate({"item_table": "semi_tensor"})
    assert (config.item_table.name, config.item_table.bits) == ("semi_tensor", None)


def test_features_of_movies_need_rows_of_their_own() -> None:
    with pytest.raises(ValueError, match="set item_table to dense"):
        ModelConfig.model_validate({"item_table": "semi_tensor", "item_features": {"year": True}})


def test_the_bound_of_scores_holds_for_rows_of_length_one_alone() -> None:
    assert make_model({"name": "dense"}, scoring="cosine").score_bound == 20
    assert make_model({"name": "dense", "bits": 4}, scoring="cosine").score_bound is None
    assert make_model({"name": "semi_tensor"}, scoring="cosine").score_bound is None


def test_bands_round_each_with_its_own_step() -> None:
    bands = [{"width": 3, "bits": 4}, {"width": 4, "bits": 2}]
    model = make_model({"name": "dense", "bands": bands})
    (weights,) = model.movie_tables
    weights.assign(weights * ([100.0] * 3 + [1.0] * 4))
    table = model.scoring_table().numpy()
    assert (model.width, table.shape) == (7, (MOVIES + 1, 7))
    codes = table[:, :3] / (np.abs(table[:, :3]).max() / 7)
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-4)
    assert np.abs(codes).max() > 0.5
    # Two bits have no zero: that of padding is not theirs.
    halves = table[1:, 3:] / (np.abs(table[:, 3:]).max() / 3)
    np.testing.assert_allclose(np.unique(np.round(halves, 4)), [-3, -1, 1, 3], atol=1e-4)
    np.testing.assert_array_equal(table[0], 0)
    assert table[:, :3].max() > 20 * table[:, 3:].max()


def test_a_band_of_few_movies_is_zero_for_others() -> None:
    bands = [{"width": 3, "bits": 4}, {"width": 2, "bits": 2, "movies": 5}]
    table = make_model({"name": "dense", "bands": bands}).scoring_table().numpy()
    assert np.abs(table[1:6, 3:]).min() > 0
    np.testing.assert_array_equal(table[6:, 3:], 0)
    assert np.abs(table[6:, :3]).max(axis=1).min() > 0
    # The step is that of the numbers which are there.
    alone = make_model({"name": "dense", "bands": [bands[0], {"width": 2, "bits": 2}]})
    (weights,) = alone.movie_tables
    weights.assign(weights * (np.arange(MOVIES + 1) <= 5)[:, np.newaxis])
    assert np.abs(table[1, 3]) > 2 * np.abs(alone.scoring_table().numpy()[1, 3])


def test_more_movies_than_there_are_are_all() -> None:
    bands = [{"width": 3, "bits": 4}, {"width": 2, "bits": 2}]
    all_ = make_model({"name": "dense", "bands": bands}).scoring_table().numpy()
    bands[1]["movies"] = 10_000
    np.testing.assert_array_equal(
        make_model({"name": "dense", "bands": bands}).scoring_table().numpy(), all_
    )


def test_the_first_band_holds_all_movies() -> None:
    with pytest.raises(ValueError, match="the first band must hold all movies"):
        ModelConfig.model_validate(
            {"item_table": {"name": "dense", "bands": [{"width": 8, "bits": 2, "movies": 9}]}}
        )


def test_bands_beside_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="set width and bits to null"):
        ModelConfig.model_validate(
            {"item_table": {"name": "dense", "bits": 4, "bands": [{"width": 8, "bits": 2}]}}
        )


@pytest.mark.parametrize(
    "table", [{"bits": 4}, {}, {"bands": [{"width": 8, "bits": 4}, {"width": 4, "bits": 8}]}]
)
def test_only_numbers_of_two_bits_are_stored_in_four(table: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="stored_bits 4 is for numbers of 2 bits"):
        ModelConfig.model_validate({"item_table": {"name": "dense", "stored_bits": 4, **table}})
