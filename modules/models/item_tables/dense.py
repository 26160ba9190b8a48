"""A row of its own for every movie, and what the catalogue says of it."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.base import ItemTable, ServedTable, TableSpec
from modules.models.item_tables.constant import ConstantTable
from modules.models.item_tables.rounding import between_step, rounded, rounded_between
from modules.models.layers import unit_rows
from pipeline.config.item_table import DenseTableConfig

# Bits of which a code for zero would be one of four.
_BETWEEN = 2


class DenseTable(ItemTable):
    """See the module."""

    def __init__(self, config: DenseTableConfig, spec: TableSpec) -> None:
        """Makes random rows.

        Args:
            config: Its bits, or bands of columns.
            spec: What it is made for.
        """
        super().__init__(spec)
        movies, width = spec.movies, spec.width
        self._bands = (
            [(width, config.bits)]
            if config.bands is None
            else [(band.width, band.bits) for band in config.bands]
        )
        self._unit_length = spec.unit_length
        features = spec.features
        self._features = None if features is None else tf.constant(features.values)
        self._weights = self.add_weight(
            shape=(movies + 1, width),
            initializer=keras.initializers.RandomNormal(stddev=spec.initial_std),
            name=spec.name,
        )
        self._weights.assign(self._weights * self._not_padding())
        # From zero: a new model is the one that it would be without features.
        self._vectors = (
            None
            if features is None
            else self.add_weight(
                shape=(features.values.shape[1], width),
                initializer="zeros",
                name=f"{spec.name}_features",
            )
        )
        self.built = True

    def rows(self) -> tf.Tensor:
        """See `ItemTable.rows`."""
        kept = [
            rounded_between(part) if bits == _BETWEEN else rounded(part, bits)
            for part, bits in self._parts(self._unrounded())
        ]
        rows = tf.concat(kept, axis=1) if len(kept) > 1 else kept[0]
        # There is no zero among four codes.
        return rows * self._not_padding()

    def serve(self) -> ServedTable:
        """See `ItemTable.serve`."""
        centres = [
            float(between_step(part)) / 2 if bits == _BETWEEN else 0.0
            for part, bits in self._parts(self._unrounded())
        ]
        return ConstantTable(self.rows().numpy(), [width for width, _ in self._bands], centres)

    def _unrounded(self) -> tf.Tensor:
        rows = tf.convert_to_tensor(self._weights)
        if self._features is not None:
            # The features of padding are zero, so its row stays zero.
            rows = rows + tf.matmul(self._features, self._vectors)
        return unit_rows(rows) if self._unit_length else rows

    def _parts(self, rows: tf.Tensor) -> list[tuple[tf.Tensor, int | None]]:
        """Returns the columns of each band, and its bits."""
        parts = tf.split(rows, [width for width, _ in self._bands], axis=1)
        return [(part, bits) for part, (_, bits) in zip(parts, self._bands, strict=True)]

    def _take(self, rows: npt.NDArray[np.float32]) -> None:
        self._weights.assign(rows * self._not_padding())

    @property
    def row_weights(self) -> list[keras.Variable]:
        """See `ItemTable.row_weights`."""
        return [self._weights]

    @property
    def feature_weights(self) -> list[keras.Variable]:
        """See `ItemTable.feature_weights`."""
        return [] if self._vectors is None else [self._vectors]


def build(config: DenseTableConfig, spec: TableSpec) -> DenseTable:
    """Builds the table; see `registry.build_item_table`."""
    return DenseTable(config, spec)
