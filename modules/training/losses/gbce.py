"""Generalised binary cross-entropy of gSASRec (Petrov and Macdonald, 2023, arXiv 2308.07192)."""

from __future__ import annotations

import tensorflow as tf

from modules.training.losses.samplers import Sampler, UniformSampler
from modules.training.losses.shared_negatives import Scores, Terms, sum_over_chunks

# Its sigmoid is zero: what is masked is truly gone.
_NEVER = -1e9


class Gbce:
    """See `losses.base.Loss`.

    A position's loss with k negatives is

        -(log(sigmoid(s+)^beta) + sum log(1 - sigmoid(s-))) / (k + 1),
        beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha), alpha = k / (movies - 1).

    Sampling shows a model far fewer negatives than there are, so that it comes to overrate movies;
    beta takes that back, in full with t = 1. The paper draws negatives for every position; here all
    positions of a part of a batch share them, drawn without repeats, which has the same expectation
    and turns the scores into a product of matrices. Negatives that are a position's target are left
    out there.
    """

    def __init__(self, sampler: UniformSampler, *, t: float, chunk: int) -> None:
        """Makes the loss.

        Args:
            sampler: Draws the negatives.
            t: Calibration, in [0, 1].
            chunk: Positions whose scores exist at one time.
        """
        self._sampler: Sampler = sampler
        self._negatives = sampler.negatives
        self._beta = positive_power(sampler.negatives, sampler.movies, t)
        self._chunk = chunk

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
        return sum_over_chunks(
            context,
            table,
            bias,
            targets,
            weights,
            self._sampler(targets, draw).ids,
            terms=lambda scores: gbce_terms(scores, self._beta, self._negatives),
            chunk=self._chunk,
        )


def positive_power(negatives: int, movies: int, t: float) -> float:
    """Returns beta, the power of the positive's probability.

    Args:
        negatives: k, movies drawn.
        movies: Movies of the vocabulary.
        t: Calibration, in [0, 1].
    """
    # A draw of all movies holds the target, which is no negative: no more than all others count.
    alpha = min(negatives / max(movies - 1, 1), 1.0)
    return alpha * (t * (1 - 1 / alpha) + 1 / alpha)


def gbce_terms(scores: Scores, beta: float, negatives: int) -> Terms:
    """The loss of a chunk, as `Gbce` describes.

    The paper transforms the positive's score into one whose sigmoid is `sigmoid(s+)^beta`; `beta`
    times the logarithm is the same and loses no digits.

    Args:
        scores: Of the targets and of the negatives.
        beta: Power of the positive's probability.
        negatives: k.
    """
    _, weight, own, others, hit = scores
    factor = tf.reduce_sum(weight, axis=1, keepdims=True) / (negatives + 1)
    own_factor = weight * (beta / (negatives + 1))
    others = tf.where(hit, _NEVER, others)
    # One exponential serves -log(1 - sigmoid(s)) = max(s, 0) + log(1 + e) and sigmoid(s). A plain
    # logarithm is quicker than log1p, and wrong by 1e-7 at most in the loss, not in gradients.
    small = tf.exp(-tf.abs(others))
    losses = tf.nn.relu(others) + tf.math.log(1 + small)
    sigmoids = tf.where(others >= 0, 1.0, small) / (1 + small)
    loss = tf.reduce_sum(factor[:, 0] * tf.reduce_sum(losses, axis=1))
    loss += tf.reduce_sum(own_factor * tf.nn.softplus(-own))
    return Terms(loss, -own_factor * tf.sigmoid(-own), sigmoids, factor)
