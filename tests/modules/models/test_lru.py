from __future__ import annotations

from math import erf, sqrt

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.encoders.lru import LruEncoder
from modules.models.history import History
from pipeline.config.model import LruConfig

Array = npt.NDArray[np.float64]


def test_one_block_is_the_papers_equations() -> None:
    tf.random.set_seed(2)
    encoder = LruEncoder(LruConfig(layers=1, expand=2, feed_forward=3), dim=2, dropout=0.0)
    random = np.random.default_rng(3)
    for weight in encoder.trainable_variables:
        weight.assign(weight + random.normal(0, 0.3, weight.shape))
    at = {weight.path: weight.numpy().astype(np.float64) for weight in encoder.trainable_variables}
    items = np.array([[0.5, -1.0], [2.0, 1.0], [-0.3, 0.1]])

    def norm(values: Array, name: str) -> Array:
        centred = values - values.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6)
        return scaled * at[f"{name}/gain"] + at[f"{name}/shift"]

    values = norm(items, "norm")
    decay = np.exp(-np.exp(at["block_0/log_rate"]) + 1j * np.exp(at["block_0/log_angle"]))
    enter = values @ at["enter_0/kernel"] + at["enter_0/bias"]
    driven = np.exp(at["block_0/log_gamma"]) * (enter[:, :4] + 1j * enter[:, 4:])
    # The real part of a complex product with C = real - i imaginary.
    leave = at["leave_0/kernel"][:4] - 1j * at["leave_0/kernel"][4:]
    state = np.zeros(4, np.complex128)
    contexts = []
    for event, entering in zip(values, driven, strict=True):
        state = decay * state + entering
        mixed = norm(event + (state @ leave).real + at["leave_0/bias"], "norm_0")
        inner = mixed @ at["inner_0/kernel"] + at["inner_0/bias"]
        inner = np.array([0.5 * x * (1 + erf(x / sqrt(2))) for x in inner])
        outer = inner @ at["outer_0/kernel"] + at["outer_0/bias"]
        contexts.append(norm(mixed + outer, "outer_norm_0"))

    history = History(tf.constant(items[None], tf.float32), tf.ones([1, 3, 1]))
    np.testing.assert_allclose(encoder(history).numpy()[0], contexts, atol=1e-5)
    np.testing.assert_allclose(encoder.last(history).numpy()[0], contexts[-1], atol=1e-5)


def test_decays_start_in_the_papers_ring_and_keep_the_size_of_a_state() -> None:
    tf.random.set_seed(1)
    encoder = LruEncoder(LruConfig(layers=1, expand=8), dim=16, dropout=0.0)
    at = {weight.path: weight.numpy() for weight in encoder.trainable_variables}
    radius = np.exp(-np.exp(at["block_0/log_rate"]))
    assert radius.min() >= 0.8 - 1e-5
    assert radius.max() <= 0.99 + 1e-5
    assert np.ptp(radius) > 0.15
    np.testing.assert_allclose(np.exp(at["block_0/log_gamma"]), np.sqrt(1 - radius**2), rtol=1e-3)
    assert np.ptp(np.exp(at["block_0/log_angle"])) > 5
