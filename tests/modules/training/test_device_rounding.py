"""Matrices in training as a device will have them."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.tflite_converter.codes import encode_closest
from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.training.batches import Batch
from modules.training.device_rounding import DeviceRounding
from modules.training.distribution import OneDevice
from modules.training.losses.full_softmax import FullSoftmax
from modules.training.optimizer import build_optimizer
from modules.training.update import Updater
from pipeline.config.model import MixerConfig, ModelConfig
from tests.modules.training.planted import HISTORY, MOVIES, train, training_config

MIXER = MixerConfig(blocks=2, heads=2, attention_blocks=1, shared_weights=True)


def weights() -> list[keras.Variable]:
    return [
        keras.Variable(np.zeros((3, 2), np.float32), name="kernel"),
        keras.Variable(np.ones(3, np.float32), name="gain"),
        keras.Variable(np.zeros((3, 2), np.float32), name="items"),
    ]


def test_each_output_is_rounded_by_a_step_of_its_own() -> None:
    matrix = np.array([[1.0, 300.0], [-1.0, 0.0], [0.1, -40.0]], np.float32)
    rounded, gain, items = DeviceRounding(weights(), 4).of_arrays(
        [matrix, np.full(3, 2.0, np.float32), matrix]
    )
    # Root mean squares .8185 and 174.7, of which .352 is a step; 300 is cut off at 7 steps.
    steps = np.array([0.28813, 61.507])
    codes = np.array([[3, 5], [-3, 0], [0, -1]])
    np.testing.assert_allclose(rounded, codes * steps, rtol=1e-4)
    np.testing.assert_array_equal(gain, 1)
    np.testing.assert_array_equal(items, matrix)


def test_gradients_pass_to_matrices_and_not_to_what_is_folded_into_them() -> None:
    values = [tf.random.stateless_normal(shape, (1, 2)) for shape in ((3, 2), (3,), (3, 2))]
    with tf.GradientTape() as tape:
        tape.watch(values)
        found = DeviceRounding(weights(), 4)(values)
        loss = tf.add_n([tf.reduce_sum(value * 5) for value in found])
    to_matrix, to_gain, to_items = tape.gradient(loss, values)
    np.testing.assert_array_equal(to_matrix.numpy(), 5)
    assert to_gain is None
    np.testing.assert_array_equal(to_items.numpy(), 5)


def test_without_bits_all_is_as_it_was() -> None:
    values = [tf.random.stateless_normal(shape, (1, 2)) for shape in ((3, 2), (3,), (3, 2))]
    for value, same in zip(values, DeviceRounding(weights(), None)(values), strict=True):
        assert same is value


@pytest.mark.thorough
def test_what_is_rounded_is_the_last_matrix_and_of_other_weights_the_average() -> None:
    """An average of matrices would be rounded to what training never computed with."""
    keras.utils.set_random_seed(3)
    model = Recommender(ModelConfig(encoder=MIXER, dim=4), history_length=3, movies=MOVIES)
    config = training_config(weight_bits=4, ema_decay=0.9)
    optimizer = build_optimizer(config.optimizer, 10)
    updater = Updater(model, optimizer, FullSoftmax(16), config, OneDevice(1), seed=1)
    batch = Batch(
        Context(np.array([[[1, 2, 3]]], np.int32)),
        np.full((1, 1), 2, np.int32),
        np.array([[[4]]], np.int32),
        np.ones((1, 1, 1), np.float32),
        None,
    )
    for step in range(8):
        updater(batch, step)
    weights = model.trainable_variables
    last = [weight.numpy() for weight in weights]
    rounded = DeviceRounding(weights, 4).of_arrays(last)
    averaged = updater.averaged_weights()
    for place, weight in enumerate(weights):
        if weight.name == "kernel":
            np.testing.assert_array_equal(averaged[place], rounded[place])
            assert not np.array_equal(averaged[place], last[place])
    items = next(place for place, weight in enumerate(weights) if "item" in weight.path)
    np.testing.assert_array_equal(averaged[items], updater.averages[items].numpy())
    assert not np.array_equal(averaged[items], last[items])


@pytest.mark.thorough
def test_a_trained_encoder_is_not_rounded_again(tmp_path: Path) -> None:
    plain, _ = train(tmp_path / "plain", training_config(), encoder=MIXER)
    rounded, history = train(tmp_path / "rounded", training_config(weight_bits=4), encoder=MIXER)
    model = Recommender(ModelConfig(encoder=MIXER, dim=8), history_length=HISTORY, movies=MOVIES)
    names = [weight.name for weight in model.trainable_variables]
    assert names.count("kernel") > 4
    apart = []
    for name, ours, others in zip(names, rounded, plain, strict=True):
        if name == "kernel":
            codes = encode_closest(ours.T, 4, axis=0)
            np.testing.assert_allclose(codes.restored().T, ours, atol=1e-6)
            apart.append(np.abs(encode_closest(others.T, 4, axis=0).restored().T - others).max())
        elif name in {"gain", "mixed_gain"}:
            np.testing.assert_array_equal(ours, 1)
    assert min(apart) > 1e-3
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
