"""Small pieces that the encoders share, each of which converts to plain TFLite operators."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

# Of weights that end a branch: blocks start near to passing on what they get.
_SMALL = 0.02

# Keeps the square root's argument off zero for padding rows, and far below any trained row.
NORM_EPSILON = 1e-6


def small_values() -> keras.initializers.Initializer:
    """Returns an initializer for weights that end a branch, as in GPT-2.

    A new one for every weight: one of Keras draws the same values each time that it is called, by
    a seed that it takes when it is made.
    """
    return keras.initializers.RandomNormal(stddev=_SMALL)


def dense(
    inputs: int,
    units: int,
    name: str,
    *,
    initializer: object = "glorot_uniform",
    use_bias: bool = True,
) -> keras.layers.Dense:
    """Returns a fully-connected layer whose weights are there already."""
    layer = keras.layers.Dense(units, use_bias=use_bias, kernel_initializer=initializer, name=name)
    layer.build((None, inputs))
    return layer


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


def rms_scaled(values: tf.Tensor) -> tf.Tensor:
    """Scales `[..., dim]` to a root mean square of one along the last axis; zeros stay zero.

    Written so that TensorFlow Lite makes two operators of it: the mean with an epsilon added would
    be five, which are bytes of a file.
    """
    dim = values.shape[-1]
    unit = tf.math.l2_normalize(values, axis=-1, epsilon=NORM_EPSILON * dim)
    return unit * math.sqrt(dim)


class RmsNorm(keras.layers.Layer):
    """Root-mean-square normalisation with a learned gain (Zhang and Sennrich, 2019)."""

    def __init__(self, dim: int, *, name: str) -> None:
        super().__init__(name=name)
        self.gain = self.add_weight(shape=(dim,), initializer="ones", name="gain")
        self.built = True

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Normalises `[..., dim]` over its last axis."""
        return rms_scaled(values) * self.gain


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
