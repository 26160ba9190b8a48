"""Training that computes with the matrices that a device will have, in few bits.

Rounding after training adds an error to every product, and blocks that share a matrix add it up
again and again. Rounded in training already (Jacob et al., 2018), all other weights make up for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.rounding import rounded_by, step_of

# Scales that an export multiplies into the matrices behind them, which would then be no multiples
# of a step any more. They are one, whatever weights training began with; the matrices can say the
# same.
_FOLDED = ("gain", "mixed_gain")


class DeviceRounding:
    """Rounds matrices, a step for each of their outputs; gradients pass as if nothing was done."""

    def __init__(self, weights: Sequence[keras.Variable], bits: int | None) -> None:
        """Finds the matrices.

        Args:
            weights: Of the model.
            bits: Of a number; None rounds nothing.
        """
        self._bits = bits
        self._matrices = [len(weight.shape) == 2 and weight.name == "kernel" for weight in weights]
        self._folded = [weight.name in _FOLDED for weight in weights]

    @property
    def rounds(self) -> Sequence[bool]:
        """Which of the weights are rounded."""
        return [is_matrix and self._bits is not None for is_matrix in self._matrices]

    def __call__(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns what the model computes with, given its weights' values in their order."""
        if self._bits is None:
            return list(values)
        return [
            self._rounded(value) if is_matrix else tf.ones_like(value) if is_folded else value
            for value, is_matrix, is_folded in zip(
                values, self._matrices, self._folded, strict=True
            )
        ]

    def of_arrays(self, values: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Returns the same of arrays."""
        if self._bits is None:
            return list(values)
        return [value.numpy() for value in self([tf.constant(value) for value in values])]

    def _rounded(self, matrix: tf.Tensor) -> tf.Tensor:
        """Rounds float32 [inputs, outputs]."""
        assert self._bits is not None
        frozen = tf.stop_gradient(matrix)
        mean_square = tf.reduce_mean(tf.square(frozen), axis=0)
        highest = tf.reduce_max(tf.abs(frozen), axis=0)
        return rounded_by(step_of(mean_square, highest, self._bits), matrix, self._bits)
