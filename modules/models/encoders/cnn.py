"""Gated causal convolutions over the history."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from modules.models.dropout import Dropout
from modules.models.encoders.base import Encoder
from modules.models.history import History
from modules.models.layers import RmsNorm, shift_right
from pipeline.config.model import CnnConfig


class CnnEncoder(Encoder):
    """Residual blocks of a dilated causal convolution with a gated linear unit.

    The gate is that of Dauphin et al. (2017), the dilations those of WaveNet. A convolution is a
    product of the events it sees, side by side, with a matrix `[kernel * dim, 2 * dim]`: training
    takes it at all positions, the device only where the last position reaches.
    """

    def __init__(self, config: CnnConfig, *, dim: int, history_length: int, dropout: float) -> None:
        super().__init__(name="cnn")
        self._dim = dim
        # Oldest first. Taps that would reach before the history's start see nothing but zeros.
        self._offsets = [
            [
                tap * config.dilation_base**layer
                for tap in range(config.kernel - 1, -1, -1)
                if tap * config.dilation_base**layer < history_length
            ]
            for layer in range(config.layers)
        ]
        self._norms = [RmsNorm(dim, name=f"norm_{layer}") for layer in range(config.layers)]
        self._products = [
            keras.layers.Dense(2 * dim, name=f"convolution_{layer}")
            for layer in range(config.layers)
        ]
        for offsets, product in zip(self._offsets, self._products, strict=True):
            product.build((None, len(offsets) * dim))
        # Without it the residual path would score the last movie highest.
        self._output = keras.layers.Dense(dim, name="output")
        self._output.build((None, dim))
        self._dropouts = [Dropout(dropout, site=1 + layer) for layer in range(config.layers)]
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        items, known, _ = history
        values = items
        for layer, offsets in enumerate(self._offsets):
            inner = self._norms[layer](values) * known
            seen = tf.concat([shift_right(inner, offset) for offset in offsets], axis=-1)
            values = values + self._dropouts[layer](self._gate(layer, seen), seed)
        return self._output(values)

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`."""
        items, known, _ = history
        needed = self._needed_positions(items.shape[1])
        values, known = _pick(items, needed[0]), _pick(known, needed[0])
        for layer, offsets in enumerate(self._offsets):
            place = {position: index for index, position in enumerate(needed[layer])}
            outputs = needed[layer + 1]
            inner = self._norms[layer](values)
            # The items of padding are zero already, and stay so under the norm.
            if layer > 0:
                inner = inner * known
            taps = [
                place.get(position - offset, len(place))
                for position in outputs
                for offset in offsets
            ]
            # Positions before the history's start read the row of zeros behind the last one.
            if len(place) in taps:
                inner = tf.pad(inner, [[0, 0], [0, 1], [0, 0]])
            seen = tf.reshape(_pick(inner, taps), [-1, len(outputs), len(offsets) * self._dim])
            kept = [place[position] for position in outputs]
            values = _pick(values, kept) + self._gate(layer, seen)
            known = _pick(known, kept)
        # One position is left; a reshape is cheaper on the device than a slice.
        return self._output(tf.reshape(values, [-1, self._dim]))

    def _gate(self, layer: int, seen: tf.Tensor) -> tf.Tensor:
        value, gate = tf.split(self._products[layer](seen), 2, axis=-1)
        return value * tf.sigmoid(gate)

    def _needed_positions(self, length: int) -> list[list[int]]:
        """For each layer's input, and the output, the positions that the last one depends on."""
        needed = [[length - 1]]
        for offsets in reversed(self._offsets):
            reached = {
                position - offset
                for position in needed[0]
                for offset in (*offsets, 0)
                if position >= offset
            }
            needed.insert(0, sorted(reached))
        return needed


def _pick(values: tf.Tensor, positions: list[int]) -> tf.Tensor:
    """Selects positions of `[batch, history, dim]`; no operator at all where it is all of them."""
    if positions == list(range(values.shape[1])):
        return values
    return tf.gather(values, np.asarray(positions, np.int32), axis=1)


def build(config: CnnConfig, *, dim: int, history_length: int, dropout: float) -> CnnEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    return CnnEncoder(config, dim=dim, history_length=history_length, dropout=dropout)
