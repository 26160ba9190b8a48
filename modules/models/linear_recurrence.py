"""The linear recurrence h_k = decay * h_(k-1) + u_k with a complex decay a channel.

TFLite has no complex arithmetic worth the name, so a complex array [..., width] is real everywhere:
[..., 2 * width], all real parts before all imaginary ones. Equations: Orvieto et al., "Resurrecting
Recurrent Neural Networks for Long Sequences" (2023).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Decay(NamedTuple):
    """What a channel's state is multiplied with an event: exp(-rate + i angle).

    Attributes:
        rate: float32 [width], positive: the state shrinks.
        angle: float32 [width], radians.
    """

    rate: tf.Tensor
    angle: tf.Tensor

    def power(self, exponent: int) -> tf.Tensor:
        """The decay over several events: float32 [2 * width]."""
        return self.powers([exponent])[0]

    def powers(self, exponents: Sequence[int]) -> tf.Tensor:
        """The decays over several numbers of events: float32 [exponents, 2 * width]."""
        times = tf.constant(np.asarray(exponents, np.float32)[:, None])
        radius = tf.exp(-self.rate * times)
        angle = self.angle * times
        return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=-1)


def product(values: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies complex arrays [..., 2 * width] that broadcast against each other."""
    real, imaginary = tf.split(values, 2, axis=-1)
    factor_real, factor_imaginary = tf.split(factor, 2, axis=-1)
    return tf.concat(
        [
            real * factor_real - imaginary * factor_imaginary,
            real * factor_imaginary + imaginary * factor_real,
        ],
        axis=-1,
    )


def conjugate(values: tf.Tensor) -> tf.Tensor:
    """Returns the complex conjugate of [..., 2 * width]."""
    real, imaginary = tf.split(values, 2, axis=-1)
    return tf.concat([real, -imaginary], axis=-1)


def all_states(driven: tf.Tensor, decay: Decay) -> tf.Tensor:
    """Computes every state, for training.

    Args:
        driven: u, float32 [history, batch, 2 * width].
        decay: Of `width` channels.

    Returns:
        h, float32 [history, batch, 2 * width]. Gradients flow to both arguments.
    """

    # A plain loop over the events. On one thread it takes a fourth of the time of recursive
    # doubling, which reads and writes the whole array log2(history) times, and its gradient by
    # hand keeps nothing but the states.
    @tf.custom_gradient
    def states(
        driven: tf.Tensor, factor: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        found = _run(driven, factor, backwards=False)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            to_driven = _run(upstream, conjugate(factor), backwards=True)
            each = product(to_driven[1:], conjugate(found[:-1]))
            return to_driven, tf.reduce_sum(each, axis=[0, 1])

        return found, gradient

    return states(driven, decay.power(1))


def all_states_unrolled(driven: tf.Tensor, decay: Decay) -> tf.Tensor:
    """Computes every state, in a graph without a loop for the device.

    In chunks of about sqrt(history) events: step by step through all chunks at once, then from
    chunk to chunk, then what came before a chunk is added to its states. That is the same
    arithmetic as a loop's, in 2 sqrt(history) steps.

    Args:
        driven: u, float32 [batch, history, 2 * width].
        decay: Of `width` channels.

    Returns:
        h, float32 [batch, history, 2 * width].
    """
    length = driven.shape[1]
    chunks = _chunked(driven)
    count, chunk = chunks.shape[1], chunks.shape[2]
    within = _unrolled(tf.unstack(chunks, axis=2), decay.power(1))
    states = tf.stack(within, axis=2)
    if count > 1:
        ends = _unrolled(tf.unstack(within[-1], axis=1)[:-1], decay.power(chunk))
        before = tf.stack([tf.zeros_like(ends[0]), *ends], axis=1)
        states += product(before[:, :, None], decay.powers(range(1, chunk + 1)))
    return tf.reshape(states, [-1, count * chunk, driven.shape[2]])[:, -length:]


def last_state(driven: tf.Tensor, decay: Decay) -> tf.Tensor:
    """Computes the last state alone: the sum of decay^(history - 1 - j) u_j over all j.

    Summed within chunks, then over them, so that the device stores 2 sqrt(history) rows of
    weights instead of `history`.

    Args:
        driven: u, float32 [batch, history, 2 * width].
        decay: Of `width` channels.

    Returns:
        float32 [batch, 2 * width].
    """
    chunks = _chunked(driven)
    count, chunk = chunks.shape[1], chunks.shape[2]
    weights = decay.powers(range(chunk - 1, -1, -1))
    sums = tf.reduce_sum(product(chunks, weights), axis=2)
    weights = decay.powers(range((count - 1) * chunk, -1, -chunk))
    return tf.reduce_sum(product(sums, weights), axis=1)


def _run(driven: tf.Tensor, factor: tf.Tensor, *, backwards: bool) -> tf.Tensor:
    """Runs the recurrence over axis 0 of [history, batch, 2 * width], from either end."""
    length = driven.shape[0]
    start = tf.zeros_like(driven[0])

    def one_event(
        step: tf.Tensor, state: tf.Tensor, states: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        place = length - 1 - step if backwards else step
        state = product(state, factor) + driven[place]
        return step + 1, state, states.write(place, state)

    _, _, states = tf.while_loop(
        lambda step, *_: step < length,
        one_event,
        (
            tf.constant(0),
            start,
            tf.TensorArray(tf.float32, length, element_shape=start.shape),
        ),
        maximum_iterations=length,
    )
    return states.stack()


def _unrolled(driven: Sequence[tf.Tensor], factor: tf.Tensor) -> list[tf.Tensor]:
    states = [driven[0]]
    for event in driven[1:]:
        states.append(product(states[-1], factor) + event)
    return states


def _chunked(driven: tf.Tensor) -> tf.Tensor:
    """Cuts [batch, history, 2 * width] into [batch, chunks, chunk, 2 * width].

    Zeros come in front where the length does not divide: nothing decays before the first event.
    """
    length, width = driven.shape[1:]
    chunk = math.ceil(math.sqrt(length))
    count = -(-length // chunk)
    if count * chunk > length:
        driven = tf.pad(driven, [[0, 0], [count * chunk - length, 0], [0, 0]])
    return tf.reshape(driven, [-1, count, chunk, width])
