"""Softmax cross-entropy over a whole catalogue, without ever holding all logits."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


class FullSoftmax:
    """See `losses.base.Loss`."""

    def __init__(self, chunk: int, *, bounded: bool = False, label_smoothing: float = 0.0) -> None:
        """Makes the loss.

        Args:
            chunk: Positions whose logits exist at one time.
            bounded: Whether scores are known to lie where exponentials are safe.
            label_smoothing: Part of each target's weight that is spread evenly over all movies
                (Szegedy et al., 2016).
        """
        self._chunk = chunk
        self._bounded = bounded
        self._label_smoothing = label_smoothing

    def __call__(
        self,
        context: tf.Tensor,
        table: tf.Tensor,
        bias: tf.Tensor | None,
        targets: tf.Tensor,
        weights: tf.Tensor,
        draw: tf.Tensor,
    ) -> tf.Tensor:
        """See `losses.base.Loss`; nothing in it is random."""
        del draw
        loss = softmax_cross_entropy_sum(
            context, table, bias, targets, weights, chunk=self._chunk, bounded=self._bounded
        )
        if self._label_smoothing:
            # What is spread is the targets' scores alone: the sum over all movies stays.
            gain = _own_scores(context, table, bias, targets) - _mean_score(context, table, bias)
            loss += self._label_smoothing * tf.reduce_sum(weights * gain)
        return loss


def softmax_cross_entropy_sum(
    context: tf.Tensor,
    table: tf.Tensor,
    bias: tf.Tensor | None,
    targets: tf.Tensor,
    weights: tf.Tensor,
    *,
    chunk: int,
    bounded: bool = False,
) -> tf.Tensor:
    """Sums the cross-entropy of the softmax over all movies.

    Loss and gradients are formed in one pass over chunks of positions: logits of
    `[chunk, movies]` live in the processor's cache and are gone before the next ones. Chunks
    that hold no target are not computed. Several targets of a position share its logits.

    Args:
        context: float32 [positions, dim].
        table: float32 [movies + 1, dim]; row 0 is padding and never predicted.
        bias: float32 [movies + 1], added to the logits; or None.
        targets: int32 [positions, targets], 0 = none; positions without one come last.
        weights: float32 [positions, targets], 0 where there is no target.
        chunk: Positions at a time.
        bounded: Whether no logit is so large that its exponential overflows, nor so small that a
            sum of them vanishes. The pass that finds each position's highest logit, a seventh
            of all time, is then left out.

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
        context: tf.Tensor, table: tf.Tensor, *biases: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
        rows, dim = table.shape
        movies = table[1:]
        blocks = tf.reshape(tf.pad(context, rows_added), [-1, chunk, dim])
        count = tf.math.count_nonzero(targets[:, 0], dtype=tf.int32)

        def one_chunk(
            index: tf.Tensor,
            loss: tf.Tensor,
            to_context: tf.TensorArray,
            to_movies: tf.Tensor,
            *to_biases: tf.Tensor,
        ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
            block, wanted, weight = blocks[index], target_blocks[index], weight_blocks[index]
            weight_sum = tf.reduce_sum(weight, axis=1, keepdims=True)
            logits = tf.matmul(block, movies, transpose_b=True)
            # The targets' own part is formed from single rows: a mask over all logits costs more.
            own_rows = tf.gather(table, wanted)
            own = tf.reduce_sum(block[:, tf.newaxis] * own_rows, axis=2)
            for bias in biases:
                logits += bias[1:]
                own += tf.gather(bias, wanted)
            highest = 0.0 if bounded else tf.reduce_max(logits, axis=1, keepdims=True)
            exponentials = tf.exp(logits - highest)
            total = tf.reduce_sum(exponentials, axis=1, keepdims=True)
            loss += tf.reduce_sum(weight_sum * (tf.math.log(total) + highest))
            loss -= tf.reduce_sum(weight * own)
            share = weight_sum / total
            error = tf.matmul(exponentials, movies) * share
            error -= tf.reduce_sum(weight[..., tf.newaxis] * own_rows, axis=1)
            to_movies += tf.matmul(exponentials, block * share, transpose_a=True)
            more = [sums + tf.matmul(exponentials, share, transpose_a=True) for sums in to_biases]
            return index + 1, loss, to_context.write(index, error), to_movies, *more

        _, loss, to_context, to_movies, *to_biases = tf.while_loop(
            lambda index, *_: index * chunk < count,
            one_chunk,
            [
                tf.constant(0),
                tf.constant(0.0),
                tf.TensorArray(tf.float32, padded // chunk, element_shape=[chunk, dim]),
                tf.zeros_like(movies),
                *(tf.zeros([rows - 1, 1]) for _ in biases),
            ],
            maximum_iterations=padded // chunk,
        )
        to_context = tf.reshape(to_context.stack(), [padded, dim])[:positions]
        to_table = tf.pad(to_movies, [[1, 0], [0, 0]])
        to_biases = [tf.pad(sums[:, 0], [[1, 0]]) for sums in to_biases]
        for place in range(width):
            wanted, weight = targets[:, place], weights[:, place]
            to_table -= tf.math.unsorted_segment_sum(weight[:, None] * context, wanted, rows)
            own = tf.math.unsorted_segment_sum(weight, wanted, rows)
            to_biases = [sums - own for sums in to_biases]

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return tuple(upstream * part for part in (to_context, to_table, *to_biases))

        return loss, gradient

    return summed(context, table, *([] if bias is None else [bias]))


def _own_scores(
    context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor | None, targets: tf.Tensor
) -> tf.Tensor:
    """Scores of the targets: float32 [positions, targets]."""
    scores = tf.reduce_sum(context[:, tf.newaxis] * tf.gather(table, targets), axis=2)
    return scores if bias is None else scores + tf.gather(bias, targets)


def _mean_score(context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    """Mean score of all movies: float32 [positions, 1]."""
    scores = tf.matmul(context, tf.reduce_mean(table[1:], axis=0)[:, tf.newaxis])
    return scores if bias is None else scores + tf.reduce_mean(bias[1:])
