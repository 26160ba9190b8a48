"""Which blocks of an elastic table a budget keeps: a staircase over popularity. Without TensorFlow.

Rows are in segments, most popular first, columns in blocks. A cell is a block of a segment. Cells
are taken in a fixed order, and each segment's blocks in theirs, so that what a budget keeps is a
number of blocks for each segment: a layout. Less popular movies never have more blocks, and every
movie has its first, or its first few.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError

Layout = tuple[int, ...]
"""How many blocks each segment keeps, never more than the one before."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """Segments of rows and blocks of columns.

    Attributes:
        borders: [segments + 1], the first row of each segment, from 0, and the number of rows.
        blocks: Of a row.
    """

    borders: tuple[int, ...]
    blocks: int

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """int64 [segments]: rows of each."""
        return np.diff(np.array(self.borders, np.int64))

    @property
    def segment_of_row(self) -> npt.NDArray[np.int32]:
        """int32 [rows]: the segment of each."""
        return np.repeat(np.arange(len(self.borders) - 1, dtype=np.int32), self.sizes)


def make_grid(movies: int, segments: int, blocks: int) -> Grid:
    """Makes segments that double: each has as many movies as all before it.

    Args:
        movies: Of the vocabulary, by falling count; row 0, of padding, joins the first segment.
        segments: How many.
        blocks: Of a row.

    Raises:
        ConfigError: There are too few movies.
    """
    if movies < 2 ** (segments - 1):
        raise ConfigError(
            f"model.item_table.segments: {segments} segments that double need "
            f"{2 ** (segments - 1)} movies, there are {movies}; set it lower"
        )
    ends = [-(-movies // 2 ** (segments - number)) for number in range(1, segments + 1)]
    return Grid((0, *(end + 1 for end in ends)), blocks)


def shares_by_fall(
    grid: Grid,
    fall: float,
    weights: npt.NDArray[np.float32] | None = None,
    *,
    smallest: int = 1,
) -> npt.NDArray[np.float64]:
    """Orders cells such that each segment has `fall` times the blocks of the one before.

    Rows as wide as their popularity asks for are the idea of mixed dimension embeddings (Ginart et
    al., arXiv 1909.11810).

    Args:
        grid: The cells.
        fall: In (0, 1].
        weights: float32 [segments, blocks], above zero: cells of larger weights come earlier, as
            far as blocks and segments stay in their order; 1 moves nothing.
        smallest: Blocks that every movie keeps.

    Returns:
        See `shares_in_order`.
    """
    segments, blocks = len(grid.sizes), grid.blocks
    wanted = (np.arange(blocks) + 1) / fall ** np.arange(segments)[:, np.newaxis]
    if weights is not None:
        wanted = wanted / weights
    for axis in (0, 1):
        wanted = np.maximum.accumulate(wanted, axis=axis)
    return shares_in_order(grid, wanted, smallest=smallest)


def shares_in_order(
    grid: Grid, wanted: npt.NDArray[np.float64], *, smallest: int = 1
) -> npt.NDArray[np.float64]:
    """Takes cells one after the other and adds up what they hold.

    Args:
        grid: The cells.
        wanted: float64 [segments, blocks], rising along both axes: the lower, the earlier. Of equal
            ones earlier blocks come first, then earlier segments.
        smallest: Blocks that every movie keeps.

    Returns:
        float64 [segments, blocks]: the share of the whole table that is taken with this cell, those
        before it included. The `smallest` first blocks are taken together, before all else.
    """
    segments, blocks = wanted.shape
    block = np.arange(blocks)[np.newaxis].repeat(segments, axis=0).ravel()
    order = np.lexsort((np.arange(wanted.size), block, wanted.ravel(), block >= smallest))
    sizes = grid.sizes[:, np.newaxis].repeat(blocks, axis=1).ravel()
    taken = np.cumsum(sizes[order])
    shares = np.empty(wanted.size)
    shares[order] = taken / taken[-1]
    shares = shares.reshape(wanted.shape)
    shares[:, :smallest] = smallest / blocks
    return shares


def layout_at(shares: npt.NDArray[np.float64], share: float) -> Layout:
    """Returns the largest layout within a share of the table; never less than its smallest.

    Args:
        shares: float64 [segments, blocks], see `shares_in_order`.
        share: In [0, 1].
    """
    return tuple(int(kept) for kept in (shares <= max(share, shares.min())).sum(axis=1))


def all_layouts(shares: npt.NDArray[np.float64]) -> list[Layout]:
    """Returns every layout, smallest first; the last one is the whole table."""
    return [layout_at(shares, share) for share in np.unique(shares)]


def steps_of(layout: Sequence[int], grid: Grid) -> list[tuple[int, int, int]]:
    """Joins neighbouring segments that keep as many blocks.

    Returns:
        First row, end of rows and blocks of each, in order.
    """
    steps: list[tuple[int, int, int]] = []
    for start, end, kept in zip(grid.borders, grid.borders[1:], layout, strict=False):
        if steps and steps[-1][2] == kept:
            steps[-1] = (steps[-1][0], end, kept)
        else:
            steps.append((start, end, kept))
    return steps
