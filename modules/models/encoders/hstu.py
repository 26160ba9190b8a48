"""Hierarchical sequential transduction units: attention without a softmax, gated."""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from modules.models.attention import by_distance, key_places, spans, visible
from modules.models.dropout import Dropout
from modules.models.encoders.base import Encoder
from modules.models.history import History
from modules.models.layers import LayerNorm, dense, small_values
from pipeline.config.model import HstuConfig

# log2 of the seconds from which on all gaps are the same: eight and a half years.
_LONGEST = 28


class HstuEncoder(Encoder):
    """Layers of pointwise attention (Zhai et al., 2024, arXiv 2402.17152).

    With U, V, Q, K = SiLU of products with the normalised events, a layer adds to them the product
    of norm(A V) * U, where A = SiLU(Q K^T + bias) over the number of events so far. The bias is
    learned: of the distance in events, and, if wanted, of the seconds between an event and the
    moment that is predicted for.
    """

    def __init__(
        self, config: HstuConfig, *, dim: int, history_length: int, dropout: float
    ) -> None:
        super().__init__(name="hstu")
        self._time_buckets = config.time_buckets
        self._units = [
            _Unit(config, index, dim=dim, history_length=history_length, dropout=dropout)
            for index in range(config.layers)
        ]
        self._norm = LayerNorm(dim, name="norm")
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`.

        Raises:
            ValueError: There are time buckets, but no times.
        """
        values = history.items
        views = self._views(history, spans(values.shape[1]))
        for unit in self._units:
            values = unit.every(values, views, seed)
        return self._norm(values)

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`.

        Raises:
            ValueError: There are time buckets, but no times.
        """
        values, length = history.items, history.items.shape[1]
        if len(self._units) > 1:
            # The distances' weights would become constants of a matrix a span, a third of the
            # file, if they did not seem to depend on the input.
            nothing = tf.minimum(tf.reduce_sum(history.known), 0.0)
            views = self._views(history, spans(length))
            for unit in self._units[:-1]:
                values = unit.every(values, views, nothing=nothing)
        (view,) = self._views(history, [(length - 1, length)])
        return self._norm(self._units[-1].last(values, view))

    def _views(self, history: History, wanted: list[tuple[int, int]]) -> list[_View]:
        if self._time_buckets and history.time is None:
            raise ValueError(
                "model.encoder.time_buckets: the encoder reads times, the history has none"
            )
        places = key_places(history.known)
        views = []
        for start, stop in wanted:
            seen = visible(places, start, stop)
            count = tf.maximum(tf.reduce_sum(seen, axis=-1, keepdims=True), 1.0)
            gaps = (
                gap_buckets(history.time, start, stop, self._time_buckets)
                if self._time_buckets
                else None
            )
            views.append(_View(start, stop, seen / count, gaps))
        return views


class _View(NamedTuple):
    """What the positions of a span see, the same in every layer.

    Attributes:
        start: The span's first position.
        stop: The one behind its last.
        share: float32 [batch, stop - start, stop], one over the number of events so far, 0 for
            those that are not seen.
        gaps: int32 [batch, stop - start, stop], buckets of time gaps, or None.
    """

    start: int
    stop: int
    share: tf.Tensor
    gaps: tf.Tensor | None


class _Unit(keras.layers.Layer):
    """One layer."""

    def __init__(
        self, config: HstuConfig, index: int, *, dim: int, history_length: int, dropout: float
    ) -> None:
        super().__init__(name=f"unit_{index}")
        self._dim = dim
        self._heads = config.heads
        self._norm = LayerNorm(dim, name=f"norm_{index}")
        # Apart, as the device needs one of them at the last position alone.
        self._gate_query = dense(dim, 2 * dim, f"gate_query_{index}")
        self._value_key = dense(dim, 2 * dim, f"value_key_{index}")
        self._distance = self.add_weight(
            shape=(history_length,), initializer=small_values(), name=f"distance_{index}"
        )
        self._gap = (
            self.add_weight(
                shape=(config.time_buckets,), initializer=small_values(), name=f"gap_{index}"
            )
            if config.time_buckets
            else None
        )
        self._seen_norm = LayerNorm(dim, name=f"seen_norm_{index}")
        self._output = dense(dim, dim, f"output_{index}")
        self._dropout = Dropout(dropout, site=1 + index)
        self.built = True

    def every(
        self,
        values: tf.Tensor,
        views: list[_View],
        seed: tf.Tensor | None = None,
        nothing: tf.Tensor | float = 0.0,
    ) -> tf.Tensor:
        """Maps every position.

        Args:
            values: float32 [batch, history, dim].
            views: Of each span.
            seed: int32 [2], or None outside of training.
            nothing: Zero, added to the weights of distances.

        Returns:
            float32 [batch, history, dim].
        """
        length = values.shape[1]
        # Products of matrices, not of batches of them.
        rows = tf.reshape(values, [-1, self._dim])
        normed = self._norm(rows)
        gate, query = tf.split(tf.nn.silu(self._gate_query(normed)), 2, axis=1)
        value, key = tf.split(tf.nn.silu(self._value_key(normed)), 2, axis=1)
        query, key, value = (
            tf.split(tf.reshape(part, [-1, length, self._dim]), self._heads, axis=2)
            for part in (query, key, value)
        )
        distance = tf.convert_to_tensor(self._distance) + nothing
        seen = []
        for view in views:
            bias = self._bias(by_distance(distance, view.start, view.stop), view)
            parts = []
            for head in range(self._heads):
                own, past = query[head][:, view.start : view.stop], key[head][:, : view.stop]
                scores = tf.matmul(own, past, transpose_b=True) + bias
                weights = tf.nn.silu(scores) * view.share
                parts.append(tf.matmul(weights, value[head][:, : view.stop]))
            seen.append(tf.concat(parts, axis=2))
        mixed = tf.reshape(tf.concat(seen, axis=1), [-1, self._dim])
        rows += self._gated(mixed, gate, seed)
        return tf.reshape(rows, [-1, length, self._dim])

    def last(self, values: tf.Tensor, view: _View) -> tf.Tensor:
        """Maps the last position.

        Args:
            values: float32 [batch, history, dim].
            view: Of that position.

        Returns:
            float32 [batch, dim].
        """
        length = values.shape[1]
        normed = self._norm(values)
        gate, query = tf.split(tf.nn.silu(self._gate_query(normed[:, -1])), 2, axis=1)
        rows = tf.reshape(normed, [-1, self._dim])
        value, key = (
            tf.split(tf.reshape(part, [-1, length, self._dim]), self._heads, axis=2)
            for part in tf.split(tf.nn.silu(self._value_key(rows)), 2, axis=1)
        )
        bias = self._bias(tf.reverse(tf.convert_to_tensor(self._distance)[:length], [0]), view)
        seen = []
        for head, own in enumerate(tf.split(query[:, tf.newaxis], self._heads, axis=2)):
            weights = tf.nn.silu(tf.matmul(own, key[head], transpose_b=True) + bias) * view.share
            seen.append(tf.matmul(weights, value[head]))
        mixed = tf.reshape(tf.concat(seen, axis=2), [-1, self._dim])
        return values[:, -1] + self._gated(mixed, gate, None)

    def _bias(self, distance: tf.Tensor, view: _View) -> tf.Tensor:
        if self._gap is None:
            return distance
        # Bucket 0 is a gap that is not known.
        table = tf.concat([tf.zeros(1), tf.convert_to_tensor(self._gap)], axis=0)
        return distance + tf.gather(table, view.gaps)

    def _gated(self, mixed: tf.Tensor, gate: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        return self._output(self._dropout(self._seen_norm(mixed) * gate, seed))


def gap_buckets(time: tf.Tensor, start: int, stop: int, buckets: int) -> tf.Tensor:
    """Returns the bucket of the seconds from each event to the moments predicted for.

    Bucket 1 is a gap of less than a second, the last one begins at 2^28 seconds; between them the
    edges are in geometric progression from one second on, rounded: with 30 buckets, powers of 2.

    Args:
        time: int32 [batch, history + 1], as in `History.time`, 0 = not known.
        start: The first position that predicts.
        stop: The one behind the last.
        buckets: How many there are.

    Returns:
        int32 [batch, stop - start, stop]; 0 where one of the two times is not known.
    """
    moment = time[:, start + 1 : stop + 1, tf.newaxis]
    event = time[:, tf.newaxis, :stop]
    seconds = tf.cast(tf.maximum(moment - event, 0), tf.float32)
    # Half a second more: up to ten days, no edge is then in doubt by a rounding error.
    exponent = tf.math.log(seconds + 0.5) / math.log(2)
    bucket = tf.floor(exponent * ((buckets - 2) / _LONGEST)) + 2
    bucket = tf.clip_by_value(bucket, 1.0, float(buckets))
    # Of two buckets, the formula knows the second alone.
    bucket = tf.where(seconds < 1, 1.0, bucket)
    known = tf.cast(tf.minimum(moment, event) > 0, tf.float32)
    return tf.cast(bucket * known, tf.int32)


def build(config: HstuConfig, *, dim: int, history_length: int, dropout: float) -> HstuEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    return HstuEncoder(config, dim=dim, history_length=history_length, dropout=dropout)
