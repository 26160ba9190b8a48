"""How the blocks of a mixer weigh the events before a position: by distance, or by content too.

Both ways weigh each head's part of the values, sum it up, and scale the sum to a root mean square
of one, so that weights need not sum up to one.
"""

from __future__ import annotations

import abc
import math

import keras
import numpy as np
import tensorflow as tf

from modules.models.attention import by_distance, hidden_padding, key_places, mask, spans
from modules.models.layers import dense, rms_scaled

# How fast the first and the last head forget at the start, per event.
_STEEPEST, _FLATTEST = 0.3, 0.005


class Mixing(keras.layers.Layer, abc.ABC):
    """Weighs events, head by head; has a logarithm of a weight for every distance and head."""

    def __init__(self, *, dim: int, heads: int, length: int) -> None:
        super().__init__(name="mixing")
        self._dim, self._heads = dim, heads
        self._distance = self.add_weight(
            shape=(heads, length), initializer="zeros", name="distance"
        )
        slopes = np.geomspace(_STEEPEST, _FLATTEST, heads)
        self._distance.assign(-slopes[:, None] * np.arange(length))

    @abc.abstractmethod
    def every(self, normed: tf.Tensor, value: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Mixes for all positions, in training.

        Args:
            normed: float32 [history, batch, dim], the events, normalised.
            value: float32 [history, batch, dim], what is mixed; zeros before the first event.
            known: float32 [batch, history, 1].

        Returns:
            float32 [history, batch, dim].
        """

    @abc.abstractmethod
    def on_device(
        self, normed: tf.Tensor, value: tf.Tensor, known: tf.Tensor, *, last_only: bool
    ) -> tf.Tensor:
        """Mixes for a left-padded batch with plain TFLite operators.

        Args:
            normed: float32 [batch, history, dim], the events, normalised.
            value: float32 [batch, history, dim], what is mixed; zeros at padding.
            known: float32 [batch, history, 1].
            last_only: Whether the last position alone is wanted.

        Returns:
            float32 [batch, history, dim], or [batch, 1, dim].
        """


class DistanceMixing(Mixing):
    """Weights of distances alone, as FPARec (arXiv 2407.02793) and FuXi-beta (2508.10615)."""

    def __init__(self, *, dim: int, heads: int, length: int) -> None:
        super().__init__(dim=dim, heads=heads, length=length)
        self.built = True

    def every(self, normed: tf.Tensor, value: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """See `Mixing.every`; the values alone are read."""
        del normed, known
        length, depth = value.shape[0], self._dim // self._heads
        weights = self._weights(length)
        mixed = []
        for head, part in enumerate(tf.split(value, self._heads, axis=-1)):
            total = tf.matmul(weights[head], tf.reshape(part, [length, -1]))
            mixed.append(rms_scaled(tf.reshape(total, [length, -1, depth])))
        return tf.concat(mixed, axis=-1)

    def on_device(
        self, normed: tf.Tensor, value: tf.Tensor, known: tf.Tensor, *, last_only: bool
    ) -> tf.Tensor:
        """See `Mixing.on_device`; mixes by a convolution over chunks of a history.

        A weight that depends on distance alone makes a matrix `[history, history]` of `history`
        different numbers a head. A file would store all of them. Cut into chunks, the same product
        is a convolution over the chunks, whose kernel holds `history * chunk` numbers.
        """
        del normed, known
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
        mixed = rms_scaled(tf.transpose(total, [0, 1, 4, 3, 2]))
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


class AttentionMixing(Mixing):
    """Attention: a softmax of products of queries and keys, distances added (Shaw et al., 2018).

    Queries and keys are half as wide as values: what is compared needs less room than what is
    passed on.
    """

    def __init__(self, *, dim: int, heads: int, length: int) -> None:
        super().__init__(dim=dim, heads=heads, length=length)
        width = max(1, dim // 2 // heads)
        self._scale = 1 / math.sqrt(width)
        self._query = dense(dim, heads * width, "query", use_bias=False)
        self._key = dense(dim, heads * width, "key", use_bias=False)
        self.built = True

    def every(self, normed: tf.Tensor, value: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """See `Mixing.every`."""
        normed, value = (tf.transpose(part, [1, 0, 2]) for part in (normed, value))
        return tf.transpose(self._of_all(normed, value, known), [1, 0, 2])

    def on_device(
        self, normed: tf.Tensor, value: tf.Tensor, known: tf.Tensor, *, last_only: bool
    ) -> tf.Tensor:
        """See `Mixing.on_device`."""
        mix = self._of_last if last_only else self._of_all
        return mix(normed, value, known)

    def _of_all(self, normed: tf.Tensor, value: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Mixes for all positions: float32 [batch, history, dim]; arguments as `on_device`."""
        length, heads = value.shape[1], self._heads
        query = tf.split(self._query(normed) * self._scale, heads, axis=2)
        key = tf.split(self._key(normed), heads, axis=2)
        parts = tf.split(value, heads, axis=2)
        places = key_places(known)
        mixed = []
        for start, stop in spans(length):
            hidden = mask(places, start, stop)
            sums = []
            for head in range(heads):
                asking = query[head][:, start:stop]
                scores = tf.matmul(asking, key[head][:, :stop], transpose_b=True)
                scores += by_distance(self._distance[head], start, stop) + hidden
                sums.append(rms_scaled(tf.matmul(tf.nn.softmax(scores), parts[head][:, :stop])))
            mixed.append(tf.concat(sums, axis=2))
        return tf.concat(mixed, axis=1)

    def _of_last(self, normed: tf.Tensor, value: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Mixes for the last position, all heads at once: float32 [batch, 1, dim].

        Fewer operators than `_of_all` has, each of which is bytes of a file. Arguments as
        `on_device`.
        """
        length = value.shape[1]
        query = self._by_head(self._query(normed[:, length - 1 :]) * self._scale)
        scores = tf.matmul(query, self._by_head(self._key(normed)), transpose_b=True)
        scores += tf.reverse(self._distance[:, :length], [1])[:, tf.newaxis]
        scores += hidden_padding(known)
        mixed = rms_scaled(tf.matmul(tf.nn.softmax(scores), self._by_head(value)))
        return tf.reshape(mixed, [-1, 1, self._dim])

    def _by_head(self, values: tf.Tensor) -> tf.Tensor:
        """Turns [batch, history, width] into [batch, heads, history, width / heads]."""
        _, length, width = values.shape
        heads = tf.reshape(values, [-1, length, self._heads, width // self._heads])
        return tf.transpose(heads, [0, 2, 1, 3])


def _chunk(length: int) -> int:
    """Returns the events of a chunk: a divisor of `length`, all of it where there is no good one.

    Short chunks make small files, and those of eight fill a vector register.
    """
    divisors = [size for size in range(4, 9) if length % size == 0]
    return max(divisors, default=length)
