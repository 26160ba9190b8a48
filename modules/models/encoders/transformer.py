"""Self-attention over the history: SASRec."""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf

from modules.models.attention import key_places, mask, spans
from modules.models.dropout import Dropout
from modules.models.encoders.base import Encoder
from modules.models.history import History
from modules.models.layers import LayerNorm, dense, small_values
from pipeline.config.model import TransformerConfig


class TransformerEncoder(Encoder):
    """Blocks of causal self-attention with learned positions (Kang and McAuley, 2018).

    The equations are those of the authors' code, which its ports keep: the normalised events are
    the queries and go on beside the attention, keys and values come from the events as they are.
    """

    def __init__(
        self, config: TransformerConfig, *, dim: int, history_length: int, dropout: float
    ) -> None:
        super().__init__(name="transformer")
        self._from_last = config.positions == "from_last"
        self._positions = self.add_weight(
            shape=(history_length, dim),
            initializer=keras.initializers.RandomNormal(stddev=1 / math.sqrt(dim)),
            name="positions",
        )
        self._dropout = Dropout(dropout, site=1)
        self._blocks = [
            _Block(config, index, dim=dim, dropout=dropout) for index in range(config.layers)
        ]
        self._norm = LayerNorm(dim, name="norm")
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        items, known, _ = history
        length = items.shape[1]
        before = tf.constant(np.tri(length, dtype=np.float32))
        count = tf.einsum("ij,bjd->bid", before, known)[..., 0]
        if self._from_last:
            # So that windows cut to fewer columns, and padded on either side, agree.
            after = count[:, -1:] - count
            place = self._positions.shape[0] - 1 - tf.cast(after, tf.int32)
        else:
            place = tf.maximum(tf.cast(count, tf.int32) - 1, 0)
        positions = tf.gather(self._positions, place)
        values = (items + self._dropout(positions, seed)) * known
        for block in self._blocks:
            values = block(values, known, seed)
        return self._norm(values)

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`."""
        items, known, _ = history
        length = items.shape[1]
        if self._from_last:
            positions = tf.convert_to_tensor(self._positions)[-length:]
        else:
            count = tf.cast(tf.reduce_sum(known, axis=[1, 2]), tf.int32)[:, tf.newaxis]
            place = tf.maximum(tf.range(length) - length + count, 0)
            positions = tf.gather(self._positions, place)
        values = (items + positions) * known
        for block in self._blocks[:-1]:
            values = block(values, known)
        return self._norm(self._blocks[-1].last(values, known))


class _Block(keras.layers.Layer):
    """Attention, then a feed-forward network at each position."""

    def __init__(self, config: TransformerConfig, index: int, *, dim: int, dropout: float) -> None:
        super().__init__(name=f"block_{index}")
        width = config.feed_forward or dim
        self._heads = config.heads
        self._dim = dim
        self._scale = 1 / math.sqrt(dim // config.heads)
        self._query_norm = LayerNorm(dim, name=f"query_norm_{index}")
        self._query = dense(dim, dim, f"query_{index}")
        self._key = dense(dim, dim, f"key_{index}")
        self._value = dense(dim, dim, f"value_{index}")
        self._output = dense(dim, dim, f"output_{index}", initializer=small_values())
        self._forward_norm = LayerNorm(dim, name=f"forward_norm_{index}")
        self._inner = dense(dim, width, f"inner_{index}", initializer=small_values())
        self._outer = dense(width, dim, f"outer_{index}", initializer=small_values())
        site = 10 * (index + 1)
        self._weight_dropout = Dropout(dropout, site=site)
        self._inner_dropout = Dropout(dropout, site=site + 1)
        self._outer_dropout = Dropout(dropout, site=site + 2)
        self.built = True

    def call(self, values: tf.Tensor, known: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Maps every position.

        Args:
            values: float32 [batch, history, dim], zeros at padding.
            known: float32 [batch, history, 1].
            seed: int32 [2], or None outside of training.

        Returns:
            float32 [batch, history, dim], zeros at padding.
        """
        length = values.shape[1]
        # Products of matrices, not of batches of them: half the time.
        rows = tf.reshape(values, [-1, self._dim])
        queries = self._query_norm(rows)
        query, key, value = (
            tf.split(tf.reshape(part, [-1, length, self._dim]), self._heads, axis=2)
            for part in self._attended(queries, rows)
        )
        places = key_places(known)
        seen = []
        for index, (start, stop) in enumerate(spans(length)):
            hidden = mask(places, start, stop)
            parts = []
            for head in range(self._heads):
                past = key[head][:, :stop]
                scores = tf.matmul(query[head][:, start:stop], past, transpose_b=True)
                # Each place draws its own mask.
                draw = None if seed is None else seed + tf.constant([index * self._heads + head, 0])
                weights = self._weight_dropout(tf.nn.softmax(scores + hidden), draw)
                parts.append(tf.matmul(weights, value[head][:, :stop]))
            seen.append(tf.concat(parts, axis=2))
        mixed = tf.reshape(tf.concat(seen, axis=1), [-1, self._dim])
        rows = self._feed_forward(queries + self._put_out(mixed), seed)
        return tf.reshape(rows, [-1, length, self._dim]) * known

    def _attended(
        self, queries: tf.Tensor, rows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Queries, keys, and values but for their bias, of all heads side by side.

        A single head needs neither keys nor values: its queries meet the events themselves through
        the product of two matrices, and so does its output, see `_put_out`. That is a sixth of a
        block's time. What the keys' bias adds is the same for all events and falls out of the
        softmax.

        Args:
            queries: float32 [rows, dim].
            rows: float32 [rows, dim], the events.
        """
        if self._heads > 1:
            values = tf.matmul(rows, self._value.kernel)
            return self._query(queries) * self._scale, self._key(rows), values
        keys = tf.convert_to_tensor(self._key.kernel) * self._scale
        kernel = tf.matmul(self._query.kernel, keys, transpose_b=True)
        bias = tf.matmul(self._query.bias[tf.newaxis], keys, transpose_b=True)
        return tf.matmul(queries, kernel) + bias, rows, rows

    def _put_out(self, mixed: tf.Tensor) -> tf.Tensor:
        """What attention adds to the queries: float32 [rows, dim].

        The values' bias comes in here: a sum of weights that are one in all leaves it as it is.

        Args:
            mixed: float32 [rows, dim], weighted sums of the third part of `_attended`.
        """
        bias = self._output(self._value.bias[tf.newaxis])
        kernel = tf.convert_to_tensor(self._output.kernel)
        if self._heads == 1:
            kernel = tf.matmul(self._value.kernel, kernel)
        return tf.matmul(mixed, kernel) + bias

    def last(self, values: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Maps the last position: float32 [batch, dim].

        One query needs neither keys nor values of the events: its product with the key matrix
        meets the events as they are, and the value matrix their weighted sum. What the keys' bias
        adds is the same for all events and falls out of the softmax.
        """
        length, width = values.shape[1], self._dim // self._heads
        queries = self._query_norm(values[:, -1])
        query = tf.split(self._query(queries) * self._scale, self._heads, axis=1)
        keys, into = (
            tf.reshape(tf.convert_to_tensor(layer.kernel), [self._dim, self._heads, width])
            for layer in (self._key, self._value)
        )
        asked = tf.stack(
            [tf.matmul(part, keys[:, head], transpose_b=True) for head, part in enumerate(query)],
            axis=1,
        )
        padding = mask(key_places(known), length - 1, length)
        weights = tf.nn.softmax(tf.matmul(asked, values, transpose_b=True) + padding)
        seen = tf.unstack(tf.matmul(weights, values), axis=1)
        mixed = tf.concat(
            [tf.matmul(part, into[:, head]) for head, part in enumerate(seen)], axis=1
        )
        return self._feed_forward(queries + self._output(mixed + self._value.bias), None)

    def _feed_forward(self, rows: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        rows = self._forward_norm(rows)
        inner = tf.nn.relu(self._inner_dropout(self._inner(rows), seed))
        return rows + self._outer_dropout(self._outer(inner), seed)


def build(
    config: TransformerConfig, *, dim: int, history_length: int, dropout: float
) -> TransformerEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    return TransformerEncoder(config, dim=dim, history_length=history_length, dropout=dropout)
