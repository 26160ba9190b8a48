"""Two small cores whose semi-tensor product is the item table.

OD-Rec (Xia et al., SIGIR 2022, arXiv 2204.11091): a table of I = I1 * I2 rows and J = J1 * J2
columns is `G1 (G2 x I_t)`, the Kronecker product with an identity making the second core smaller by
the square of t. Movie i is row (i // I2, i % I2): it reads one slice of either core, so that a
device computes single rows without the table. Scores need no rows at all: a context meets the first
core, what comes of it the second, both products with constants.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.base import ItemTable, ServedTable, TableSpec
from modules.models.item_tables.rounding import rounded
from pipeline.config.item_table import SemiTensorTableConfig
from pipeline.errors import ConfigError


class Factors(NamedTuple):
    """How rows and columns of a table split.

    Attributes:
        rows: I1 and I2; their product is at least the rows that are needed.
        columns: J1 and J2; their product is at least the width.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]

    def numbers(self, *, rank: int, t: int) -> int:
        """Returns the numbers in both cores: `I1 J1 R + I2 J2 R / t^2`."""
        (i1, i2), (j1, j2) = self
        return i1 * j1 * rank + i2 * j2 * rank // t**2


def choose_factors(rows: int, width: int, *, rank: int, t: int) -> Factors:
    """Splits any number of rows.

    J2 is t: scores then take one product with each core. Of the ways that are left the one with the
    fewest numbers is taken, the first of several. Rows and columns that are too many are cut off.

    Args:
        rows: Movies and padding.
        width: Of a row.
        rank: R.
        t: Of the identity.
    """
    columns = (math.ceil(width / t), t)
    choices = [Factors((i1, math.ceil(rows / i1)), columns) for i1 in range(1, rows + 1)]
    return min(choices, key=lambda factors: factors.numbers(rank=rank, t=t))


def given_factors(config: SemiTensorTableConfig, rows: int, width: int) -> Factors:
    """Returns the configured factors, or chooses.

    Raises:
        ConfigError: The configured ones do not make the table.
    """
    if config.factors is None:
        return choose_factors(rows, width, rank=config.rank, t=config.t)
    (i1, i2), (j1, j2) = config.factors
    if i1 * i2 < rows or j1 * j2 != width:
        raise ConfigError(
            f"model.item_table.factors: {i1} * {i2} rows and {j1} * {j2} columns, but there are "
            f"{rows - 1} movies and padding, and rows are {width} wide; set it to null, for "
            f"{choose_factors(rows, width, rank=config.rank, t=config.t)}"
        )
    return Factors((i1, i2), (j1, j2))


def nearest_cores(
    rows: npt.NDArray[np.float32], factors: Factors, *, rank: int, t: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Finds the cores whose product is nearest to given rows, by the sum of squares.

    Put as a matrix with a row for each (i2, q) and a column for each (i1, j1, s), a table is the
    product of both cores, so that a truncated singular value decomposition finds them.

    Args:
        rows: float32 [movies + 1, width].
        factors: Of the table.
        rank: R / t.
        t: Of the identity.

    Returns:
        float32 [I1, rank, J1 t] and [I2, J2 / t, rank]; numbers of both are of one size.
    """
    (i1, i2), (j1, j2) = factors
    padded = np.zeros((i1 * i2, j1 * j2), np.float64)
    padded[: rows.shape[0], : rows.shape[1]] = rows
    split = padded.reshape(i1, i2, j1, j2 // t, t).transpose(1, 3, 0, 2, 4)
    left, values, right = np.linalg.svd(split.reshape(i2 * (j2 // t), -1), full_matrices=False)
    first = np.zeros((rank, i1 * j1 * t))
    second = np.zeros((len(left), rank))
    kept = min(rank, len(values))
    # Neither the signs nor the sizes of singular vectors are determined.
    signs = np.sign(right[np.arange(kept), np.abs(right[:kept]).argmax(axis=1)])
    root = np.sqrt(values[:kept]) * signs
    first[:kept], second[:, :kept] = root[:, None] * right[:kept], left[:, :kept] * root
    even = math.sqrt(np.sqrt(np.mean(second**2)) / max(np.sqrt(np.mean(first**2)), 1e-12))
    cores = first * even, second / max(even, 1e-12)
    return (
        cores[0].reshape(rank, i1, j1 * t).transpose(1, 0, 2).astype(np.float32),
        cores[1].reshape(i2, j2 // t, rank).astype(np.float32),
    )


class SemiTensorTable(ItemTable):
    """See the module.

    Rows keep their own lengths with cosine scores too: a device would have to store them.
    """

    def __init__(self, config: SemiTensorTableConfig, spec: TableSpec) -> None:
        """Makes random cores, whose rows have a length near one.

        Args:
            config: Rank, t and bits.
            spec: What it is made for.

        Raises:
            ConfigError: The configured factors do not make the table.
        """
        super().__init__(spec)
        movies, width = spec.movies, spec.width
        self._bits = config.bits
        self._t, rank = config.t, config.rank // config.t
        self.factors = given_factors(config, movies + 1, width)
        (i1, i2), (j1, j2) = self.factors
        # G1[(i1, j1), (r, s)] as [i1, r, (j1, s)], and G2[r, (i2, q)] as [i2, q, r].
        self._first = self._core(
            "first_core", (i1, rank, j1 * self._t), spec.name, 1 / math.sqrt(width)
        )
        self._second = self._core(
            "second_core", (i2, j2 // self._t, rank), spec.name, 1 / math.sqrt(rank)
        )
        self.built = True

    def rows(self) -> tf.Tensor:
        """See `ItemTable.rows`."""
        (i1, i2), (j1, j2) = self.factors
        first = rounded(tf.convert_to_tensor(self._first), self._bits)
        second = rounded(tf.convert_to_tensor(self._second), self._bits)
        rank = first.shape[1]
        product = tf.matmul(tf.reshape(second, [1, -1, rank]), first)
        rows = _in_columns(tf.reshape(product, [i1 * i2, j2 // self._t, j1 * self._t]), self._t)
        return rows[: self._movies + 1, : self.width] * self._not_padding()

    def serve(self) -> ServedTable:
        """See `ItemTable.serve`."""
        first, second = (
            rounded(tf.convert_to_tensor(core), self._bits).numpy()
            for core in (self._first, self._second)
        )
        return _Served(first, second, t=self._t, rows=self._movies + 1, width=self.width)

    def _take(self, rows: npt.NDArray[np.float32]) -> None:
        first, second = nearest_cores(rows, self.factors, rank=self._first.shape[1], t=self._t)
        self._first.assign(first)
        self._second.assign(second)

    def _core(
        self, name: str, shape: tuple[int, int, int], table: str, std: float
    ) -> keras.Variable:
        return self.add_weight(
            shape=shape,
            initializer=keras.initializers.RandomNormal(stddev=std),
            name=f"{table}_{name}",
        )


class _Served(ServedTable):
    """Cores as constants; their shapes are [I1, R / t, J1 t] and [I2, J2 / t, R / t]."""

    def __init__(
        self,
        first: npt.NDArray[np.float32],
        second: npt.NDArray[np.float32],
        *,
        t: int,
        rows: int,
        width: int,
    ) -> None:
        self._first, self._second, self._t = first, second, t
        self._rows, self._width = rows, width

    def look_up(self, ids: tf.Tensor) -> tf.Tensor:
        (_, rank, part), (i2, parts, _) = self._first.shape, self._second.shape
        place = ids // i2
        first = tf.gather(tf.constant(self._first.reshape(len(self._first), -1)), place)
        second = tf.gather(tf.constant(self._second.reshape(i2, -1)), ids - place * i2)
        product = tf.matmul(
            tf.reshape(second, [-1, parts, rank]), tf.reshape(first, [-1, rank, part])
        )
        rows = _in_columns(product, self._t)[:, : self._width]
        return tf.reshape(rows, [-1, ids.shape[1], self._width])

    def scores(self, context: tf.Tensor) -> tf.Tensor:
        (i1, rank, part), (i2, parts, _) = self._first.shape, self._second.shape
        if part * parts > self._width:
            context = tf.pad(context, [[0, 0], [0, part * parts - self._width]])
        if parts > 1:
            context = tf.reshape(context, [-1, part // self._t, parts, self._t])
            context = tf.transpose(context, [0, 2, 1, 3])
        met = tf.matmul(
            tf.reshape(context, [-1, part]),
            tf.constant(self._first.reshape(-1, part)),
            transpose_b=True,
        )
        if parts > 1:
            met = tf.transpose(tf.reshape(met, [-1, parts, i1, rank]), [0, 2, 1, 3])
        scores = tf.matmul(
            tf.reshape(met, [-1, parts * rank]),
            tf.constant(self._second.reshape(i2, -1)),
            transpose_b=True,
        )
        return tf.reshape(scores, [-1, i1 * i2])[:, : self._rows]


def _in_columns(product: tf.Tensor, t: int) -> tf.Tensor:
    """Brings [rows, J2 / t, (J1, t)] into the order of columns: [rows, (J1, J2)]."""
    _, parts, width = product.shape
    if parts == 1:
        return tf.reshape(product, [-1, width])
    split = tf.reshape(product, [-1, parts, width // t, t])
    return tf.reshape(tf.transpose(split, [0, 2, 1, 3]), [-1, parts * width])


def build(config: SemiTensorTableConfig, spec: TableSpec) -> SemiTensorTable:
    """Builds the table; see `registry.build_item_table`."""
    return SemiTensorTable(config, spec)
