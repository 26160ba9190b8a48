"""What a loss is, and how one is found by the name in its configuration."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.training.losses.full_softmax import FullSoftmax
from pipeline.config.loss import LossConfig


class Loss(Protocol):
    """Sums the loss of positions. Called inside a `tf.function`, which may be compiled by XLA."""

    def __call__(
        self,
        context: tf.Tensor,
        table: tf.Tensor,
        bias: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor,
        draw: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the weighted sum, float32 [], in natural logarithms.

        Args:
            context: float32 [positions, dim].
            table: float32 [movies + 1, dim]; row 0 is padding and never predicted.
            bias: float32 [movies + 1], added to the scores.
            targets: int32 [positions, targets]: the movies wanted at each position, 0 = none.
                Positions with a target come first: the first column tells.
            weights: float32 [positions, targets], 0 where there is no target.
            draw: int32 [2], the seed of what is random in this update.

        Gradients flow to `context`, `table` and `bias`.
        """


def build_loss(config: LossConfig, *, movie_counts: npt.NDArray[np.int64]) -> Loss:
    """Builds the loss that `config.name` names.

    Args:
        config: The loss's section.
        movie_counts: int64 [movies + 1], how often each movie is a target in training.
    """
    del movie_counts
    return FullSoftmax(config.chunk)
