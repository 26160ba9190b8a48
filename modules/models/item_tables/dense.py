"""A row of its own for every movie, and what the catalogue says of it."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.base import ItemTable, ServedTable, TableSpec
from modules.models.item_tables.rounding import between_step, rounded, rounded_between
from modules.models.item_tables.served_bands import ServedBand, ServedBands
from modules.models.layers import unit_rows
from pipeline.config.item_table import DenseTableConfig

# Bits of which a code for zero would be one of four.
_BETWEEN = 2


@dataclasses.dataclass(frozen=True)
class _Band:
    """Columns that are rounded alike, of the most popular movies."""

    width: int
    bits: int | None
    stored_bits: int | None
    movies: int

    def rounded(self, values: tf.Tensor) -> tf.Tensor:
        return rounded_between(values) if self.bits == _BETWEEN else rounded(values, self.bits)

    def centre(self, values: tf.Tensor) -> float:
        """Returns what is to be taken off `values` for their codes to fit into `bits`.

        Four bits hold -1.5, -.5, .5 and 1.5 steps as they are: -3, -1, 1 and 3 halves.
        """
        halved = self.bits == _BETWEEN and self.stored_bits is None
        return float(between_step(values)) / 2 if halved else 0.0


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
            [_Band(width, config.bits, config.stored_bits, movies)]
            if config.bands is None
            else [
                _Band(band.width, band.bits, config.stored_bits, min(band.movies or movies, movies))
                for band in config.bands
            ]
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
            tf.pad(band.rounded(part), [[0, self._movies - band.movies], [0, 0]])
            for band, part in self._parts()
        ]
        rows = tf.concat(kept, axis=1) if len(kept) > 1 else kept[0]
        # There is no zero among four codes.
        return rows * self._not_padding()

    def serve(self) -> ServedTable:
        """See `ItemTable.serve`."""
        return ServedBands(
            [
                ServedBand(band.rounded(part).numpy(), band.centre(part))
                for band, part in self._parts()
            ]
        )

    def _parts(self) -> list[tuple[_Band, tf.Tensor]]:
        """Returns the bands, and float32 [movies of the band + 1, columns] of each."""
        rows = tf.convert_to_tensor(self._weights)
        if self._features is not None:
            # The features of padding are zero, so its row stays zero.
            rows = rows + tf.matmul(self._features, self._vectors)
        rows = unit_rows(rows) if self._unit_length else rows
        parts = tf.split(rows, [band.width for band in self._bands], axis=1)
        return [
            (band, part[: band.movies + 1]) for band, part in zip(self._bands, parts, strict=True)
        ]

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
