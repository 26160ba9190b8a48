"""A state that takes in one event at a time against the form that reads whole histories."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from modules.models.encoders.base import RecurrentEncoder, build_encoder
from modules.models.history import History
from pipeline.config.model import EncoderConfig, LruConfig

ENCODERS: list[EncoderConfig] = [LruConfig(layers=2)]


@pytest.mark.parametrize("config", ENCODERS, ids=repr)
def test_step_by_step_gives_the_contexts_of_the_whole_history(config: EncoderConfig) -> None:
    encoder = build_encoder(config, dim=6, history_length=9, dropout=0.3)
    assert isinstance(encoder, RecurrentEncoder)
    random = np.random.default_rng(1)
    for weight in encoder.trainable_variables:
        weight.assign(weight + random.normal(0, 0.3, weight.shape))
    items = tf.constant(random.normal(size=(2, 9, 6)).astype(np.float32))
    whole = encoder(History(items, tf.ones([2, 9, 1])))
    state = encoder.start(2)
    for event in range(9):
        state, context = encoder.step(state, items[:, event])
        np.testing.assert_allclose(context, whole[:, event], atol=1e-5)
    np.testing.assert_allclose(context, encoder.last(History(items, tf.ones([2, 9, 1]))), atol=1e-5)
