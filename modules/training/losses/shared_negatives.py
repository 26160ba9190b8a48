"""One pass over positions whose scores are compared with those of a few movies.

As in the full softmax, scores of `[chunk, negatives]` live in the processor's cache, and loss and
gradients are formed while they are there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from modules.features import PADDING_ID


class Scores(NamedTuple):
    """What a loss is made of, for one chunk of positions.

    Attributes:
        wanted: int32 [chunk, targets], 0 = none.
        weight: float32 [chunk, targets], 0 where there is no target.
        own: float32 [chunk, targets], scores of the targets.
        others: float32 [chunk, negatives], scores of the movies drawn.
        hit: bool [chunk, negatives], where the movie drawn is one of the position's targets, or
            none at all: it is no negative there.
    """

    wanted: tf.Tensor
    weight: tf.Tensor
    own: tf.Tensor
    others: tf.Tensor
    hit: tf.Tensor


class Terms(NamedTuple):
    """A loss and its derivatives.

    Attributes:
        loss: float32 [].
        to_own: float32 [chunk, targets], the derivative by `own`; 0 where there is no target.
        to_others: float32 [chunk, negatives], that by `others`, but for a factor a position; 0 at
            hits.
        factor: float32 [chunk, 1], that factor: applied to thin matrices, it costs nothing.
    """

    loss: tf.Tensor
    to_own: tf.Tensor
    to_others: tf.Tensor
    factor: tf.Tensor


def sum_over_chunks(
    context: tf.Tensor,
    table: tf.Tensor,
    bias: tf.Tensor | None,
    targets: tf.Tensor,
    weights: tf.Tensor,
    ids: tf.Tensor,
    *,
    terms: Callable[[Scores], Terms],
    chunk: int,
) -> tf.Tensor:
    """Sums a loss of the targets' scores and those of shared negatives.

    Args:
        context: float32 [positions, dim].
        table: float32 [movies + 1, dim].
        bias: float32 [movies + 1], added to the scores; or None.
        targets: int32 [positions, targets], 0 = none; positions without one come last.
        weights: float32 [positions, targets], 0 where there is no target.
        ids: int32 [negatives], the movies drawn; 0 = none.
        terms: The loss of a chunk.
        chunk: Positions at a time.

    Returns:
        float32 []. Gradients flow to `context`, `table` and `bias`.
    """
    positions, width = targets.shape
    padded = -(-positions // chunk) * chunk
    rows_added = [[0, padded - positions], [0, 0]]
    target_blocks = tf.reshape(tf.pad(targets, rows_added), [-1, chunk, width])
    weight_blocks = tf.reshape(tf.pad(weights, rows_added), [-1, chunk, width])

    @tf.custom_gradient
    def summed(
        context: tf.Tensor, table: tf.Tensor, *biases: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
        rows, dim = table.shape
        drawn = tf.gather(table, ids)
        drawn_biases = [tf.gather(bias, ids) for bias in biases]
        blocks = tf.reshape(tf.pad(context, rows_added), [-1, chunk, dim])
        count = tf.math.count_nonzero(targets[:, 0], dtype=tf.int32)

        def one_chunk(
            index: tf.Tensor,
            loss: tf.Tensor,
            to_context: tf.TensorArray,
            to_own: tf.TensorArray,
            to_drawn: tf.Tensor,
            *to_biases: tf.Tensor,
        ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
            block, wanted = blocks[index], target_blocks[index]
            own_rows = tf.gather(table, wanted)
            own = tf.reduce_sum(block[:, tf.newaxis] * own_rows, axis=2)
            others = tf.matmul(block, drawn, transpose_b=True)
            for bias, drawn_bias in zip(biases, drawn_biases, strict=True):
                own += tf.gather(bias, wanted)
                others += drawn_bias
            hit = (ids == PADDING_ID)[tf.newaxis]
            for place in range(width):
                hit |= wanted[:, place, tf.newaxis] == ids
            part = terms(Scores(wanted, weight_blocks[index], own, others, hit))
            error = tf.matmul(part.to_others, drawn) * part.factor
            error += tf.reduce_sum(part.to_own[..., tf.newaxis] * own_rows, axis=1)
            to_drawn += tf.matmul(part.to_others, block * part.factor, transpose_a=True)
            more = [
                sums + tf.matmul(part.to_others, part.factor, transpose_a=True)
                for sums in to_biases
            ]
            return (
                index + 1,
                loss + part.loss,
                to_context.write(index, error),
                to_own.write(index, part.to_own),
                to_drawn,
                *more,
            )

        _, loss, to_context, to_own, to_drawn, *to_biases = tf.while_loop(
            lambda index, *_: index * chunk < count,
            one_chunk,
            [
                tf.constant(0),
                tf.constant(0.0),
                tf.TensorArray(tf.float32, padded // chunk, element_shape=[chunk, dim]),
                tf.TensorArray(tf.float32, padded // chunk, element_shape=[chunk, width]),
                tf.zeros_like(drawn),
                *(tf.zeros_like(drawn_bias)[:, tf.newaxis] for drawn_bias in drawn_biases),
            ],
            maximum_iterations=padded // chunk,
        )
        to_context = tf.reshape(to_context.stack(), [padded, dim])[:positions]
        to_own = tf.reshape(to_own.stack(), [padded, width])[:positions]
        to_table = tf.math.unsorted_segment_sum(to_drawn, ids, rows)
        to_biases = [tf.math.unsorted_segment_sum(sums[:, 0], ids, rows) for sums in to_biases]
        for place in range(width):
            wanted, error = targets[:, place], to_own[:, place]
            to_table += tf.math.unsorted_segment_sum(error[:, None] * context, wanted, rows)
            own = tf.math.unsorted_segment_sum(error, wanted, rows)
            to_biases = [sums + own for sums in to_biases]

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return tuple(upstream * part for part in (to_context, to_table, *to_biases))

        return loss, gradient

    return summed(context, table, *([] if bias is None else [bias]))
