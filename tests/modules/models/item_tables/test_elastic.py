"""Rows of any layout, and what training sees of them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules.models.item_tables.base import TableSpec
from modules.models.item_tables.elastic import ElasticTable
from pipeline.config.item_table import ElasticTableConfig
from pipeline.config.model import ModelConfig


def make_table(
    movies: int = 40, width: int = 8, *, unit_length: bool = True, **config: Any
) -> ElasticTable:
    keras.utils.set_random_seed(5)
    return ElasticTable(
        ElasticTableConfig.model_validate({"name": "elastic", "blocks": 4, **config}),
        TableSpec("items", movies, width, initial_std=0.3, unit_length=unit_length),
    )


def test_rows_of_a_layout_by_hand() -> None:
    table = make_table(2, 2, blocks=2, segments=2)
    weights, gains = table.trainable_variables
    weights.assign([[0, 0], [3, 4], [5, -12]])
    gains.assign([7, 1])
    expected = np.array([[0, 0], [0.6, 0.8], [5 / 13, -12 / 13]])
    np.testing.assert_allclose(table.rows().numpy(), expected, rtol=1e-5)
    # The second movie keeps one number, of length one, times the gain of one block.
    with table.limited_to((2, 1)):
        expected = np.array([[0, 0], [0.6, 0.8], [7, 0]])
        np.testing.assert_allclose(table.rows().numpy(), expected, rtol=1e-5)
    assert table.layout == (2, 2)


def test_a_dot_product_keeps_lengths() -> None:
    table = make_table(2, 2, blocks=2, segments=2, unit_length=False)
    table.trainable_variables[0].assign([[0, 0], [3, 4], [5, -12]])
    with table.limited_to((2, 1)):
        np.testing.assert_allclose(table.rows(), [[0, 0], [3, 4], [5, 0]])


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_rows_with_as_many_blocks_share_one_step(bits: int) -> None:
    table = make_table(unit_length=False, segments=3, bits=bits)
    scale = np.linspace(3, 1, 41)[:, np.newaxis]
    table.trainable_variables[0].assign(table.trainable_variables[0] * scale)
    with table.limited_to((4, 2, 2)):
        rows = table.rows().numpy()
    head, rest = rows[:11], rows[11:]
    assert (rest[:, 4:] == 0).all()
    top = {2: 1, 4: 7, 8: 127}[bits]
    for part in (head, rest):
        codes = part / (np.abs(part).max() / top)
        np.testing.assert_allclose(codes, np.round(codes), atol=1e-3)
    assert np.abs(head).max() > 1.2 * np.abs(rest).max()


def test_training_draws_budgets_by_the_seed() -> None:
    table = make_table(segments=3, fall=0.7, full_share=0.5)

    def layout(number: int) -> tuple[int, ...]:
        kept = table.training_rows(tf.constant([3, number])).numpy().reshape(41, 4, 2).any(axis=2)
        first_rows = kept[np.array(table.grid.borders[:-1]) + 1]
        return tuple(int(count) for count in first_rows.sum(axis=1))

    drawn = [layout(number) for number in range(60)]
    assert [layout(number) for number in range(60)] == drawn
    assert 15 < drawn.count((4, 4, 4)) < 45
    assert len(set(drawn)) > 5
    assert all(list(kept) == sorted(kept, reverse=True) for kept in drawn)


def test_shares_of_training_see_either_end() -> None:
    table = make_table(segments=2, full_share=0.25, smallest_share=0.5, smallest=2)

    def kept(number: int) -> tuple[int, ...]:
        rows = table.training_rows(tf.constant([3, number])).numpy()
        return tuple(int(row.any()) for row in rows[-1].reshape(4, 2))

    drawn = [kept(number) for number in range(200)]
    # Half of 200 see two blocks, and of the quarter between the ends those below a share of three
    # quarters: .58, by the logarithm. A quarter sees all. Three standard deviations are 21 and 18.
    assert 108 < drawn.count((1, 1, 0, 0)) < 150
    assert 32 < drawn.count((1, 1, 1, 1)) < 68


def test_training_draws_no_fewer_blocks_than_files_keep() -> None:
    table = make_table(segments=1, full_share=0.0, smallest=2)
    kept = [
        int(
            table.training_rows(tf.constant([3, number])).numpy()[1].reshape(4, 2).any(axis=1).sum()
        )
        for number in range(40)
    ]
    # Of shares from a half to one by their logarithm: 2 blocks in .58 of draws, 3 in .42.
    assert 16 < kept.count(2) < 31
    assert set(kept) == {2, 3}


def test_all_of_training_may_see_the_whole_table() -> None:
    table = make_table(full_share=1.0)
    for number in range(5):
        rows = table.training_rows(tf.constant([3, number]))
        np.testing.assert_array_equal(rows, table.rows())


def regularisation(table: ElasticTable) -> tf.Tensor:
    found = table.regularisation()
    assert found is not None
    return found


def test_the_correlation_of_blocks_by_hand() -> None:
    table = make_table(4, 2, blocks=2, segments=1, diversity_weight=0.5)
    weights = table.trainable_variables[0]
    weights.assign([[0, 0], [1, 1], [1, 1], [-1, -1], [-1, -1]])
    assert float(regularisation(table)) == pytest.approx(0.5, rel=1e-5)
    weights.assign([[0, 0], [1, 1], [1, -1], [-1, 1], [-1, -1]])
    assert float(regularisation(table)) == pytest.approx(0.0, abs=1e-6)
    assert make_table(diversity_weight=0).regularisation() is None


def test_a_teachers_rows_are_taken_as_they_are() -> None:
    table = make_table(30, 4, unit_length=False)
    rows = np.random.default_rng(0).normal(size=(31, 4)).astype(np.float32)
    table.begin_from(rows)
    np.testing.assert_array_equal(table.rows()[1:], rows[1:])
    np.testing.assert_array_equal(table.rows()[0], np.zeros(4))
    table.begin_from(None)
    np.testing.assert_array_equal(table.rows()[1:], rows[1:])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 20}, "8 equal blocks do not make a width of 20"),
        ({"dim": 24, "item_table": {"name": "elastic", "bits": 4}}, "3 columns of 4 bits, which"),
        ({"dim": 48, "item_table": {"name": "elastic", "bits": 2}}, "6 columns of 2 bits, which"),
        ({"tied": False}, "set tied: true"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig.model_validate({"item_table": "elastic", **settings})
