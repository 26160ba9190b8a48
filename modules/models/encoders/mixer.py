"""A positional mixer: learned weights of distances mix events, without queries or keys.

Blocks of two gated parts with a residual path around each. The first mixes events: instead of
attention's products of queries and keys it has a learned weight for every distance and head, as
FPARec (arXiv 2407.02793) and FuXi-beta (arXiv 2508.10615) found sufficient, in the gated form of
HSTU (arXiv 2402.17152). The second is a SwiGLU (Shazeer, 2020). On a device the mixing is a product
with static weights, the cheapest thing there is.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from modules.models.dropout import Dropout
from modules.models.encoders.base import Encoder
from modules.models.history import History
from modules.models.layers import RmsNorm, rms_scaled, small_values
from pipeline.config.model import MixerConfig
from pipeline.errors import ConfigError

# How fast the first and the last head forget at the start, per event.
_STEEPEST, _FLATTEST = 0.3, 0.005


class MixerEncoder(Encoder):
    """See the module.

    Nothing in it has a bias, so that padding on the left stays zero through all blocks.
    """

    def __init__(
        self, config: MixerConfig, *, dim: int, history_length: int, dropout: float
    ) -> None:
        super().__init__(name="mixer")
        width = config.feed_forward or 2 * dim
        self._blocks = [
            _Block(
                dim=dim,
                heads=config.heads,
                width=width,
                length=history_length,
                dropout=dropout,
                index=index,
            )
            for index in range(config.blocks)
        ]
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        # Time first: the mixing is then a plain matrix product for each head.
        values = tf.transpose(history.items, [1, 0, 2])
        for block in self._blocks:
            values = block.all_positions(values, seed)
        return tf.transpose(values, [1, 0, 2])

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`."""
        values = history.items
        for block in self._blocks[:-1]:
            values = block.on_device(values, last_only=False)
        return self._blocks[-1].on_device(values, last_only=True)


class _Block(keras.layers.Layer):
    """Mixing of events, then of features."""

    def __init__(
        self, *, dim: int, heads: int, width: int, length: int, dropout: float, index: int
    ) -> None:
        super().__init__(name=f"block_{index}")
        self._dim, self._heads, self._width = dim, heads, width
        self._distance = self.add_weight(
            shape=(heads, length), initializer="zeros", name="distance"
        )
        slopes = np.geomspace(_STEEPEST, _FLATTEST, heads)
        self._distance.assign(-slopes[:, None] * np.arange(length))
        self._norm = RmsNorm(dim, name="norm")
        self._gate_value = _dense(dim, 2 * dim, "gate_value")
        self._mixed_gain = self.add_weight(shape=(dim,), initializer="ones", name="mixed_gain")
        self._output = _dense(dim, dim, "output", initializer=small_values())
        self._norm_features = RmsNorm(dim, name="norm_features")
        self._features_in = _dense(dim, 2 * width, "features_in")
        self._features_out = _dense(width, dim, "features_out", initializer=small_values())
        self._drop_mixed = Dropout(dropout, site=1 + 2 * index)
        self._drop_features = Dropout(dropout, site=2 + 2 * index)
        self.built = True

    def all_positions(self, values: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Computes the block in training.

        Args:
            values: float32 [history, batch, dim], zeros before the first event.
            seed: int32 [2] of dropout, or None.

        Returns:
            float32 [history, batch, dim].
        """
        gate, value = tf.split(tf.nn.silu(self._gate_value(self._norm(values))), 2, axis=-1)
        length, depth = values.shape[0], self._dim // self._heads
        weights = self._weights(length)
        mixed = []
        for head, part in enumerate(tf.split(value, self._heads, axis=-1)):
            total = tf.matmul(weights[head], tf.reshape(part, [length, -1]))
            mixed.append(rms_scaled(tf.reshape(total, [length, -1, depth])))
        out = self._output(tf.concat(mixed, axis=-1) * self._mixed_gain * gate)
        values = values + self._drop_mixed(out, seed)
        return values + self._drop_features(self._mix_features(values), seed)

    def on_device(self, values: tf.Tensor, *, last_only: bool) -> tf.Tensor:
        """Computes the block for a left-padded batch with plain TFLite operators.

        Args:
            values: float32 [batch, history, dim], zeros at padding.
            last_only: Whether the last position alone is wanted.

        Returns:
            float32 [batch, history, dim], or [batch, dim].
        """
        length = values.shape[1]
        normed = rms_scaled(values)
        kernel = self._norm.gain[:, None] * self._gate_value.kernel
        value = tf.nn.silu(tf.matmul(normed, kernel[:, self._dim :]))
        if last_only:
            values, normed = values[:, length - 1 :], normed[:, length - 1 :]
        gate = tf.nn.silu(tf.matmul(normed, kernel[:, : self._dim]))
        mixed = self._convolved(value, last_only=last_only)
        # Gains are folded into the weights behind them.
        out_kernel = self._mixed_gain[:, None] * self._output.kernel
        values += tf.matmul(mixed * gate, out_kernel)
        in_kernel = self._norm_features.gain[:, None] * self._features_in.kernel
        inner = tf.matmul(rms_scaled(values), in_kernel)
        values += self._features_out(_gated(inner))
        return tf.reshape(values, [-1, self._dim]) if last_only else values

    def _convolved(self, value: tf.Tensor, *, last_only: bool) -> tf.Tensor:
        """Mixes events by a convolution over chunks of a history, and scales each head's sum.

        A weight that depends on distance alone makes a matrix `[history, history]` of `history`
        different numbers a head. A file would store all of them. Cut into chunks, the same product
        is a convolution over the chunks, whose kernel holds `history * chunk` numbers.

        Args:
            value: float32 [batch, history, dim], zeros at padding.
            last_only: Whether the last position alone is wanted.

        Returns:
            float32 [batch, history, dim], or [batch, 1, dim].
        """
        length, heads, depth = value.shape[1], self._heads, self._dim // self._heads
        chunk = _chunk(length)
        chunks = length // chunk
        parts = tf.reshape(value, [-1, chunks, chunk, heads, depth])
        parts = tf.reshape(tf.transpose(parts, [0, 1, 4, 3, 2]), [-1, chunks, depth, heads * chunk])
        if not last_only:
            parts = tf.pad(parts, [[0, 0], [chunks - 1, 0], [0, 0], [0, 0]])
        # Weights of the last chunk's positions, or of the last one: those of all others too, only
        # moved on.
        wanted = 1 if last_only else chunk
        kernel = tf.reshape(
            self._weights(length)[:, length - wanted :], [heads, wanted, chunks, chunk]
        )
        kernel = tf.reshape(tf.transpose(kernel, [2, 3, 0, 1]), [chunks, 1, chunk, heads * wanted])
        total = tf.nn.conv2d(parts, kernel, strides=1, padding="VALID")
        total = tf.reshape(total, [-1, 1 if last_only else chunks, depth, heads, wanted])
        mixed = tf.transpose(rms_scaled(total, axis=2), [0, 1, 4, 3, 2])
        return tf.reshape(mixed, [-1, 1 if last_only else length, self._dim])

    def _weights(self, length: int) -> tf.Tensor:
        """Returns float32 [heads, history, history]: weight of event j for position i, 0 after it.

        Weights are not normalised: what they sum up to is scaled afterwards.
        """
        # Of all distances, so that a window cut to fewer events has the same weights.
        largest = tf.reduce_max(self._distance, axis=1, keepdims=True)
        weight = tf.exp(self._distance[:, :length] - largest)
        # One row is what position 0 weighs: itself, zeros for what is later, and - wrapped around -
        # what is earlier. Each further row is the same, moved on by one; reading rows that are one
        # too short from a row repeated does just that, and costs no gather.
        row = tf.concat([weight[:, :1], tf.zeros([self._heads, length]), weight[:, :0:-1]], axis=1)
        repeated = tf.reshape(
            tf.tile(row[:, None, :], [1, length, 1]), [self._heads, 2 * length * length]
        )
        shorter = tf.reshape(
            repeated[:, : length * (2 * length - 1)], [self._heads, length, 2 * length - 1]
        )
        return shorter[:, :, :length]

    def _mix_features(self, values: tf.Tensor) -> tf.Tensor:
        return self._features_out(_gated(self._features_in(self._norm_features(values))))


def _dense(
    inputs: int, outputs: int, name: str, *, initializer: object = "glorot_uniform"
) -> keras.layers.Dense:
    layer = keras.layers.Dense(outputs, use_bias=False, kernel_initializer=initializer, name=name)
    layer.build((None, inputs))
    return layer


def _gated(values: tf.Tensor) -> tf.Tensor:
    gate, value = tf.split(values, 2, axis=-1)
    return tf.nn.silu(gate) * value


def _chunk(length: int) -> int:
    """Returns the events of a chunk: a divisor of `length`, all of it where there is no good one.

    Short chunks make small files, and those of eight fill a vector register.
    """
    divisors = [size for size in range(4, 9) if length % size == 0]
    return max(divisors, default=length)


def build(config: MixerConfig, *, dim: int, history_length: int, dropout: float) -> MixerEncoder:
    """Builds the encoder; see `base.build_encoder`.

    Raises:
        ConfigError: The heads do not divide the width of item vectors.
    """
    if dim % config.heads:
        raise ConfigError(f"model.encoder.heads ({config.heads}) must divide model.dim ({dim})")
    return MixerEncoder(config, dim=dim, history_length=history_length, dropout=dropout)
