from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.models.item_tables.elastic_layout import (
    Grid,
    all_layouts,
    layout_at,
    make_grid,
    shares_by_fall,
    shares_in_order,
    steps_of,
)
from pipeline.errors import ConfigError


def test_segments_double() -> None:
    grid = make_grid(16, 4, 2)
    # Movies 1-2, 3-4, 5-8, 9-16; padding joins the first.
    assert grid.borders == (0, 3, 5, 9, 17)
    assert grid.sizes.tolist() == [3, 2, 4, 8]
    assert grid.segment_of_row.tolist() == [0] * 3 + [1] * 2 + [2] * 4 + [3] * 8


def test_too_few_movies_for_the_segments_are_refused() -> None:
    assert make_grid(8, 4, 2).borders == (0, 2, 3, 5, 9)
    with pytest.raises(ConfigError, match="4 segments that double need 8 movies, there are 7"):
        make_grid(7, 4, 2)


def test_a_fall_of_a_half_by_hand() -> None:
    # Two segments of 3 and 2 rows. Wanted of the first: 1, 2, 3, 4; of the second: 2, 4, 6, 8.
    # First blocks together hold a quarter; then 3, 3, 3 of the first segment and 2, 2, 2 of the
    # second by what is wanted: (0,1) at 2, (0,2) at 3, (1,1) at 4 before (0,3) as an earlier block.
    grid = Grid((0, 3, 5), 4)
    shares = shares_by_fall(grid, 0.5)
    taken = [[5, 8, 11, 16], [5, 13, 18, 20]]
    np.testing.assert_allclose(shares, np.array(taken) / 20)
    assert all_layouts(shares) == [(1, 1), (2, 1), (3, 1), (3, 2), (4, 2), (4, 3), (4, 4)]
    assert layout_at(shares, 0.6) == (3, 1)


def test_two_blocks_that_every_movie_keeps_by_hand() -> None:
    # As above, but the first two blocks together hold 10 of 20, and are there for any share.
    shares = shares_by_fall(Grid((0, 3, 5), 4), 0.5, smallest=2)
    taken = [[10, 10, 13, 16], [10, 10, 18, 20]]
    np.testing.assert_allclose(shares, np.array(taken) / 20)
    assert all_layouts(shares) == [(2, 2), (3, 2), (4, 2), (4, 3), (4, 4)]
    assert layout_at(shares, 0.1) == (2, 2)


def test_no_fall_takes_blocks_of_all_movies_in_turn() -> None:
    shares = shares_by_fall(Grid((0, 3, 5), 3), 1.0)
    assert all_layouts(shares) == [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]


@settings(deadline=None)
@given(
    movies=st.integers(8, 3000),
    segments=st.integers(1, 4),
    blocks=st.integers(1, 9),
    smallest=st.integers(1, 9),
    fall=st.floats(0.1, 1),
)
def test_layouts_are_staircases_that_grow_to_the_whole_table(
    movies: int, segments: int, blocks: int, smallest: int, fall: float
) -> None:
    grid, smallest = make_grid(movies, segments, blocks), min(smallest, blocks)
    shares = shares_by_fall(grid, fall, smallest=smallest)
    layouts = all_layouts(shares)
    assert layouts[0] == (smallest,) * segments
    assert layouts[-1] == (blocks,) * segments
    for smaller, larger in itertools.pairwise(layouts):
        assert all(a <= b for a, b in zip(smaller, larger, strict=True))
        assert list(larger) == sorted(larger, reverse=True)
        assert smaller != larger


@settings(deadline=None)
@given(seed=st.integers(0, 1000))
def test_shares_rise_to_one_along_every_row_and_column(seed: int) -> None:
    wanted = np.random.default_rng(seed).random((4, 6)).cumsum(axis=0).cumsum(axis=1)
    shares = shares_in_order(make_grid(100, 4, 6), wanted)
    assert (np.diff(shares, axis=1) > 0).all()
    assert (np.diff(shares, axis=0) >= 0).all()
    assert shares.max() == 1


def test_neighbours_with_as_many_blocks_are_one_step() -> None:
    grid = make_grid(16, 4, 4)
    assert steps_of((4, 2, 2, 1), grid) == [(0, 3, 4), (3, 9, 2), (9, 17, 1)]
    assert steps_of((3, 3, 3, 3), grid) == [(0, 17, 3)]
