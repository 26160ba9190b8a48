"""What an item table is: rows in training, two readings on a device."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.features import PADDING_ID
from modules.models.item_features import ItemFeatures


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """What a table is made for, whatever its kind.

    Attributes:
        name: Of its weights: `items` or `labels`.
        movies: Movies of the vocabulary, by falling count; rows are 1..movies, and 0 for padding.
        width: Of a row.
        initial_std: Standard deviation of the values of a movie's own row. Rows that share weights
            begin with a length near one.
        unit_length: Whether scores are cosines. Rows of their own are then of length one; rows that
            share weights keep their lengths, for a device would have to store them.
        features: Of the movies, for a dense table whose model asks for any.
    """

    name: str
    movies: int
    width: int
    initial_std: float
    unit_length: bool
    features: ItemFeatures | None = None


class ServedTable(abc.ABC):
    """A trained table as constants of a served graph, and the operators that read them.

    Both readings use the same constants, so that a file stores them once.
    """

    @abc.abstractmethod
    def look_up(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns rows, float32 [batch, history, width].

        Args:
            ids: int32 [batch, history], of a static history. The row of 0, padding, is anything:
                who looks it up masks it.
        """

    @abc.abstractmethod
    def scores(self, context: tf.Tensor) -> tf.Tensor:
        """Returns products with all rows, float32 [batch, movies + 1].

        Args:
            context: float32 [batch, width]. The score of padding is anything.
        """


class ItemTable(keras.layers.Layer, abc.ABC):
    """Rows of all movies, computed of weights; `serve` freezes them.

    A new kind is a module `modules/models/item_tables/<name>.py` with
    `build(config, spec) -> ItemTable`, its section in `pipeline/config/item_table.py`, and a test.

    Attributes:
        width: Of a row.
    """

    def __init__(self, spec: TableSpec) -> None:
        super().__init__(name=f"{spec.name}_table")
        self.width = spec.width
        self._movies = spec.movies

    @abc.abstractmethod
    def rows(self) -> tf.Tensor:
        """Returns the whole table, float32 [movies + 1, width], as a device sees it.

        Numbers are rounded to `bits` where the configuration says so; gradients pass the rounding.
        Row 0 is padding: zero, and no gradient comes from it.
        """

    def training_rows(self, seed: tf.Tensor) -> tf.Tensor:
        """Returns what one update of the weights sees of the table; by default `rows`.

        Args:
            seed: int32 [2], of what is drawn; the same seed gives the same rows.
        """
        del seed
        return self.rows()

    def regularisation(self) -> tf.Tensor | None:
        """Returns what training adds to the mean loss of a target: float32 [], or None."""
        return None

    @abc.abstractmethod
    def serve(self) -> ServedTable:
        """Returns constants and operators that give `rows` on a device."""

    def assets(self) -> Mapping[str, bytes]:
        """Returns files that go with the served graph, by name; most tables have none."""
        return {}

    def begin_from(self, rows: npt.NDArray[np.float32] | None) -> None:
        """Takes the rows of a teacher to begin with, as near as the table can come to them.

        Training calls it once, before all else that changes weights.

        Args:
            rows: float32 [movies + 1, width], brought to the table's width, of lengths near one;
                None where there is no teacher: the table stays as it is.

        Raises:
            ConfigError: The table cannot do without a teacher.
        """
        if rows is not None:
            self._take(rows)

    @abc.abstractmethod
    def _take(self, rows: npt.NDArray[np.float32]) -> None:
        """Sets the weights so that `rows` gives what is nearest to float32 [movies + 1, width]."""

    @property
    def parts(self) -> int:
        """Parts of a row that say equally much in a good table: see `teacher_space`."""
        return 1

    @property
    def row_weights(self) -> list[keras.Variable]:
        """Weights with a row a movie, [movies + 1, ...]: none where rows share all weights."""
        return []

    @property
    def feature_weights(self) -> list[keras.Variable]:
        """Weights with a row an item feature."""
        return []

    def _not_padding(self) -> tf.Tensor:
        """Returns float32 [movies + 1, 1]: 0 for padding, else 1."""
        return tf.cast(tf.range(self._movies + 1) != PADDING_ID, tf.float32)[:, None]
