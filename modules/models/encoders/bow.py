"""Bag of words: the mean of the history's item vectors, in no order."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from modules.models.dropout import Dropout
from modules.models.encoders.base import Encoder
from modules.models.history import History
from pipeline.config.model import BowConfig


class BowEncoder(Encoder):
    """A mean, then dense layers with a residual path around each pair of them."""

    def __init__(self, config: BowConfig, *, dim: int, dropout: float) -> None:
        super().__init__(name="bow")
        self._hidden = [
            (
                keras.layers.Dense(width, activation="silu", name=f"hidden_{i}"),
                keras.layers.Dense(dim, kernel_initializer="zeros", name=f"back_{i}"),
            )
            for i, width in enumerate(config.hidden)
        ]
        for width, (inner, outer) in zip(config.hidden, self._hidden, strict=True):
            inner.build((None, dim))
            outer.build((None, width))
        self._dropout = Dropout(dropout, site=1)
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        items, known, _ = history
        length = items.shape[1]
        # A product with a triangle of ones is a running sum, and much faster than a scan.
        before = tf.constant(np.tril(np.ones((length, length), np.float32)))
        total = tf.einsum("ij,bjd->bid", before, self._dropout(items, seed))
        count = tf.einsum("ij,bjd->bid", before, known)
        return self._dense(total / tf.maximum(count, 1.0))

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`."""
        items, known, _ = history
        count = tf.reduce_sum(known, axis=1)
        return self._dense(tf.reduce_sum(items, axis=1) / tf.maximum(count, 1.0))

    def _dense(self, values: tf.Tensor) -> tf.Tensor:
        for inner, outer in self._hidden:
            values = values + outer(inner(values))
        return values


def build(config: BowConfig, *, dim: int, history_length: int, dropout: float) -> BowEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    del history_length
    return BowEncoder(config, dim=dim, dropout=dropout)
