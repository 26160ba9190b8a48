"""Gated recurrences over whole histories, for training.

Each is a loop over the events whose gradient is written by hand: the loop backwards forms what
reaches the gates, and the kernel's gradient is one product over all events after it, instead of a
small one added up at each. A step's equations stand here once, for the device's graph too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Gradients = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
# What a loop carries: the step's number, tensors, arrays that are being written.
Carried = tuple[Any, ...]


def lstm_step(
    driven: tf.Tensor, carried: tf.Tensor, memory: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Takes one event into a long short-term memory.

    Args:
        driven: The event's part of the gates [batch, 4 * units]: enter, keep, leave, candidate.
        carried: The state's part of the gates, in the same order.
        memory: [batch, units].

    Returns:
        The next state and memory [batch, units], and the open gates [batch, 4 * units].
    """
    gates = driven + carried
    units = memory.shape[1]
    enter, keep, leave = tf.split(tf.sigmoid(gates[:, : 3 * units]), 3, axis=-1)
    candidate = tf.tanh(gates[:, 3 * units :])
    memory = keep * memory + enter * candidate
    return leave * tf.tanh(memory), memory, tf.concat([enter, keep, leave, candidate], axis=-1)


def gru_step(
    driven: tf.Tensor, carried: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Takes one event into a gated recurrent unit.

    Args:
        driven: The event's part of the gates [batch, 3 * units]: keep, reset, candidate.
        carried: The state's part of the gates, in the same order.
        state: [batch, units].

    Returns:
        The next state [batch, units], and the open gates [batch, 3 * units].
    """
    units = state.shape[1]
    keep, reset = tf.split(tf.sigmoid(driven[:, : 2 * units] + carried[:, : 2 * units]), 2, axis=-1)
    candidate = tf.tanh(driven[:, 2 * units :] + reset * carried[:, 2 * units :])
    state = candidate + keep * (state - candidate)
    return state, tf.concat([keep, reset, candidate], axis=-1)


def lstm_states(driven: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Computes the state after each event.

    Args:
        driven: float32 [history, batch, 4 * units], as in `lstm_step`.
        kernel: float32 [units, 4 * units], from a state to its part of the gates.

    Returns:
        float32 [history, batch, units]. Gradients flow to both arguments.
    """
    length, batch, _ = driven.shape
    units = kernel.shape[0]

    @tf.custom_gradient
    def looped(driven: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        def forwards(
            step: tf.Tensor, state: tf.Tensor, memory: tf.Tensor, *kept: tf.TensorArray
        ) -> Carried:
            states, memories, gates = kept
            state, memory, opened = lstm_step(driven[step], tf.matmul(state, kernel), memory)
            return (
                step + 1,
                state,
                memory,
                states.write(step, state),
                memories.write(step, memory),
                gates.write(step, opened),
            )

        start = tf.zeros([batch, units])
        kept = [_array(length, batch, width) for width in (units, units, 4 * units)]
        found = _loop(length, forwards, (start, start, *kept))[-3:]
        states, memories, gates = (array.stack() for array in found)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            before = _before(memories)

            def backwards(
                step: tf.Tensor, to_state: tf.Tensor, to_memory: tf.Tensor, kept: tf.TensorArray
            ) -> Carried:
                place = length - 1 - step
                enter, keep, leave, candidate = tf.split(gates[place], 4, axis=-1)
                bent = tf.tanh(memories[place])
                to_state += upstream[place]
                to_memory += to_state * leave * (1 - bent * bent)
                to_gates = tf.concat(
                    [
                        to_memory * candidate * enter * (1 - enter),
                        to_memory * before[place] * keep * (1 - keep),
                        to_state * bent * leave * (1 - leave),
                        to_memory * enter * (1 - candidate * candidate),
                    ],
                    axis=-1,
                )
                to_state = tf.matmul(to_gates, kernel, transpose_b=True)
                return step + 1, to_state, to_memory * keep, kept.write(place, to_gates)

            array = _array(length, batch, 4 * units)
            to_driven = _loop(length, backwards, (start, start, array))[-1].stack()
            return to_driven, _outer(_before(states), to_driven)

        return states, gradient

    return looped(driven, kernel)


def gru_states(driven: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Computes the state after each event.

    Args:
        driven: float32 [history, batch, 3 * units], as in `gru_step`.
        kernel: float32 [units, 3 * units], from a state to its part of the gates.
        bias: float32 [3 * units], of the same.

    Returns:
        float32 [history, batch, units]. Gradients flow to all arguments.
    """
    length, batch, _ = driven.shape
    units = kernel.shape[0]

    @tf.custom_gradient
    def looped(
        driven: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, Gradients]:
        def forwards(step: tf.Tensor, state: tf.Tensor, *kept: tf.TensorArray) -> Carried:
            states, gates, candidates = kept
            carried = tf.matmul(state, kernel) + bias
            state, opened = gru_step(driven[step], carried, state)
            return (
                step + 1,
                state,
                states.write(step, state),
                gates.write(step, opened),
                candidates.write(step, carried[:, 2 * units :]),
            )

        start = tf.zeros([batch, units])
        kept = [_array(length, batch, width) for width in (units, 3 * units, units)]
        found = _loop(length, forwards, (start, *kept))[-3:]
        states, gates, candidates = (array.stack() for array in found)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            before = _before(states)

            def backwards(step: tf.Tensor, to_state: tf.Tensor, *kept: tf.TensorArray) -> Carried:
                place = length - 1 - step
                keep, reset, candidate = tf.split(gates[place], 3, axis=-1)
                to_state += upstream[place]
                to_keep = to_state * (before[place] - candidate) * keep * (1 - keep)
                to_candidate = to_state * (1 - keep) * (1 - candidate * candidate)
                to_reset = to_candidate * candidates[place] * reset * (1 - reset)
                to_driven = tf.concat([to_keep, to_reset, to_candidate], axis=-1)
                to_carried = tf.concat([to_keep, to_reset, to_candidate * reset], axis=-1)
                return (
                    step + 1,
                    to_state * keep + tf.matmul(to_carried, kernel, transpose_b=True),
                    kept[0].write(place, to_driven),
                    kept[1].write(place, to_carried),
                )

            arrays = [_array(length, batch, 3 * units) for _ in range(2)]
            found = _loop(length, backwards, (start, *arrays))[-2:]
            to_driven, to_carried = (array.stack() for array in found)
            to_bias = tf.reduce_sum(to_carried, axis=[0, 1])
            return to_driven, _outer(before, to_carried), to_bias

        return states, gradient

    return looped(driven, kernel, bias)


def _array(length: int, batch: int, width: int) -> tf.TensorArray:
    return tf.TensorArray(tf.float32, length, element_shape=[batch, width])


def _loop(length: int, body: Callable[..., Carried], start: Carried) -> Carried:
    found: Carried = tf.while_loop(
        lambda step, *_: step < length,
        body,
        (tf.constant(0), *start),
        maximum_iterations=length,
    )
    return found


def _before(values: tf.Tensor) -> tf.Tensor:
    """Moves [history, batch, width] one event later, zeros coming in."""
    return tf.pad(values[:-1], [[1, 0], [0, 0], [0, 0]])


def _outer(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Sums the outer products of rows [..., left] and [..., right] to [left, right]."""
    rows, columns = left.shape[-1], right.shape[-1]
    return tf.matmul(
        tf.reshape(left, [-1, rows]), tf.reshape(right, [-1, columns]), transpose_a=True
    )
