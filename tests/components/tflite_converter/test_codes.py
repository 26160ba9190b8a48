from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.tflite_converter.codes import (
    FloatArray,
    encode,
    encode_closest,
    encode_exactly,
    pack,
    unpack,
)
from modules.models.item_tables.few_bits import largest_code


def float32(values: object) -> FloatArray:
    return np.array(values, np.float32)


def test_the_largest_magnitude_gets_the_largest_code() -> None:
    codes = encode(float32([[-3.5, 1.0], [0.2, 0.3]]), 4)
    # The step is 3.5 / 7.
    assert codes.steps.tolist() == [0.5]
    assert codes.values.tolist() == [[-7, 2], [0, 1]]
    assert codes.restored().tolist() == [[-3.5, 1.0], [0.0, 0.5]]


def test_an_axis_may_have_a_step_for_each_index() -> None:
    weights = float32([[127.0, -1.0], [0.0, 254.0]])
    by_row = encode(weights, 8, axis=0)
    assert by_row.steps.tolist() == [1.0, 2.0]
    assert by_row.values.tolist() == [[127, -1], [0, 127]]
    by_column = encode(weights, 8, axis=1)
    assert by_column.steps.tolist() == [1.0, 2.0]
    # Halves go to the even neighbour.
    assert by_column.values.tolist() == [[127, 0], [0, 127]]
    assert by_column.restored().tolist() == [[127.0, 0.0], [0.0, 254.0]]


def test_nothing_but_zeros_is_held() -> None:
    codes = encode(np.zeros((2, 3), np.float32), 4, axis=0)
    assert codes.restored().tolist() == [[0.0] * 3] * 2
    assert np.isfinite(codes.steps).all()
    assert encode_exactly(np.zeros((2, 3), np.float32)) is None


def test_one_far_weight_is_cut_off_where_that_is_closer() -> None:
    # With a step of 2, which reaches 14, every 1 is half a step and becomes 0: an error of 63. With
    # the finest that is tried, .6, they become 1.2 and the far one 4.2: 63 * .04 + 96 = 98.6. The
    # best lies in between: 1.44, of which the far one gets 10.08: 63 * .1936 + 15.3664 = 27.563.
    weights = float32([[14.0] + [1.0] * 63])
    whole = encode(weights, 4)
    closest = encode_closest(weights, 4)
    assert np.square(weights - whole.restored()).sum() == 63
    np.testing.assert_allclose(closest.restored()[0, :2], [10.08, 1.44], rtol=1e-6)
    np.testing.assert_allclose(np.square(weights - closest.restored()).sum(), 27.563, rtol=1e-4)


def test_what_is_exact_is_not_cut_off() -> None:
    weights = float32([[7.0, -7.0, 1.0, 2.0], [3.5, 0.5, -1.0, 0.0]])
    codes = encode_closest(weights, 4, axis=0)
    assert codes.restored().tolist() == weights.tolist()
    assert codes.steps.tolist() == [1.0, 0.5]


@pytest.mark.parametrize("largest", [4, 5, 6, 7])
def test_rounded_weights_are_not_rounded_again(largest: int) -> None:
    weights = float32([[0, 1, -2, largest], [3, 0, -largest, 1]]) * float32([[0.37], [11]])
    codes = encode_closest(weights, 4, axis=0)
    np.testing.assert_allclose(codes.restored(), weights, rtol=1e-6)


@pytest.mark.parametrize(
    ("integers", "bits"),
    [
        ([-1, 0, 1, 1], 2),
        ([0, 0, 1, 0], 2),
        ([-7, 3, 0, 7], 4),
        ([-2, 1, 0, 2], 4),
        # The largest code need not occur.
        ([-5, 3, 1, 4], 4),
        # Of 8 bits it does.
        ([-127, 8, 0, 64], 8),
    ],
)
@pytest.mark.parametrize("step", [1.0, 0.1, 1 / 3, 3.7e-5, 12345.678])
def test_small_integers_times_a_step_are_found(integers: list[int], bits: int, step: float) -> None:
    weights = float32(integers) * np.float32(step)
    codes = encode_exactly(weights)
    assert codes is not None
    assert codes.bits == bits
    assert codes.values.tolist() == integers
    np.testing.assert_allclose(codes.restored(), weights, rtol=3e-7)


@pytest.mark.parametrize("integers", [[8, 1, 0], [1, 126, 0], [-9, 7, 2]])
def test_more_levels_are_not_exact(integers: list[int]) -> None:
    assert encode_exactly(float32(integers)) is None


def test_one_weight_beside_the_levels_is_seen() -> None:
    weights = np.full(10_000, 0.5, np.float32)
    assert encode_exactly(weights) is not None
    weights[7777] = 0.5001
    assert encode_exactly(weights) is None


@given(st.lists(st.integers(-7, 7), min_size=1, max_size=30), st.floats(1e-6, 1e6))
def test_every_exact_weight_comes_back(integers: list[int], step: float) -> None:
    weights = float32(integers) * np.float32(step)
    codes = encode_exactly(weights)
    if any(integers):
        assert codes is not None
        top = largest_code(codes.bits)
        # Two bits hold -2 too.
        assert -top - (codes.bits == 2) <= codes.values.min() <= codes.values.max() <= top
        np.testing.assert_allclose(codes.restored(), weights, rtol=1e-5)
    else:
        assert codes is None


def test_the_first_code_lies_in_the_lowest_bits() -> None:
    codes = np.array([[1, -1, 7], [-7, 0, 2]], np.int8)
    assert pack(codes, 8).tolist() == [1, 255, 7, 249, 0, 2]
    # -1 is 1111, -7 is 1001 in four bits; rows follow each other within a byte.
    assert pack(codes, 4).tolist() == [0xF1, 0x97, 0x20]
    # An odd number of codes leaves half a byte of zeros.
    assert pack(codes.reshape(-1)[:5], 4).tolist() == [0xF1, 0x97, 0x00]
    assert pack(np.array([1, -1, 0, 1, -1], np.int8), 2).tolist() == [0b01_00_11_01, 0b11]


@given(
    bits=st.sampled_from([2, 4, 8]),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    data=st.data(),
)
def test_what_was_packed_can_be_read_again(
    bits: int, rows: int, columns: int, data: st.DataObject
) -> None:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    codes = data.draw(
        st.lists(st.integers(low, high), min_size=rows * columns, max_size=rows * columns)
    )
    values = np.array(codes, np.int8).reshape(rows, columns)
    assert unpack(pack(values, bits), bits, (rows, columns)).tolist() == values.tolist()
