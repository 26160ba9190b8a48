"""Small pieces that the encoders share, each of which converts to plain TFLite operators."""

from __future__ import annotations

import keras
import tensorflow as tf

# Keeps the square root's argument off zero for padding rows, and far below any trained row.
NORM_EPSILON = 1e-6


def unit_rows(vectors: tf.Tensor) -> tf.Tensor:
    """Scales vectors `[..., dim]` to length one; a zero vector stays zero."""
    square = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    return vectors * tf.math.rsqrt(square + NORM_EPSILON)


def shift_right(values: tf.Tensor, steps: int) -> tf.Tensor:
    """Moves `[batch, history, dim]` later in time by `steps`, zeros coming in at the start."""
    if steps == 0:
        return values
    length = values.shape[1]
    return tf.pad(values, [[0, 0], [steps, 0], [0, 0]])[:, :length]


class RmsNorm(keras.layers.Layer):
    """Root-mean-square normalisation with a learned gain (Zhang and Sennrich, 2019)."""

    def __init__(self, dim: int, *, name: str) -> None:
        super().__init__(name=name)
        self.gain = self.add_weight(shape=(dim,), initializer="ones", name="gain")
        self.built = True

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Normalises `[..., dim]` over its last axis."""
        return self.scaled(values) * self.gain

    def scaled(self, values: tf.Tensor) -> tf.Tensor:
        """Normalises without the gain, for a graph that folds it into the next weights."""
        square = tf.reduce_mean(tf.square(values), axis=-1, keepdims=True)
        return values * tf.math.rsqrt(square + NORM_EPSILON)


class LayerNorm(keras.layers.Layer):
    """Normalisation to mean 0 and variance 1, with a learned gain and shift (Ba et al., 2016)."""

    def __init__(self, dim: int, *, name: str) -> None:
        super().__init__(name=name)
        self.gain = self.add_weight(shape=(dim,), initializer="ones", name="gain")
        self.shift = self.add_weight(shape=(dim,), initializer="zeros", name="shift")
        self.built = True

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Normalises `[..., dim]` over its last axis."""
        centred = values - tf.reduce_mean(values, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        return centred * tf.math.rsqrt(variance + NORM_EPSILON) * self.gain + self.shift


class Dropout:
    """Dropout whose mask is a pure function of a seed.

    Keras keeps its random state in a variable. Here the seed comes with each update, so that a
    resumed run draws the masks that the killed one would have drawn, and parts of a batch can be
    computed side by side.
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
        here = seed + tf.constant([0, self._site], seed.dtype)
        draw = tf.random.stateless_uniform(tf.shape(values), here, dtype=values.dtype)
        return tf.where(draw >= self._rate, values / (1 - self._rate), 0.0)
