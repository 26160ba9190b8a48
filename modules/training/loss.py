"""Softmax cross-entropy over a whole catalogue, without ever holding all logits."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from modules.features import PADDING_ID

# Far below any logit, and finite: minus infinity would make gradients that are not numbers.
_NEVER = -1e9


def softmax_cross_entropy_sum(
    context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor, *, chunk: int
) -> tf.Tensor:
    """Sums the cross-entropy of the softmax over all movies.

    Loss and gradients are formed in one pass over chunks of positions: logits of
    `[chunk, movies + 1]` live in the processor's cache and are gone before the next ones. Chunks
    that hold no target are not computed. To be called inside a `tf.function`.

    Args:
        context: float32 [positions, dim].
        table: float32 [movies + 1, dim]; row 0 is padding and never predicted.
        bias: float32 [movies + 1], added to the logits.
        targets: int32 [positions], 0 = no target; all of these must come last.
        chunk: Positions at a time.

    Returns:
        float32 [], natural logarithm. Gradients flow to `context`, `table` and `bias`.
    """
    positions = context.shape[0]
    padded = -(-positions // chunk) * chunk
    targets = tf.pad(targets, [[0, padded - positions]])

    @tf.custom_gradient
    def summed(
        context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]:
        columns = tf.range(table.shape[0], dtype=tf.int32)
        offsets = bias + tf.where(columns == PADDING_ID, _NEVER, 0.0)
        blocks = tf.reshape(
            tf.pad(context, [[0, padded - positions], [0, 0]]), [-1, chunk, context.shape[1]]
        )
        target_blocks = tf.reshape(targets, [-1, chunk])
        count = tf.math.count_nonzero(targets, dtype=tf.int32)

        def one_chunk(
            index: tf.Tensor,
            loss: tf.Tensor,
            to_context: tf.TensorArray,
            to_table: tf.Tensor,
            to_bias: tf.Tensor,
        ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
            block, wanted = blocks[index], target_blocks[index]
            counted = tf.cast(wanted != PADDING_ID, tf.float32)[:, None]
            logits = tf.matmul(block, table, transpose_b=True) + offsets
            highest = tf.reduce_max(logits, axis=1, keepdims=True)
            exponentials = tf.exp(logits - highest)
            total = tf.reduce_sum(exponentials, axis=1, keepdims=True)
            # The target's own part is formed from single rows: a mask over all logits costs more.
            rows = tf.gather(table, wanted)
            own = tf.reduce_sum(block * rows, axis=1, keepdims=True)
            own += tf.gather(offsets, wanted)[:, None]
            loss += tf.reduce_sum(counted * (tf.math.log(total) + highest - own))
            share = counted / total
            error = tf.matmul(exponentials, table) * share - counted * rows
            to_table += tf.matmul(exponentials, block * share, transpose_a=True)
            to_bias += tf.matmul(exponentials, share, transpose_a=True)
            return index + 1, loss, to_context.write(index, error), to_table, to_bias

        _, loss, to_context, to_table, to_bias = tf.while_loop(
            lambda index, *_: index * chunk < count,
            one_chunk,
            [
                tf.constant(0),
                tf.constant(0.0),
                tf.TensorArray(tf.float32, padded // chunk, element_shape=blocks.shape[1:]),
                tf.zeros_like(table),
                tf.zeros_like(bias)[:, None],
            ],
            maximum_iterations=padded // chunk,
        )
        to_context = tf.reshape(to_context.stack(), [padded, -1])[:positions]
        counted = tf.cast(targets[:positions] != PADDING_ID, tf.float32)
        wanted, movies = targets[:positions], table.shape[0]
        to_table -= tf.math.unsorted_segment_sum(counted[:, None] * context, wanted, movies)
        to_bias = to_bias[:, 0] - tf.math.unsorted_segment_sum(counted, wanted, movies)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            return upstream * to_context, upstream * to_table, upstream * to_bias

        return loss, gradient

    return summed(context, table, bias)
