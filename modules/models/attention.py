"""What the attention encoders share: spans of queries, heads, and the masks of padding and future.

Queries are taken in spans, each of which meets the events up to its own end alone: of the scores
above the diagonal hardly any are computed, and those of one span fit the processor's cache.
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
    """Returns where keys stand, padding behind all queries: float32 [batch, 1, 1, history].

    Args:
        known: float32 [batch, history, 1].
    """
    length = known.shape[1]
    column = tf.range(length, dtype=tf.float32)
    return column + (1 - tf.reshape(known, [-1, 1, 1, length])) * length


def mask(places: tf.Tensor, start: int, stop: int) -> tf.Tensor:
    """Returns what to add to a span's scores: 0, or far below 0 for padding and the future.

    Made from two vectors: constants of a matrix a span would be a fifth of a device's file.

    Args:
        places: See `key_places`.
        start: The span's first position.
        stop: The one behind its last.

    Returns:
        float32 [batch, 1, stop - start, stop].
    """
    row = tf.range(start, stop, dtype=tf.float32)[:, tf.newaxis]
    return tf.minimum(row - places[..., :stop], 0.0) * _NEVER


def split_heads(values: tf.Tensor, heads: int) -> tf.Tensor:
    """Takes `[batch, history, dim]` apart: [batch, heads, history, dim / heads]."""
    length, dim = values.shape[1:]
    return tf.transpose(tf.reshape(values, [-1, length, heads, dim // heads]), [0, 2, 1, 3])


def join_heads(values: tf.Tensor) -> tf.Tensor:
    """Puts `[batch, heads, history, width]` together: [batch, history, heads * width]."""
    _, heads, length, width = values.shape
    return tf.reshape(tf.transpose(values, [0, 2, 1, 3]), [-1, length, heads * width])
