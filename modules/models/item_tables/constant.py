"""A table that is served as it is: a constant, read by a look-up and a product."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.base import ServedTable


class ConstantTable(ServedTable):
    """See the module."""

    def __init__(self, rows: npt.NDArray[np.float32]) -> None:
        """Takes the rows, float32 [movies + 1, width]."""
        self._rows = rows

    def look_up(self, ids: tf.Tensor) -> tf.Tensor:
        """See `ServedTable.look_up`."""
        return tf.gather(tf.constant(self._rows), ids)

    def scores(self, context: tf.Tensor) -> tf.Tensor:
        """See `ServedTable.scores`."""
        return tf.matmul(context, tf.constant(self._rows), transpose_b=True)
