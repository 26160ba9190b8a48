"""The semi-tensor product against its definition, its locality and its gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.models.item_tables.base import TableSpec
from modules.models.item_tables.semi_tensor import (
    Factors,
    SemiTensorTable,
    choose_factors,
)
from pipeline.config.item_table import SemiTensorTableConfig
from pipeline.errors import ConfigError


def make_table(movies: int, width: int, **config: Any) -> SemiTensorTable:
    keras.utils.set_random_seed(4)
    return SemiTensorTable(
        SemiTensorTableConfig.model_validate({"name": "semi_tensor", **config}),
        TableSpec("items", movies, width, initial_std=0.02, unit_length=False),
    )


def by_definition(table: SemiTensorTable, t: int) -> npt.NDArray[np.float32]:
    """Builds `G1 (G2 x I_t)` with numpy, from the table's weights."""
    (i1, i2), (j1, j2) = table.factors
    first, second = (weights.numpy() for weights in table.trainable_variables)
    rank = first.shape[1]
    g1 = first.reshape(i1, rank, j1, t).transpose(0, 2, 1, 3).reshape(i1 * j1, rank * t)
    g2 = second.transpose(2, 0, 1).reshape(rank, i2 * j2 // t)
    table_rows = g1 @ np.kron(g2, np.eye(t, dtype=np.float32))
    return np.ascontiguousarray(
        table_rows.reshape(i1, j1, i2, j2).transpose(0, 2, 1, 3).reshape(i1 * i2, j1 * j2)
    )


def test_two_by_hand() -> None:
    # Two rows times two, two columns times one part of t = 2, rank 4 / 2 = 2.
    table = make_table(3, 4, rank=4, t=2, factors=((2, 2), (2, 2)))
    first, second = table.trainable_variables
    first.assign(np.arange(1, 17, dtype=np.float32).reshape(2, 2, 4))
    second.assign(np.array([[[1, 0]], [[2, -1]]], np.float32))
    # Movie 1 is (0, 1): 2 * [1 2 3 4] - [5 6 7 8]; movie 2 is (1, 0): [9 10 11 12]; movie 3 is
    # (1, 1): 2 * [9 10 11 12] - [13 14 15 16]. Row 0, padding, would be [1 2 3 4].
    np.testing.assert_allclose(
        table.rows().numpy(), [[0, 0, 0, 0], [-3, -2, -1, 0], [9, 10, 11, 12], [5, 6, 7, 8]]
    )


@pytest.mark.parametrize("factors", [((3, 4), (4, 2)), ((4, 3), (2, 4)), ((2, 6), (1, 8))])
def test_agrees_with_the_kronecker_product(factors: Any) -> None:
    table = make_table(11, 8, rank=6, t=2, factors=factors)
    expected = by_definition(table, 2)
    expected[0] = 0
    np.testing.assert_allclose(table.rows().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("factors", [((3, 4), (4, 2)), ((4, 3), (2, 4))])
def test_a_row_depends_on_its_own_slices_alone(factors: Any) -> None:
    table = make_table(11, 8, rank=6, t=2, factors=factors)
    (_, i2), _ = table.factors
    movie = 7
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(table.rows()[movie])
    first, second = tape.gradient(loss, table.trainable_variables)
    moved = np.abs(tf.convert_to_tensor(first).numpy()).sum(axis=(1, 2)) > 0
    np.testing.assert_array_equal(np.flatnonzero(moved), [movie // i2])
    moved = np.abs(tf.convert_to_tensor(second).numpy()).sum(axis=(1, 2)) > 0
    np.testing.assert_array_equal(np.flatnonzero(moved), [movie % i2])


def test_every_number_of_both_cores_learns() -> None:
    table = make_table(11, 8, rank=6, t=2, factors=((3, 4), (2, 4)))
    target = np.random.default_rng(1).normal(size=(12, 8)).astype(np.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(table.rows() - target))
    for gradient in tape.gradient(loss, table.trainable_variables):
        assert np.abs(gradient.numpy()).min() > 0


def test_rounding_lets_gradients_pass() -> None:
    table = make_table(11, 8, rank=6, t=2, bits=4, factors=((3, 4), (2, 4)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(table.rows() - 1.0))
    for gradient in tape.gradient(loss, table.trainable_variables):
        assert np.abs(gradient.numpy()).min() > 0


@given(
    rows=st.integers(1, 5000),
    width=st.integers(1, 130),
    rank=st.integers(1, 16),
    t=st.sampled_from([1, 2, 4]),
)
@settings(max_examples=60, deadline=None)
def test_any_catalogue_has_factors(rows: int, width: int, rank: int, t: int) -> None:
    factors = choose_factors(rows, width, rank=rank * t, t=t)
    (i1, i2), (j1, j2) = factors
    assert rows <= i1 * i2 < rows + i1
    assert width <= j1 * j2 < width + t
    for other in (i1 - 1, i1 + 1):
        if 1 <= other <= rows:
            near = Factors((other, -(-rows // other)), factors.columns)
            assert near.numbers(rank=rank * t, t=t) >= factors.numbers(rank=rank * t, t=t)


def test_rows_and_columns_that_are_too_many_are_cut_off() -> None:
    table = make_table(12, 7, rank=4, t=2)
    (i1, i2), (j1, j2) = table.factors
    assert (i1 * i2 > 13) or (j1 * j2 > 7)
    expected = by_definition(table, 2)[:13, :7]
    expected[0] = 0
    np.testing.assert_allclose(table.rows().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("movies", "width", "config"),
    [
        (12, 7, {"rank": 4, "t": 2}),
        (11, 8, {"rank": 6, "t": 2, "factors": ((3, 4), (2, 4))}),
        (11, 8, {"rank": 8, "t": 4, "bits": 4}),
    ],
)
def test_a_device_reads_the_same_rows_and_scores(
    movies: int, width: int, config: dict[str, Any]
) -> None:
    table = make_table(movies, width, **config)
    rows, served = table.rows().numpy(), table.serve()
    ids = np.array([[1, 5, movies], [2, 9, 7]], np.int32)
    np.testing.assert_allclose(served.look_up(tf.constant(ids)).numpy(), rows[ids], atol=1e-6)
    context = np.random.default_rng(3).normal(size=(3, width)).astype(np.float32)
    scores = served.scores(tf.constant(context)).numpy()
    assert scores.shape == (3, movies + 1)
    np.testing.assert_allclose(scores[:, 1:], context @ rows[1:].T, atol=1e-5)


@pytest.mark.parametrize("factors", [((2, 5), (4, 2)), ((3, 4), (3, 2))])
def test_factors_of_another_table_are_refused(factors: Any) -> None:
    with pytest.raises(ConfigError, match=r"11 movies and padding, and rows are 8 wide"):
        make_table(11, 8, rank=6, t=2, factors=factors)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"rank": 7, "t": 2}, "t 2 does not divide rank 7"),
        ({"rank": 8, "t": 4, "factors": ((2, 2), (2, 6))}, "t 4 divide J2"),
    ],
)
def test_impossible_settings_are_refused(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SemiTensorTableConfig.model_validate({"name": "semi_tensor", **settings_})


@pytest.mark.parametrize("factors", [((3, 4), (4, 2)), ((3, 4), (2, 4))])
def test_cores_of_a_table_that_has_some_are_found(factors: Any) -> None:
    given_rows = make_table(11, 8, rank=6, t=2, factors=factors).rows().numpy()
    other = make_table(11, 8, rank=10, t=2, factors=factors)
    assert np.abs(other.rows().numpy() - given_rows).max() > 0.1
    other.begin_from(given_rows)
    # Padding is no row of the product that the rows came from: a larger rank makes up for it.
    np.testing.assert_allclose(other.rows().numpy(), given_rows, atol=1e-5)


def test_too_small_a_rank_takes_the_nearest_cores() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(12, 8)).astype(np.float32)
    rows[0] = 0
    (i1, i2), _ = factors = Factors((3, 4), (4, 2))
    table = make_table(11, 8, rank=4, t=2, factors=factors)
    table.begin_from(rows)
    matrix = rows.reshape(i1, i2, 8).transpose(1, 0, 2).reshape(i2, -1)
    lost = np.square(np.linalg.svd(matrix, compute_uv=False)[2:]).sum()
    missing = np.square(table.rows().numpy() - rows)[1:].sum()
    assert missing <= lost * (1 + 1e-5)
    first, second = (np.sqrt(np.mean(np.square(w.numpy()))) for w in table.trainable_variables)
    assert first == pytest.approx(second, rel=1e-4)
