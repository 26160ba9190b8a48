"""Tables of groups, and block weights, of a small elastic model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from modules.models.item_tables.elastic import ElasticTable
from modules.models.item_tables.elastic_controller import BlockController, segment_features
from modules.models.item_tables.elastic_groups import (
    affinities,
    cluster,
    description,
    groups_of,
    user_vectors,
)
from modules.models.recommender import Recommender
from modules.training.checkpoint import CheckpointStore
from modules.training.fit import fit
from modules.training.refinement import refine
from tests.modules.training.planted import (
    MOVIES,
    planted_windows,
    small_model,
    training_config,
)


def make_model(**elastic: object) -> tuple[Recommender, ElasticTable]:
    table = {"name": "elastic", "blocks": 4, "segments": 3, **elastic}
    model = small_model(table, scoring="cosine")
    (found,) = model.item_tables
    assert isinstance(found, ElasticTable)
    return model, found


def refined(**elastic: object) -> tuple[Recommender, ElasticTable]:
    model, table = make_model(**elastic)
    refine(model, planted_windows(60), training_config(), seed=1)
    return model, table


REFINEMENT = {
    "epochs": 2,
    "learning_rate": 0.05,
    "controller_learning_rate": 0.05,
    "controller_windows": 3,
}


EAGER = {**REFINEMENT, "controller_learning_rate": 0.5}


def test_without_refinement_nothing_changes() -> None:
    (_, before), (_, after) = make_model(), refined()
    np.testing.assert_array_equal(before.rows(), after.rows())
    assert after.groups == ()


@pytest.mark.thorough
def test_one_group_is_everybody() -> None:
    (one, before), (model, after) = make_model(), refined(refinement=EAGER)
    assert np.abs(before.rows() - after.rows()).max() > 0.05
    assert not np.array_equal(before.shares, after.shares)
    # The encoder stays as it is, and learns again if training goes on.
    table = {variable.path for variable in after.trainable_variables}
    for old, new in zip(one.trainable_variables, model.trainable_variables, strict=True):
        if new.path not in table:
            np.testing.assert_array_equal(old, new)
    assert len(model.trainable_variables) == len(one.trainable_variables)
    assert after.groups == ()
    assert set(after.assets()) == {"elastic.npz"}


@pytest.mark.thorough
def test_each_group_gets_a_table_of_its_own() -> None:
    _, before = make_model()
    _, table = refined(groups=2, refinement=REFINEMENT)
    np.testing.assert_array_equal(before.rows(), table.rows())
    first, second = table.groups
    assert np.abs(first.weights - second.weights).max() > 0.05
    files = table.assets()
    assert len(files["groups.bin"]) == 2 * (MOVIES + 1)
    assert len(table.master().groups) == 3
    _, again = refined(groups=2, refinement=REFINEMENT)
    assert again.assets() == files


@pytest.mark.thorough
def test_a_block_of_noise_loses_its_weight(tmp_path: Path) -> None:
    model, table = make_model(full_share=1.0, refinement={**REFINEMENT, "learning_rate": 1e-9})
    config = training_config(max_epochs=20, ema_decay=None)
    store = CheckpointStore(tmp_path, "run")
    held_out = planted_windows(30, held_out=True)
    fit(model, planted_windows(150), held_out, config, seed=1, store=store, reporter=None)
    weights = table.snapshot().weights
    noise = np.random.default_rng(0).normal(0, np.abs(weights).mean(), (MOVIES + 1, 2))
    # The second block: two columns.
    weights[1:, 2:4] = noise[1:]
    table.take_over(dataclasses.replace(table.snapshot(), weights=weights))
    refine(model, planted_windows(150), config, seed=1)
    factors = (table.snapshot().weights[1:] / weights[1:]).reshape(MOVIES, 4, 2).mean(axis=2)
    np.testing.assert_allclose(factors.mean(axis=1), 1, atol=1e-4)
    means = factors.mean(axis=0)
    assert means[1] < 0.6
    assert means[1] == means.min()


@pytest.mark.thorough
def test_without_a_controller_the_order_stays() -> None:
    _, before = make_model()
    _, after = refined(refinement={**REFINEMENT, "controller_hidden": 0})
    np.testing.assert_array_equal(before.shares, after.shares)
    assert np.abs(before.rows() - after.rows()).max() > 0.05


def test_new_block_weights_are_one_and_learned_ones_have_that_mean() -> None:
    controller = BlockController(features=2, hidden=3, blocks=4, seed=0)
    features = tf.constant([[1.0, 0.5], [-1.0, 0.0]])
    np.testing.assert_allclose(controller(features), np.ones((2, 4)), rtol=1e-6)
    controller.variables[-1].assign([0.0, np.log(2), 0.0, 0.0])
    np.testing.assert_allclose(controller(features), [[0.8, 1.6, 0.8, 0.8]] * 2, rtol=1e-6)


def test_features_of_segments_by_hand() -> None:
    found = segment_features(np.exp([3.0, 1.0]), np.array([2.0, 2.0]))
    np.testing.assert_allclose(found, [[1, 0], [-1, 0]], atol=1e-6)


def test_a_device_tells_its_group_from_the_history() -> None:
    rows = np.array([[0, 0], [1, 0], [0.8, 0.6], [0, 1]], np.float32)
    histories = np.array([[0, 1, 2], [0, 3, 3], [0, 0, 1], [2, 3, 3]], np.int32)
    vectors = user_vectors(rows, histories)
    np.testing.assert_allclose(vectors[2], [1, 0])
    np.testing.assert_allclose(vectors[3], np.array([0.8, 2.6]) / np.hypot(0.8, 2.6))
    centroids = cluster(vectors, 2, seed=0)
    table = affinities(rows, centroids)
    assert table.shape == (4, 2)
    assert np.abs(table).max() == 127
    assert (table[0] == 0).all()
    found = groups_of(table, histories)
    assert (found[0], found[1]) == (found[2], found[3])
    assert set(found) == {1, 2}
    np.testing.assert_array_equal(found, 1 + np.argmax(vectors @ centroids.T, axis=1))
    assert description(2, 3)["shape"] == [4, 2]
