"""The three forms of the recurrence against complex numbers of numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.models.linear_recurrence import (
    Decay,
    all_states,
    all_states_unrolled,
    conjugate,
    last_state,
    product,
)

Array = npt.NDArray[np.float32]


def real(values: npt.NDArray[np.complex128]) -> Array:
    return np.concatenate([values.real, values.imag], axis=-1).astype(np.float32)


def decay_of(factor: npt.NDArray[np.complex128]) -> Decay:
    return Decay(
        tf.constant((-np.log(np.abs(factor))).astype(np.float32)),
        tf.constant(np.angle(factor).astype(np.float32)),
    )


def test_product_and_conjugate_by_hand() -> None:
    # (1 + 2i)(3 + 4i) = -5 + 10i, and i * i = -1, side by side.
    left, right = tf.constant([1.0, 0.0, 2.0, 1.0]), tf.constant([3.0, 0.0, 4.0, 1.0])
    np.testing.assert_array_equal(product(left, right), [-5, -1, 10, 0])
    np.testing.assert_array_equal(conjugate(left), [1, 0, -2, -1])


def test_states_by_hand() -> None:
    # One channel that halves and turns by a quarter: 1, then 0.5i + 1, then -0.25 + 0.5i + i.
    decay = decay_of(np.array([0.5j]))
    driven = tf.constant([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]]])
    expected = np.array([[[1, 0]], [[1, 0.5]], [[-0.25, 1.5]]])
    np.testing.assert_allclose(all_states(driven, decay), expected, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(length=st.integers(1, 40), seed=st.integers(0, 2**31))
def test_all_forms_are_the_recurrence(length: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    factor = random.uniform(0.3, 0.999, 3) * np.exp(1j * random.uniform(-np.pi, np.pi, 3))
    driven = random.normal(size=(2, length, 3)) + 1j * random.normal(size=(2, length, 3))
    state = np.zeros((2, 3), np.complex128)
    expected = np.zeros_like(driven)
    for event in range(length):
        state = expected[:, event] = factor * state + driven[:, event]
    decay, given_ = decay_of(factor), tf.constant(real(driven))
    events_first = all_states(tf.transpose(given_, [1, 0, 2]), decay)
    np.testing.assert_allclose(tf.transpose(events_first, [1, 0, 2]), real(expected), atol=5e-5)
    np.testing.assert_allclose(all_states_unrolled(given_, decay), real(expected), atol=5e-5)
    np.testing.assert_allclose(last_state(given_, decay), real(expected[:, -1]), atol=5e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_gradient_is_that_of_the_unrolled_form(compiled: bool) -> None:
    random = np.random.default_rng(4)
    rate = tf.constant([0.1, 0.5])
    angle = tf.constant([0.3, 2.0])
    driven = tf.constant(random.normal(size=(3, 5, 4)).astype(np.float32))
    wanted = tf.constant(random.normal(size=(3, 5, 4)).astype(np.float32))

    def gradients(looped: bool) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([driven, rate, angle])
            decay = Decay(rate, angle)
            if looped:
                states = tf.transpose(all_states(tf.transpose(driven, [1, 0, 2]), decay), [1, 0, 2])
            else:
                states = all_states_unrolled(driven, decay)
            loss = tf.reduce_sum(wanted * tf.sin(states))
        found: list[tf.Tensor] = tape.gradient(loss, [driven, rate, angle])
        return found

    expected = gradients(looped=False)
    found = tf.function(gradients, jit_compile=compiled)(looped=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
