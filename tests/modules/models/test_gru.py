from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from modules.models.encoders.gru import GruEncoder
from modules.models.gated_recurrence import gru_step
from modules.models.history import History
from pipeline.config.model import GruConfig


def test_a_step_by_hand() -> None:
    # Keep 1/2 and reset 3/4 as sigmoids of 0 and ln 3; candidate tanh(0.25 + 3/4 * 1) = tanh(1).
    driven = tf.constant([[0.0, np.log(3), 0.25]], tf.float32)
    carried = tf.constant([[0.0, 0.0, 1.0]])
    state, gates = gru_step(driven, carried, tf.constant([[0.2]]))
    np.testing.assert_allclose(gates, [[0.5, 0.75, np.tanh(1)]], atol=1e-6)
    np.testing.assert_allclose(state, [[0.1 + np.tanh(1) / 2]], atol=1e-6)


def test_gru_agrees_with_keras() -> None:
    encoder = GruEncoder(GruConfig(units=5), dim=6, dropout=0.0)
    random = np.random.default_rng(5)
    for weight in encoder.trainable_variables:
        weight.assign(weight + random.normal(0, 0.3, weight.shape))
    at = {weight.path: weight.numpy() for weight in encoder.trainable_variables}
    reference = keras.layers.GRU(5, return_sequences=True, reset_after=True)
    reference.build((None, 7, 6))
    # The order of gates is the same: update, reset, candidate.
    reference.set_weights(
        [
            at["inputs/kernel"],
            at["state/kernel"],
            np.stack([at["inputs/bias"], at["state/bias"]]),
        ]
    )
    items = tf.constant(random.normal(size=(2, 7, 6)).astype(np.float32))
    expected = reference(items).numpy() @ at["output/kernel"] + at["output/bias"]
    history = History(items, tf.ones([2, 7, 1]))
    np.testing.assert_allclose(encoder(history).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(encoder.last(history).numpy(), expected[:, -1], atol=1e-5)
