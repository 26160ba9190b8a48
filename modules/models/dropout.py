"""Dropout whose mask is a pure function of a seed."""

from __future__ import annotations

import tensorflow as tf


class Dropout:
    """Drops values at one place of a model.

    Keras keeps its random state in a variable. Here the seed comes with each update, so that a
    resumed run draws the masks that the killed one would have drawn, and parts of a batch can be
    computed side by side.

    Masks come from an integer hash of the values' places. TensorFlow's generators take ten times
    as long, a twentieth of a whole update; statistical quality beyond a hash's is not needed here.
    """

    def __init__(self, rate: float, site: int) -> None:
        """Makes one place of dropout.

        Args:
            rate: Share of values dropped, in [0, 1).
            site: Number that tells this place in the model from the others.
        """
        self._rate = rate
        self._site = site

    def __call__(self, values: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Drops values of any shape and scales the others up; without a seed, does nothing.

        Args:
            values: Any float tensor.
            seed: int32 [2], or None outside of training.
        """
        if seed is None or self._rate == 0:
            return values
        numbers = _random_bits(tf.size(values), seed, self._site)
        kept = tf.reshape(numbers, tf.shape(values)) >= tf.constant(
            int(self._rate * 2**32), tf.uint32
        )
        return tf.where(kept, values / (1 - self._rate), 0.0)


def _random_bits(count: tf.Tensor, seed: tf.Tensor, site: int) -> tf.Tensor:
    """Returns uint32 [count], evenly spread, another sequence for each seed and site."""
    first, second = tf.unstack(tf.bitcast(seed, tf.uint32))
    key = _hash(first + _hash(second + _hash(tf.constant(site, tf.uint32))))
    # An odd factor: neighbours start far apart.
    place = tf.cast(tf.range(count), tf.uint32) * tf.constant(0x9E3779B9, tf.uint32)
    return _hash(place + key)


def _hash(values: tf.Tensor) -> tf.Tensor:
    """Scrambles uint32 values one by one: lowbias32 (Wellons, 2018, public domain)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        values = _xor_shifted(values, shift) * tf.constant(factor, tf.uint32)
    return _xor_shifted(values, 16)


def _xor_shifted(values: tf.Tensor, shift: int) -> tf.Tensor:
    shifted = tf.bitwise.right_shift(values, tf.constant(shift, tf.uint32))
    return tf.bitwise.bitwise_xor(values, shifted)
