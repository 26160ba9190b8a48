"""Which movies stand for all others in a sampled loss.

All positions of a part of a batch share one draw, so that their scores are one product of
matrices. A draw is a function of its seed alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.config.loss import SampledSoftmaxConfig
from pipeline.errors import ConfigError


class Negatives(NamedTuple):
    """Movies drawn.

    Attributes:
        ids: int32 [negatives]; 0 = none.
        log_expected: float32 [negatives], logarithm of how often each of these movies is expected
            in a draw.
    """

    ids: tf.Tensor
    log_expected: tf.Tensor


class Sampler(Protocol):
    """Draws movies."""

    def __call__(self, targets: tf.Tensor, draw: tf.Tensor) -> Negatives:
        """Draws for one part of a batch.

        Args:
            targets: int32 [positions, targets], as in `losses.base.Loss`.
            draw: int32 [2], the seed.
        """


class UniformSampler:
    """Every movie with the same chance, none twice.

    Attributes:
        movies: Movies of the vocabulary.
        negatives: Movies a draw.
    """

    def __init__(self, movies: int, negatives: int) -> None:
        """Makes the sampler.

        Args:
            movies: Movies of the vocabulary.
            negatives: Movies a draw.

        Raises:
            ConfigError: There are not so many.
        """
        if negatives > movies:
            raise ConfigError(
                f"training.loss.negatives: {negatives} different movies cannot be drawn from "
                f"{movies}; lower it, or take training.loss.name=full_softmax"
            )
        self.movies = movies
        self.negatives = negatives

    def __call__(self, targets: tf.Tensor, draw: tf.Tensor) -> Negatives:
        """See `Sampler`."""
        del targets
        # The movies with the highest of random numbers.
        order = tf.math.top_k(tf.random.stateless_uniform([self.movies], draw), self.negatives)
        expected = math.log(self.negatives / self.movies)
        return Negatives(order.indices + 1, tf.fill([self.negatives], expected))


class PopularitySampler:
    """A movie's chance is in proportion to its targets in training plus one; with repeats."""

    def __init__(self, movie_counts: npt.NDArray[np.int64], negatives: int) -> None:
        """Makes the sampler.

        Args:
            movie_counts: int64 [movies + 1], how often each movie is a target.
            negatives: Movies a draw.
        """
        # Without the one, a movie that is never a target could not be drawn, and the sum over the
        # sample would leave it out.
        chances = (movie_counts[1:] + 1) / (movie_counts[1:] + 1).sum()
        self._negatives = negatives
        self._log_expected = np.log(negatives * chances).astype(np.float32)
        self._keep, self._other = alias_table(chances)

    def __call__(self, targets: tf.Tensor, draw: tf.Tensor) -> Negatives:
        """See `Sampler`."""
        del targets
        seeds = tf.random.split(draw, 2)
        size = [self._negatives]
        cell = tf.random.stateless_uniform(size, seeds[0], 0, len(self._keep), dtype=tf.int32)
        keeps = tf.random.stateless_uniform(size, seeds[1]) < tf.gather(self._keep, cell)
        index = tf.where(keeps, cell, tf.gather(self._other, cell))
        return Negatives(index + 1, tf.gather(self._log_expected, index))


class InBatchSampler:
    """The batch's own next movies, drawn with repeats.

    A batch holds a movie as often as the training data do, in the mean: that frequency is the
    chance that corrects the scores (Yi et al., 2019), known here instead of estimated.
    """

    def __init__(self, movie_counts: npt.NDArray[np.int64], negatives: int) -> None:
        """Makes the sampler.

        Args:
            movie_counts: int64 [movies + 1], how often each movie is a target.
            negatives: Movies a draw.
        """
        counts = movie_counts.copy()
        counts[0] = 0
        self._negatives = negatives
        expected = negatives * np.maximum(counts, 1) / max(counts.sum(), 1)
        self._log_expected = np.log(expected).astype(np.float32)

    def __call__(self, targets: tf.Tensor, draw: tf.Tensor) -> Negatives:
        """See `Sampler`."""
        count = tf.math.count_nonzero(targets[:, 0], dtype=tf.int32)
        place = tf.random.stateless_uniform(
            [self._negatives], draw, 0, tf.maximum(count, 1), dtype=tf.int32
        )
        ids = tf.gather(targets[:, 0], place)
        return Negatives(ids, tf.gather(self._log_expected, ids))


def build_sampler(config: SampledSoftmaxConfig, movie_counts: npt.NDArray[np.int64]) -> Sampler:
    """Builds the sampler that `config.sampler` names.

    Args:
        config: The loss's section.
        movie_counts: int64 [movies + 1], how often each movie is a target in training.

    Raises:
        ConfigError: More movies are to be drawn than there are.
    """
    if config.sampler == "popularity":
        return PopularitySampler(movie_counts, config.negatives)
    if config.sampler == "in_batch":
        return InBatchSampler(movie_counts, config.negatives)
    return UniformSampler(len(movie_counts) - 1, config.negatives)


def alias_table(
    chances: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Prepares draws from a distribution in constant time (Walker, 1977; Vose, 1991).

    A draw takes a cell with even chances, and stays there with the cell's `keep` or goes to its
    `other`.

    Args:
        chances: float64 [n], their sum is 1.

    Returns:
        `keep` float32 [n] and `other` int32 [n].
    """
    keep = chances * len(chances)
    other = np.arange(len(chances), dtype=np.int32)
    low = list(np.flatnonzero(keep < 1))
    high = list(np.flatnonzero(keep >= 1))
    while low and high:
        cell = low.pop()
        other[cell] = high[-1]
        keep[high[-1]] -= 1 - keep[cell]
        if keep[high[-1]] < 1:
            low.append(high.pop())
    # What is left is full but for rounding.
    keep[low + high] = 1
    return keep.astype(np.float32), other
