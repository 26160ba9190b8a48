"""What a loss is, and how one is found by the name in its configuration."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.training.losses.chunked import is_safe
from modules.training.losses.full_softmax import FullSoftmax
from modules.training.losses.gbce import Gbce
from modules.training.losses.sampled_softmax import SampledSoftmax
from modules.training.losses.samplers import UniformSampler, build_sampler
from pipeline.config.loss import GbceConfig, LossConfig, SampledSoftmaxConfig


class Loss(Protocol):
    """Sums the loss of positions. Called inside a `tf.function`, which may be compiled by XLA."""

    def __call__(
        self,
        context: tf.Tensor,
        table: tf.Tensor,
        bias: tf.Tensor | None,
        targets: tf.Tensor,
        weights: tf.Tensor,
        draw: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the weighted sum, float32 [], in natural logarithms.

        Args:
            context: float32 [positions, dim].
            table: float32 [movies + 1, dim]; row 0 is padding and never predicted.
            bias: float32 [movies + 1], added to the scores; or None.
            targets: int32 [positions, targets]: the movies wanted at each position, 0 = none.
                Positions with a target come first: the first column tells.
            weights: float32 [positions, targets], 0 where there is no target.
            draw: int32 [2], the seed of what is random in this update.

        Gradients flow to `context`, `table` and `bias`.
        """


def build_loss(
    config: LossConfig,
    *,
    movie_counts: npt.NDArray[np.int64],
    score_bound: float | None = None,
) -> Loss:
    """Builds the loss that `config.name` names.

    Args:
        config: The loss's section.
        movie_counts: int64 [movies + 1], how often each movie is a target in training; the first
            number, of padding, counts for nothing.
        score_bound: What no score's magnitude exceeds, where something is known of it.

    Raises:
        ConfigError: More movies are to be drawn than there are.
    """
    bounded = is_safe(score_bound)
    if isinstance(config, SampledSoftmaxConfig):
        return SampledSoftmax(
            build_sampler(config, movie_counts), chunk=config.chunk, bounded=bounded
        )
    if isinstance(config, GbceConfig):
        sampler = UniformSampler(len(movie_counts) - 1, config.negatives)
        return Gbce(sampler, t=config.t, chunk=config.chunk)
    return FullSoftmax(config.chunk, bounded=bounded, label_smoothing=config.label_smoothing)
