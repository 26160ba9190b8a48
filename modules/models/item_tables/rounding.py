"""Rounding in training, as few bits on a device will round (Jacob et al., 2018)."""

from __future__ import annotations

import tensorflow as tf

from modules.models.item_tables.few_bits import (
    BETWEEN_STEP,
    NORMAL_STEPS,
    SMALLEST_STEP,
    largest_code,
)


def rounded(values: tf.Tensor, bits: int | None) -> tf.Tensor:
    """Rounds numbers to multiples of one step; gradients pass as if nothing was done.

    Args:
        values: float32, of any shape.
        bits: 2, 4 or 8; None rounds nothing.

    Returns:
        As `values`: -largest..largest code times the step, which follows the numbers' root mean
        square, or with 8 bits the largest.
    """
    if bits is None:
        return values
    frozen = tf.stop_gradient(values)
    step = step_of(tf.reduce_mean(tf.square(frozen)), tf.reduce_max(tf.abs(frozen)), bits)
    return rounded_by(step, values, bits)


def rounded_by(step: tf.Tensor, values: tf.Tensor, bits: int) -> tf.Tensor:
    """Rounds numbers to multiples of given steps; gradients pass as if nothing was done.

    Args:
        step: float32, of a shape that broadcasts to that of `values`.
        values: float32, of any shape.
        bits: 2, 4 or 8.
    """
    top = largest_code(bits)
    frozen = tf.stop_gradient(values)
    codes = tf.clip_by_value(tf.round(frozen / step), -top, top)
    return values + (codes * step - frozen)


def step_of(mean_square: tf.Tensor, highest: tf.Tensor, bits: int) -> tf.Tensor:
    """Returns the step between codes of numbers.

    Args:
        mean_square: float32, of any shape: of the numbers that share a step.
        highest: float32, as `mean_square`: their largest magnitude.
        bits: 2, 4 or 8.
    """
    step = (
        NORMAL_STEPS[bits] * tf.sqrt(mean_square)
        if bits in NORMAL_STEPS
        else highest / largest_code(bits)
    )
    return tf.maximum(step, SMALLEST_STEP)


def rounded_between(values: tf.Tensor) -> tf.Tensor:
    """Rounds numbers to 2 bits without a zero: -1.5, -.5, .5 or 1.5 steps; gradients pass.

    Four codes lose a third less of a normal distribution than the three of `rounded`: .119 of its
    variance instead of .190. Less half a step, the numbers are the codes -2, -1, 0 and 1.

    Args:
        values: float32, of any shape.

    Returns:
        As `values`.
    """
    frozen = tf.stop_gradient(values)
    step = between_step(frozen)
    codes = tf.clip_by_value(tf.floor(frozen / step), -2, 1)
    return values + ((codes + 0.5) * step - frozen)


def between_step(values: tf.Tensor) -> tf.Tensor:
    """Returns the step of `rounded_between`, float32 []."""
    return tf.maximum(BETWEEN_STEP * tf.sqrt(tf.reduce_mean(tf.square(values))), SMALLEST_STEP)
