"""Softmax cross-entropy over a whole catalogue, without ever holding all logits."""

from __future__ import annotations

import tensorflow as tf

from modules.training.losses.chunked import (
    ChunkPart,
    are_safe,
    chunked_sum,
    exponentials,
    in_chunks,
)


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
            loss += self._label_smoothing * spread_sum(context, table, bias, targets, weights)
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

    Several targets of a position share its scores.

    Args:
        context: float32 [positions, dim].
        table: float32 [movies + 1, dim]; row 0 is padding and never predicted.
        bias: float32 [movies + 1], added to the scores; or None.
        targets: int32 [positions, targets], 0 = none; positions without one come last.
        weights: float32 [positions, targets], 0 where there is no target.
        chunk: Positions at a time.
        bounded: See `chunked.exponentials`; False leaves it to the vectors of this update.

    Returns:
        float32 [], natural logarithm. Gradients flow to `context`, `table` and `bias`.
    """
    weight_blocks = in_chunks(weights, chunk)
    safe = bounded or are_safe(context, table, bias)

    def part(index: tf.Tensor, scores: tf.Tensor) -> ChunkPart:
        weight = tf.reduce_sum(weight_blocks[index], axis=1, keepdims=True)
        values, total, log_total = exponentials(scores, bounded=safe)
        return ChunkPart(tf.reduce_sum(weight * log_total), values, weight / total)

    return chunked_sum(context, table, bias, targets, weights, chunk=chunk, part=part)


def spread_sum(
    context: tf.Tensor,
    table: tf.Tensor,
    bias: tf.Tensor | None,
    targets: tf.Tensor,
    weights: tf.Tensor,
) -> tf.Tensor:
    """Sums what the cross-entropy gains as targets' weights are spread evenly over all movies.

    That is the scores' part alone: the softmax's sum stays. Arguments as in
    `softmax_cross_entropy_sum`.
    """
    gain = _own_scores(context, table, bias, targets) - _mean_score(context, table, bias)
    return tf.reduce_sum(weights * gain)


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
