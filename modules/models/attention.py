"""What the attention encoders share: spans of queries, and the masks of padding and future.

Queries are taken in spans, each of which meets the events up to its own end alone: of the scores
above the diagonal hardly any are computed, and those of one span fit the processor's cache.

Heads are tensors `[batch, history, width]` of their own. XLA turns a product of `[batch, heads,
history, width]` into a plain loop on a processor, which is twenty times as slow.
"""

from __future__ import annotations

import itertools

import tensorflow as tf

# Turns a step into the future into a number far below any score, and a finite one: minus infinity
# would make gradients that are not numbers.
_NEVER = 1e9

# Events of a span at most. Measured: a third faster at 200 events than all at once.
_SPAN = 50


def spans(length: int) -> list[tuple[int, int]]:
    """Cuts positions 0..length into equal spans: (first, behind the last)."""
    count = -(-length // _SPAN)
    edges = [round(index * length / count) for index in range(count + 1)]
    return list(itertools.pairwise(edges))


def key_places(known: tf.Tensor) -> tf.Tensor:
    """Returns where keys stand, padding behind all queries: float32 [batch, 1, history].

    Args:
        known: float32 [batch, history, 1].
    """
    length = known.shape[1]
    column = tf.range(length, dtype=tf.float32)
    return column + (1 - tf.reshape(known, [-1, 1, length])) * length


def mask(places: tf.Tensor, start: int, stop: int) -> tf.Tensor:
    """Returns what to add to a span's scores: 0, or far below 0 for padding and the future.

    Made from two vectors: constants of a matrix a span would be a fifth of a device's file.

    Args:
        places: See `key_places`.
        start: The span's first position.
        stop: The one behind its last.

    Returns:
        float32 [batch, stop - start, stop].
    """
    row = tf.range(start, stop, dtype=tf.float32)[:, tf.newaxis]
    return tf.minimum(row - places[..., :stop], 0.0) * _NEVER


def hidden_padding(known: tf.Tensor) -> tf.Tensor:
    """Returns what to add to a last position's scores: 0, or far below 0 for padding.

    Args:
        known: float32 [batch, history, 1].

    Returns:
        float32 [batch, 1, 1, history].
    """
    return (tf.reshape(known, [-1, 1, 1, known.shape[1]]) - 1) * _NEVER


def visible(places: tf.Tensor, start: int, stop: int) -> tf.Tensor:
    """Marks the events that a span's positions see: float32 [batch, stop - start, stop].

    Args:
        places: See `key_places`.
        start: The span's first position.
        stop: The one behind its last.
    """
    row = tf.range(start, stop, dtype=tf.float32)[:, tf.newaxis]
    return tf.clip_by_value(row - places[..., :stop] + 1, 0.0, 1.0)


def by_distance(weights: tf.Tensor, start: int, stop: int) -> tf.Tensor:
    """Lays out what belongs to each distance between a span's positions and the events before.

    Args:
        weights: float32 [history], of the distances 0, 1, 2 ...
        start: The span's first position.
        stop: The one behind its last.

    Returns:
        float32 [stop - start, stop]: at [i, j] the weight of start + i - j, 0 where that is
        negative.
    """
    rows = stop - start
    row = tf.concat([tf.reverse(weights[:stop], [0]), tf.zeros(rows)], axis=0)
    width = row.shape[0]
    # Rows that are one too short, read from a repeated row, each begin one later than the one
    # before. That is as good as a gather, and without a table of indices.
    repeated = tf.tile(row, [rows])[: rows * (width - 1)]
    return tf.reshape(repeated, [rows, width - 1])[:, rows - 1 : rows - 1 + stop]
