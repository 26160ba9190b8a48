"""A table that is served as it is: constants, read by look-ups and products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.base import ServedTable


class ConstantTable(ServedTable):
    """See the module."""

    def __init__(
        self,
        rows: npt.NDArray[np.float32],
        widths: Sequence[int] | None = None,
        centres: Sequence[float] | None = None,
    ) -> None:
        """Takes the rows.

        Args:
            rows: float32 [movies + 1, width].
            widths: Of the bands of columns that are constants of their own; None: one of all.
            centres: Of each band, a number that its constant does not hold: it is added again, to
                the rows that are looked up and to the scores. None: zeros. With others the row of
                padding is not zero.
        """
        self._widths = list(widths or [rows.shape[1]])
        self._centres = np.array(centres or [0.0] * len(self._widths), np.float32)
        starts = np.cumsum(self._widths)[:-1]
        # Each of its own memory: slices of one array would be no equal constants.
        self._bands = [
            np.ascontiguousarray(band - centre)
            for band, centre in zip(np.split(rows, starts, axis=1), self._centres, strict=True)
        ]
        for band in self._bands:
            # Of padding, which nothing reads: a code like all others.
            band[0] = 0

    def look_up(self, ids: tf.Tensor) -> tf.Tensor:
        """See `ServedTable.look_up`."""
        found = [tf.gather(tf.constant(band), ids) for band in self._bands]
        rows = found[0] if len(found) == 1 else tf.concat(found, axis=2)
        return rows + self._added() if self._centres.any() else rows

    def scores(self, context: tf.Tensor) -> tf.Tensor:
        """See `ServedTable.scores`."""
        parts = [context] if len(self._bands) == 1 else tf.split(context, self._widths, axis=1)
        products = [
            tf.matmul(part, tf.constant(band), transpose_b=True)
            for part, band in zip(parts, self._bands, strict=True)
        ]
        total = products[0]
        for product in products[1:]:
            total = total + product
        if self._centres.any():
            total = total + tf.matmul(context, self._added()[:, np.newaxis])
        return total

    def _added(self) -> npt.NDArray[np.float32]:
        """Returns float32 [width]."""
        return np.repeat(self._centres, self._widths)
