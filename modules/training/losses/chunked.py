"""Losses of all movies' scores, summed over positions without ever holding all scores.

Loss and gradients are formed in one pass over chunks of positions: scores of `[chunk, movies]`
live in the processor's cache and are gone before the next ones. Chunks that hold no target are
not computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# Exponentials of scores within this bound, and sums of millions of them, are far from both ends of
# float32: the highest score need not be found and taken off first.
_SAFE_BOUND = 40.0


class ChunkPart(NamedTuple):
    """What a loss makes of the scores of a chunk, the targets' own scores apart.

    Attributes:
        loss: float32 [].
        errors: float32 [chunk, movies]; with each row times its `share`, the loss's gradient with
            respect to the scores.
        share: float32 [chunk, 1].
    """

    loss: tf.Tensor
    errors: tf.Tensor
    share: tf.Tensor


class Exponentials(NamedTuple):
    """A softmax's parts.

    Attributes:
        values: float32 [chunk, movies].
        total: float32 [chunk, 1], their sums.
        log_total: float32 [chunk, 1], logarithms of the sums of the scores' exponentials.
    """

    values: tf.Tensor
    total: tf.Tensor
    log_total: tf.Tensor


def exponentials(scores: tf.Tensor, *, bounded: bool | tf.Tensor) -> Exponentials:
    """Returns exponentials of scores, to a common factor a row.

    Args:
        scores: float32 [chunk, movies].
        bounded: Whether no score is so large that its exponential overflows, nor so small that a
            sum of them vanishes. The pass that finds each position's highest score, a seventh of
            all time, is then left out. What is known of an update alone is a tensor, bool [].
    """
    highest = _highest(scores, bounded)
    values = tf.exp(scores - highest)
    total = tf.reduce_sum(values, axis=1, keepdims=True)
    return Exponentials(values, total, tf.math.log(total) + highest)


def is_safe(bound: float | None) -> bool:
    """Whether scores can be taken as bounded in `exponentials`.

    Args:
        bound: What no score's magnitude exceeds, or None where nothing is known of it.
    """
    return bound is not None and bound <= _SAFE_BOUND


def are_safe(
    context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor | None, *, scale: float = 1.0
) -> tf.Tensor:
    """Whether an update's scores can be taken as bounded in `exponentials`.

    No score exceeds the product of the longest vectors of both sides (Cauchy and Schwarz). A SASRec
    trained to the end on MovieLens 1M, whose scores have no bound by design, has one of 33.

    Args:
        context: float32 [positions, dim].
        table: float32 [movies + 1, dim].
        bias: float32 [movies + 1], or None.
        scale: What scores are multiplied with.

    Returns:
        bool [].
    """
    bound = tf.sqrt(_longest_square(context) * _longest_square(table))
    if bias is not None:
        bound += tf.reduce_max(tf.abs(bias))
    return scale * bound <= _SAFE_BOUND


def in_chunks(values: tf.Tensor, chunk: int) -> tf.Tensor:
    """Cuts `[positions, width]` into `[chunks, chunk, width]`, zeros filling the last one."""
    positions, width = values.shape
    return tf.reshape(tf.pad(values, [[0, -positions % chunk], [0, 0]]), [-1, chunk, width])


def chunked_sum(
    context: tf.Tensor,
    table: tf.Tensor,
    bias: tf.Tensor | None,
    targets: tf.Tensor,
    pulls: tf.Tensor,
    *,
    chunk: int,
    part: Callable[[tf.Tensor, tf.Tensor], ChunkPart],
) -> tf.Tensor:
    """Sums what `part` makes of all movies' scores, less each target's own score times its pull.

    Several targets of a position share its scores.

    Args:
        context: float32 [positions, dim].
        table: float32 [movies + 1, dim]; row 0 is padding and has no score.
        bias: float32 [movies + 1], added to the scores; or None.
        targets: int32 [positions, targets], 0 = none; positions without one come last.
        pulls: float32 [positions, targets], 0 where there is no target.
        chunk: Positions at a time.
        part: Given a chunk's number and its scores, float32 [chunk, movies].

    Returns:
        float32 []. Gradients flow to `context`, `table` and `bias`.
    """
    positions, width = targets.shape
    target_blocks, pull_blocks = in_chunks(targets, chunk), in_chunks(pulls, chunk)
    chunks = target_blocks.shape[0]

    @tf.custom_gradient
    def summed(
        context: tf.Tensor, table: tf.Tensor, *biases: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
        rows, dim = table.shape
        movies = table[1:]
        blocks = in_chunks(context, chunk)
        count = tf.math.count_nonzero(targets[:, 0], dtype=tf.int32)

        def one_chunk(
            index: tf.Tensor,
            loss: tf.Tensor,
            to_context: tf.TensorArray,
            to_movies: tf.Tensor,
            *to_biases: tf.Tensor,
        ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
            block, wanted, pull = blocks[index], target_blocks[index], pull_blocks[index]
            scores = tf.matmul(block, movies, transpose_b=True)
            # The targets' own part is formed from single rows: a mask over all scores costs more.
            own_rows = tf.gather(table, wanted)
            own = tf.reduce_sum(block[:, tf.newaxis] * own_rows, axis=2)
            for bias in biases:
                scores += bias[1:]
                own += tf.gather(bias, wanted)
            more, errors, share = part(index, scores)
            loss += more
            loss -= tf.reduce_sum(pull * own)
            error = tf.matmul(errors, movies) * share
            error -= tf.reduce_sum(pull[..., tf.newaxis] * own_rows, axis=1)
            to_movies += tf.matmul(errors, block * share, transpose_a=True)
            sums = [sums + tf.matmul(errors, share, transpose_a=True) for sums in to_biases]
            return index + 1, loss, to_context.write(index, error), to_movies, *sums

        _, loss, to_context, to_movies, *to_biases = tf.while_loop(
            lambda index, *_: index * chunk < count,
            one_chunk,
            [
                tf.constant(0),
                tf.constant(0.0),
                tf.TensorArray(tf.float32, chunks, element_shape=[chunk, dim]),
                tf.zeros_like(movies),
                *(tf.zeros([rows - 1, 1]) for _ in biases),
            ],
            maximum_iterations=chunks,
        )
        to_context = tf.reshape(to_context.stack(), [chunks * chunk, dim])[:positions]
        to_table = tf.pad(to_movies, [[1, 0], [0, 0]])
        to_biases = [tf.pad(sums[:, 0], [[1, 0]]) for sums in to_biases]
        for place in range(width):
            wanted, pull = targets[:, place], pulls[:, place]
            to_table -= tf.math.unsorted_segment_sum(pull[:, None] * context, wanted, rows)
            own = tf.math.unsorted_segment_sum(pull, wanted, rows)
            to_biases = [sums - own for sums in to_biases]

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return tuple(upstream * part for part in (to_context, to_table, *to_biases))

        return loss, gradient

    return summed(context, table, *([] if bias is None else [bias]))


def _highest(scores: tf.Tensor, bounded: bool | tf.Tensor) -> tf.Tensor | float:
    """What is taken off the scores before their exponentials: [chunk, 1] or a number."""

    def found() -> tf.Tensor:
        return tf.reduce_max(scores, axis=1, keepdims=True)

    if isinstance(bounded, bool):
        return 0.0 if bounded else found()
    return tf.cond(bounded, lambda: tf.zeros_like(scores[:, :1]), found)


def _longest_square(vectors: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(tf.reduce_sum(tf.square(vectors), axis=1))
