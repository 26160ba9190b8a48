"""Softmax cross-entropy whose sum over the catalogue is estimated from a sample."""

from __future__ import annotations

import tensorflow as tf

from modules.features import PADDING_ID
from modules.training.losses.samplers import Sampler
from modules.training.losses.shared_negatives import Scores, Terms, sum_over_chunks

# Its exponential is zero, also beside the highest score: what is masked is truly gone. Finite,
# since minus infinity would make gradients that are not numbers.
_NEVER = -1e9


class SampledSoftmax:
    """See `losses.base.Loss`.

    The sum over all movies is `exp(s(target)) + sum exp(s(j)) / E(j)` over the movies j of the
    sample that are not a target, with E(j) the number of times that j is expected in a sample
    (Bengio and Senecal, 2008: importance sampling). Its expectation is the sum of the full softmax.
    Log Q is so taken off the scores of the sample, and not off the target's: a target is in the sum
    with certainty, its E is one. Where the sampler draws the whole catalogue once, this is the full
    softmax itself. All targets of a position are in its sum, each once.
    """

    def __init__(self, sampler: Sampler, *, chunk: int, bounded: bool = False) -> None:
        """Makes the loss.

        Args:
            sampler: Draws the sample.
            chunk: Positions whose logits exist at one time.
            bounded: Whether scores are known to lie where exponentials are safe.
        """
        self._sampler = sampler
        self._chunk = chunk
        self._bounded = bounded

    def __call__(
        self,
        context: tf.Tensor,
        table: tf.Tensor,
        bias: tf.Tensor | None,
        targets: tf.Tensor,
        weights: tf.Tensor,
        draw: tf.Tensor,
    ) -> tf.Tensor:
        """See `losses.base.Loss`."""
        drawn = self._sampler(targets, draw)
        return sum_over_chunks(
            context,
            table,
            bias,
            targets,
            weights,
            drawn.ids,
            terms=lambda scores: sampled_terms(scores, drawn.log_expected, bounded=self._bounded),
            chunk=self._chunk,
        )


def sampled_terms(scores: Scores, log_expected: tf.Tensor, *, bounded: bool) -> Terms:
    """The cross-entropy of a chunk, as `SampledSoftmax` describes.

    Args:
        scores: Of the targets and of the sample.
        log_expected: float32 [negatives], logarithm of E(j).
        bounded: Whether exponentials of the scores are safe.
    """
    wanted, weight, own, others, hit = scores
    others = tf.where(hit, _NEVER, others - log_expected)
    counted = tf.where(_first_of_its_kind(wanted), own, _NEVER)
    highest: tf.Tensor | float = 0.0
    if not bounded:
        highest = tf.maximum(
            tf.reduce_max(others, axis=1, keepdims=True),
            tf.reduce_max(counted, axis=1, keepdims=True),
        )
    exponentials, own_exponentials = tf.exp(others - highest), tf.exp(counted - highest)
    total = tf.reduce_sum(exponentials, axis=1, keepdims=True)
    total += tf.reduce_sum(own_exponentials, axis=1, keepdims=True)
    weight_sum = tf.reduce_sum(weight, axis=1, keepdims=True)
    loss = tf.reduce_sum(weight_sum * (tf.math.log(total) + highest))
    loss -= tf.reduce_sum(weight * own)
    share = weight_sum / total
    return Terms(loss, share * own_exponentials - weight, exponentials, share)


def _first_of_its_kind(wanted: tf.Tensor) -> tf.Tensor:
    """Marks targets that are not in an earlier column: bool [chunk, targets]."""
    columns = tf.unstack(wanted, axis=1)
    marks = []
    for place, column in enumerate(columns):
        mark = column != PADDING_ID
        for earlier in columns[:place]:
            mark &= column != earlier
        marks.append(mark)
    return tf.stack(marks, axis=1)
