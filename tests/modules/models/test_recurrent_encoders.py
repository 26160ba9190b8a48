"""A state that takes in one event at a time against the form that reads whole histories."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from modules.models.encoders.base import RecurrentEncoder, build_encoder
from modules.models.history import History
from pipeline.config.model import EncoderConfig, GruConfig, LruConfig, LstmConfig

ENCODERS: list[EncoderConfig] = [LruConfig(layers=2), GruConfig(units=5), LstmConfig(units=5)]
LENGTH, DIM = 9, 6


def make_encoder(config: EncoderConfig) -> RecurrentEncoder:
    """An encoder whose every weight is random."""
    encoder = build_encoder(config, dim=DIM, history_length=LENGTH, dropout=0.3)
    assert isinstance(encoder, RecurrentEncoder)
    random = np.random.default_rng(1)
    for weight in encoder.trainable_variables:
        weight.assign(weight + random.normal(0, 0.3, weight.shape))
    return encoder


def make_history() -> History:
    items = np.random.default_rng(2).normal(size=(2, LENGTH, DIM)).astype(np.float32)
    return History(tf.constant(items), tf.ones([2, LENGTH, 1]))


def step_through(encoder: RecurrentEncoder, items: tf.Tensor) -> tf.Tensor:
    state, contexts = encoder.start(2), []
    for event in range(LENGTH):
        state, context = encoder.step(state, items[:, event])
        contexts.append(context)
    return tf.stack(contexts, axis=1)


@pytest.mark.parametrize("config", ENCODERS, ids=repr)
def test_step_by_step_gives_the_contexts_of_the_whole_history(config: EncoderConfig) -> None:
    encoder, history = make_encoder(config), make_history()
    contexts = step_through(encoder, history.items)
    np.testing.assert_allclose(encoder(history), contexts, atol=1e-5)
    np.testing.assert_allclose(encoder.last(history), contexts[:, -1], atol=1e-5)


@pytest.mark.parametrize("config", ENCODERS, ids=repr)
def test_gradients_are_those_of_the_steps(config: EncoderConfig) -> None:
    encoder, (items, known, _) = make_encoder(config), make_history()
    weights = [weight.value for weight in encoder.trainable_variables]
    wanted = tf.constant(np.random.default_rng(3).normal(size=items.shape).astype(np.float32))

    def gradients(whole: bool) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(items)
            contexts = encoder(History(items, known)) if whole else step_through(encoder, items)
            loss = tf.reduce_sum(wanted * tf.sin(contexts))
        found: list[tf.Tensor] = tape.gradient(loss, [items, *weights])
        return found

    expected = gradients(whole=False)
    for one, other in zip(tf.function(gradients)(whole=True), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
