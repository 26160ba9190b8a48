from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from modules.models.item_tables.few_bits import largest_code
from modules.models.item_tables.rounding import rounded


@pytest.mark.parametrize(("bits", "largest"), [(2, 1), (4, 7), (8, 127)])
def test_codes_are_symmetric(bits: int, largest: int) -> None:
    assert largest_code(bits) == largest


def test_two_bits_by_hand() -> None:
    # Squares of 0.01, 0.25, 0.49, 3.25 and 1: a mean of 1. Beyond .612 numbers become 1.224.
    values = tf.constant([0.1, 0.5, -0.7, 3.25**0.5, 1.0])
    np.testing.assert_allclose(rounded(values, 2).numpy(), [0, 0, -1.224, 1.224, 1.224], rtol=1e-6)


def test_eight_bits_by_hand() -> None:
    # The largest is 127, so that the step is one.
    values = tf.constant([127.0, -3.4, 0.6])
    np.testing.assert_allclose(rounded(values, 8).numpy(), [127, -3, 1], rtol=1e-6)


def test_zeros_stay_zeros() -> None:
    assert rounded(tf.zeros([3]), 4).numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_numbers_become_multiples_of_one_step(bits: int) -> None:
    values = tf.constant(np.random.default_rng(0).normal(0, 0.1, (500, 64)).astype(np.float32))
    result = rounded(values, bits).numpy()
    codes = result / (np.abs(result).max() / largest_code(bits))
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-3)
    if bits < 8:
        assert len(np.unique(np.round(codes))) == 2 * largest_code(bits) + 1
    errors = {2: 0.45, 4: 0.12, 8: 0.02}
    assert np.sqrt(np.mean((result - values.numpy()) ** 2)) < errors[bits] * 0.1


def test_no_bits_round_nothing() -> None:
    values = tf.constant([1.234, -0.5])
    assert rounded(values, None) is values


def test_gradients_pass() -> None:
    values = tf.Variable([0.3, -5.0, 0.01])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(rounded(tf.convert_to_tensor(values), 4) * [1.0, 2.0, 3.0])
    np.testing.assert_allclose(tape.gradient(loss, values).numpy(), [1, 2, 3])
