"""Softmax cross-entropy over a whole catalogue, without ever holding all logits."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from modules.features import PADDING_ID

# Far below any logit, and finite: minus infinity would make gradients that are not numbers.
_NEVER = -1e9


class FullSoftmax:
    """See `losses.base.Loss`."""

    def __init__(self, chunk: int) -> None:
        """Makes the loss.

        Args:
            chunk: Positions whose logits exist at one time.
        """
        self._chunk = chunk

    def __call__(
        self,
        context: tf.Tensor,
        table: tf.Tensor,
        bias: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor,
        draw: tf.Tensor,
    ) -> tf.Tensor:
        """See `losses.base.Loss`; nothing in it is random."""
        del draw
        return softmax_cross_entropy_sum(context, table, bias, targets, weights, chunk=self._chunk)


def softmax_cross_entropy_sum(
    context: tf.Tensor,
    table: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    *,
    chunk: int,
) -> tf.Tensor:
    """Sums the cross-entropy of the softmax over all movies.

    Loss and gradients are formed in one pass over chunks of positions: logits of
    `[chunk, movies + 1]` live in the processor's cache and are gone before the next ones. Chunks
    that hold no target are not computed. Several targets of a position share its logits.

    Args:
        context: float32 [positions, dim].
        table: float32 [movies + 1, dim]; row 0 is padding and never predicted.
        bias: float32 [movies + 1], added to the logits.
        targets: int32 [positions, targets], 0 = none; positions without one come last.
        weights: float32 [positions, targets], 0 where there is no target.
        chunk: Positions at a time.

    Returns:
        float32 [], natural logarithm. Gradients flow to `context`, `table` and `bias`.
    """
    positions, width = targets.shape
    padded = -(-positions // chunk) * chunk
    rows_added = [[0, padded - positions], [0, 0]]
    target_blocks = tf.reshape(tf.pad(targets, rows_added), [-1, chunk, width])
    weight_blocks = tf.reshape(tf.pad(weights, rows_added), [-1, chunk, width])

    @tf.custom_gradient
    def summed(
        context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]:
        movies, dim = table.shape
        columns = tf.range(movies, dtype=tf.int32)
        offsets = bias + tf.where(columns == PADDING_ID, _NEVER, 0.0)
        blocks = tf.reshape(tf.pad(context, rows_added), [-1, chunk, dim])
        count = tf.math.count_nonzero(targets[:, 0], dtype=tf.int32)

        def one_chunk(
            index: tf.Tensor,
            loss: tf.Tensor,
            to_context: tf.TensorArray,
            to_table: tf.Tensor,
            to_bias: tf.Tensor,
        ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
            block, wanted, weight = blocks[index], target_blocks[index], weight_blocks[index]
            weight_sum = tf.reduce_sum(weight, axis=1, keepdims=True)
            logits = tf.matmul(block, table, transpose_b=True) + offsets
            highest = tf.reduce_max(logits, axis=1, keepdims=True)
            exponentials = tf.exp(logits - highest)
            total = tf.reduce_sum(exponentials, axis=1, keepdims=True)
            # The targets' own part is formed from single rows: a mask over all logits costs more.
            rows = tf.gather(table, wanted)
            own = tf.reduce_sum(block[:, tf.newaxis] * rows, axis=2) + tf.gather(offsets, wanted)
            loss += tf.reduce_sum(weight_sum * (tf.math.log(total) + highest))
            loss -= tf.reduce_sum(weight * own)
            share = weight_sum / total
            error = tf.matmul(exponentials, table) * share
            error -= tf.reduce_sum(weight[..., tf.newaxis] * rows, axis=1)
            to_table += tf.matmul(exponentials, block * share, transpose_a=True)
            to_bias += tf.matmul(exponentials, share, transpose_a=True)
            return index + 1, loss, to_context.write(index, error), to_table, to_bias

        _, loss, to_context, to_table, to_bias = tf.while_loop(
            lambda index, *_: index * chunk < count,
            one_chunk,
            [
                tf.constant(0),
                tf.constant(0.0),
                tf.TensorArray(tf.float32, padded // chunk, element_shape=[chunk, dim]),
                tf.zeros_like(table),
                tf.zeros_like(bias)[:, None],
            ],
            maximum_iterations=padded // chunk,
        )
        to_context = tf.reshape(to_context.stack(), [padded, dim])[:positions]
        to_bias = to_bias[:, 0]
        for place in range(width):
            wanted, weight = targets[:, place], weights[:, place]
            to_table -= tf.math.unsorted_segment_sum(weight[:, None] * context, wanted, movies)
            to_bias -= tf.math.unsorted_segment_sum(weight, wanted, movies)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            return upstream * to_context, upstream * to_table, upstream * to_bias

        return loss, gradient

    return summed(context, table, bias)
