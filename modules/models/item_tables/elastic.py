"""One training, any budget: a table whose columns are in blocks that may be left out.

PEEL (Zheng et al., arXiv 2306.10532) trains a table of blocks once and gives each device those that
its memory holds. Here blocks are taken in a fixed order, see `elastic_layout`, and training sees
the tables of all budgets: each part of an update draws one (as in slimmable networks, Yu et al.,
2019, and Matryoshka representations, Kusupati et al., 2022). A regulariser keeps blocks from
holding the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.base import ItemTable, ServedTable, TableSpec
from modules.models.item_tables.constant import ConstantTable
from modules.models.item_tables.elastic_groups import AFFINITIES_FILE
from modules.models.item_tables.elastic_layout import (
    Layout,
    layout_at,
    make_grid,
    shares_by_fall,
)
from modules.models.item_tables.elastic_master import FILE, ElasticMaster, GroupTable
from modules.models.item_tables.rounding import rounded_by, step_of
from modules.models.layers import unit_rows
from pipeline.config.item_table import ElasticTableConfig

# Far from the numbers of the places of dropout, and from the loss's.
_DRAW = 998


class ElasticTable(ItemTable):
    """See the module.

    Attributes:
        grid: Its segments and blocks.
        shares: float64 [segments, blocks], the order of cells: see `shares_in_order`.
        layout: What `rows` and `serve` keep: everything, but inside `limited_to`.
        groups: Tables of groups of users, which training may add at its end.
        affinities: int8 [movies + 1, groups], how a device tells its group; None without groups.
    """

    def __init__(self, config: ElasticTableConfig, spec: TableSpec) -> None:
        """Makes random rows.

        Args:
            config: Blocks, segments, bits and how they are trained.
            spec: What it is made for.

        Raises:
            ConfigError: There are too few movies for the segments.
        """
        super().__init__(spec)
        movies, width = spec.movies, spec.width
        self._config = config
        self._unit_length = spec.unit_length
        self.grid = make_grid(movies, config.segments, config.blocks)
        self.shares = shares_by_fall(self.grid, config.fall, smallest=config.smallest)
        self.layout: Layout = layout_at(self.shares, 1.0)
        self.groups: tuple[GroupTable, ...] = ()
        self.affinities: npt.NDArray[np.int8] | None = None
        self._factors: tf.Tensor | None = None
        self._weights = self.add_weight(
            shape=(movies + 1, width),
            initializer=keras.initializers.RandomNormal(stddev=spec.initial_std),
            name=spec.name,
        )
        self._weights.assign(self._weights * self._not_padding())
        # Rows of fewer blocks meet a shorter part of the context.
        self._gains = self.add_weight(
            shape=(config.blocks,), initializer="ones", name=f"{spec.name}_gains"
        )
        self.built = True

    def rows(self) -> tf.Tensor:
        """See `ItemTable.rows`: those of `layout`."""
        return self._rows_of(tf.constant(self.layout, tf.int32))

    def training_rows(self, seed: tf.Tensor) -> tf.Tensor:
        """See `ItemTable.training_rows`: those of a budget that is drawn."""
        ends, size = tf.unstack(
            tf.random.stateless_uniform([2], seed + tf.constant([0, _DRAW], tf.int32))
        )
        # Budgets are drawn by their logarithm: halving one is as much a step at either end.
        share = tf.exp(-np.log(self.grid.blocks / self._config.smallest) * size)
        share = tf.where(ends < self._config.full_share, 1.0, share)
        smallest = tf.constant(self.shares.min(), tf.float32)
        share = tf.where(ends >= 1 - self._config.smallest_share, 0.0, share)
        taken = tf.constant(self.shares, tf.float32) <= tf.maximum(share, smallest)
        return self._rows_of(tf.reduce_sum(tf.cast(taken, tf.int32), axis=1))

    def regularisation(self) -> tf.Tensor | None:
        """See `ItemTable.regularisation`: the mean squared correlation between blocks' columns."""
        blocks = self.grid.blocks
        if not self._config.diversity_weight or blocks == 1:
            return None
        rows = unit_rows(tf.convert_to_tensor(self._weights))[1:]
        columns = tf.math.l2_normalize(rows - tf.reduce_mean(rows, axis=0), axis=0)
        correlation = tf.matmul(columns, columns, transpose_a=True)
        block = np.arange(self.width) // (self.width // blocks)
        other = tf.constant(block[:, np.newaxis] != block, tf.float32)
        mean = tf.reduce_sum(tf.square(correlation) * other) / tf.reduce_sum(other)
        return self._config.diversity_weight * mean

    def serve(self) -> ServedTable:
        """See `ItemTable.serve`."""
        return ConstantTable(self.rows().numpy())

    def _take(self, rows: npt.NDArray[np.float32]) -> None:
        # What counts most in the teacher's scores stands in the first columns.
        self._weights.assign(rows * self._not_padding())

    def master(self) -> ElasticMaster:
        """Returns the whole table, from which files for budgets are cut."""
        return ElasticMaster(
            grid=self.grid,
            bits=self._config.bits,
            unit_length=self._unit_length,
            groups=(self.snapshot(), *self.groups),
        )

    def snapshot(self) -> GroupTable:
        """Returns the table as it is now; factors of blocks are no part of it."""
        return GroupTable(self._weights.numpy(), self._gains.numpy(), self.shares)

    def take_over(self, table: GroupTable) -> None:
        """Becomes what `snapshot` gave."""
        self._weights.assign(table.weights)
        self._gains.assign(table.gains)
        self.shares = table.shares

    def assets(self) -> dict[str, bytes]:
        """See `ItemTable.assets`: the whole table, and what tells a device its group."""
        files = {FILE: self.master().to_bytes()}
        if self.affinities is not None:
            files[AFFINITIES_FILE] = self.affinities.tobytes()
        return files

    @contextlib.contextmanager
    def limited_to(self, layout: Layout) -> Iterator[None]:
        """Lets `rows` and `serve` keep fewer blocks inside a block of code."""
        before, self.layout = self.layout, layout
        try:
            yield
        finally:
            self.layout = before

    @contextlib.contextmanager
    def weighted_by(self, factors: tf.Tensor) -> Iterator[None]:
        """Lets all rows be made of blocks times factors inside a block of code.

        Args:
            factors: float32 [segments, blocks], a tensor or a variable.
        """
        before, self._factors = self._factors, factors
        try:
            yield
        finally:
            self._factors = before

    @property
    def row_weights(self) -> list[keras.Variable]:
        """See `ItemTable.row_weights`."""
        return [self._weights]

    def _rows_of(self, kept: tf.Tensor) -> tf.Tensor:
        """Returns the rows of any layout.

        Args:
            kept: int32 [segments], at least one block each.

        Returns:
            float32 [movies + 1, width], zeros where a block is left out.
        """
        kept_of_row = tf.gather(kept, self.grid.segment_of_row)
        block_of_column = np.arange(self.width) // (self.width // self.grid.blocks)
        is_kept = tf.cast(block_of_column < kept_of_row[:, tf.newaxis], tf.float32)
        rows = tf.convert_to_tensor(self._weights) * is_kept
        if self._factors is not None:
            by_column = tf.gather(self._factors, block_of_column, axis=1)
            rows *= tf.gather(by_column, self.grid.segment_of_row)
        if self._unit_length:
            rows = unit_rows(rows)
        rows *= tf.gather(self._gains, kept_of_row - 1)[:, tf.newaxis]
        return rows if self._config.bits is None else self._rounded(rows, kept, self._config.bits)

    def _rounded(self, rows: tf.Tensor, kept: tf.Tensor, bits: int) -> tf.Tensor:
        """Rounds with a step of their own the rows that keep as many blocks: a device's table."""
        frozen = tf.stop_gradient(rows)
        parts = [
            frozen[start:end]
            for start, end in zip(self.grid.borders, self.grid.borders[1:], strict=False)
        ]
        squares = tf.stack([tf.reduce_sum(tf.square(part)) for part in parts])
        numbers = tf.cast(kept, tf.float32) * (self.grid.sizes * (self.width // self.grid.blocks))
        highest = tf.stack([tf.reduce_max(tf.abs(part)) for part in parts])
        joined = tf.cast(kept[:, tf.newaxis] == kept, tf.float32)
        square = tf.linalg.matvec(joined, squares) / tf.linalg.matvec(joined, numbers)
        steps = step_of(square, tf.reduce_max(joined * highest, axis=1), bits)
        step = tf.gather(steps, self.grid.segment_of_row)[:, tf.newaxis]
        return rounded_by(step, rows, bits)


def build(config: ElasticTableConfig, spec: TableSpec) -> ElasticTable:
    """Builds the table; see `registry.build_item_table`."""
    return ElasticTable(config, spec)
