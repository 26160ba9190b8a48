"""Linear recurrent units for recommendation: LRURec (Yue et al., WSDM 2024)."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from modules.models.dropout import Dropout
from modules.models.encoders.base import RecurrentEncoder
from modules.models.history import History
from modules.models.layers import LayerNorm, dense
from modules.models.linear_recurrence import (
    Decay,
    all_states,
    all_states_unrolled,
    last_state,
    product,
)
from pipeline.config.model import LruConfig

# Where the decays' absolute values start, and the spread of the other weights: the paper's.
_RADIUS = (0.8, 0.99)
_SPREAD = 0.02


class LruEncoder(RecurrentEncoder):
    """Blocks of a linear recurrence and a position-wise feed-forward part.

    A state is a weighted sum of all events before it. Training forms all of them with one product
    for all positions and a loop without any; the device can also keep the states and take one
    event in at a time (`step`).

    Padding adds nothing to a state that is zero before the first event, so that on either side it
    changes nothing. It is not skipped between two events, where no history has it.
    """

    def __init__(self, config: LruConfig, *, dim: int, dropout: float) -> None:
        super().__init__(name="lru")
        self._norm = LayerNorm(dim, name="norm")
        self._blocks = [
            _Block(config, dim=dim, dropout=dropout, layer=layer) for layer in range(config.layers)
        ]
        self._state_width = 2 * config.expand * dim
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        # Events first: the loop over them then reads and writes whole pieces of memory.
        values = tf.transpose(self._norm(history.items), [1, 0, 2])
        known = tf.transpose(history.known, [1, 0, 2])
        for block in self._blocks:
            states = all_states(block.driven(values) * known, block.decay)
            values = block.finish(values, states, seed)
        return tf.transpose(values, [1, 0, 2])

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`."""
        values, known = self._norm(history.items), history.known
        *blocks, top = self._blocks
        for block in blocks:
            states = all_states_unrolled(block.driven(values) * known, block.decay)
            values = block.finish(values, states)
        state = last_state(top.driven(values) * known, top.decay)
        return top.finish(values[:, -1], state)

    def start(self, batch: int) -> tf.Tensor:
        """See `RecurrentEncoder.start`."""
        return tf.zeros([batch, len(self._blocks), self._state_width])

    def step(self, state: tf.Tensor, item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `RecurrentEncoder.step`; the state is [batch, layers, 2 * expand * dim]."""
        values = self._norm(item)
        states = []
        for layer, block in enumerate(self._blocks):
            carried = product(state[:, layer], block.decay.power(1))
            states.append(carried + block.driven(values))
            values = block.finish(values, states[-1])
        return tf.stack(states, axis=1), values


class _Block(keras.layers.Layer):
    """A recurrence and a feed-forward part, each followed by a residual path and a norm."""

    def __init__(self, config: LruConfig, *, dim: int, dropout: float, layer: int) -> None:
        super().__init__(name=f"block_{layer}")
        width = config.expand * dim
        # As in the papers: even within the ring between both absolute values, at any angle; gamma
        # starts where it keeps a state's size at that of what comes in.
        low, high = _RADIUS
        square = tf.random.uniform([width]) * (high**2 - low**2) + low**2
        self._log_rate = self._weight("log_rate", tf.math.log(-0.5 * tf.math.log(square)))
        turn = tf.random.uniform([width], minval=1e-6)
        self._log_angle = self._weight("log_angle", tf.math.log(2 * math.pi * turn))
        self._log_gamma = self._weight("log_gamma", 0.5 * tf.math.log(1 - square))
        self._enter = _dense(dim, 2 * width, f"enter_{layer}")
        # Free weights for real and imaginary parts: the real part of a complex product.
        self._leave = _dense(2 * width, dim, f"leave_{layer}")
        self._norm = LayerNorm(dim, name=f"norm_{layer}")
        self._inner = _dense(dim, config.feed_forward * dim, f"inner_{layer}")
        self._outer = _dense(config.feed_forward * dim, dim, f"outer_{layer}")
        self._outer_norm = LayerNorm(dim, name=f"outer_norm_{layer}")
        self._dropouts = [Dropout(dropout, site=1 + 3 * layer + place) for place in range(3)]
        self.built = True

    @property
    def decay(self) -> Decay:
        """Of the recurrence's channels."""
        return Decay(tf.exp(self._log_rate), tf.exp(self._log_angle))

    def driven(self, values: tf.Tensor) -> tf.Tensor:
        """Turns values [..., dim] into what enters the states [..., 2 * width]."""
        gamma = tf.exp(self._log_gamma)
        return self._enter(values) * tf.concat([gamma, gamma], axis=0)

    def finish(
        self, values: tf.Tensor, states: tf.Tensor, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Computes the block's output.

        Args:
            values: The block's input [..., dim].
            states: The recurrence's states after it [..., 2 * width].
            seed: int32 [2], or None outside of training.

        Returns:
            float32 [..., dim].
        """
        after_states, after_inner, after_outer = self._dropouts
        values = self._norm(values + after_states(self._leave(states), seed))
        inner = after_inner(tf.nn.gelu(self._inner(values)), seed)
        return self._outer_norm(values + after_outer(self._outer(inner), seed))

    def _weight(self, name: str, start: tf.Tensor) -> keras.Variable:
        weight = self.add_weight(shape=start.shape, name=name)
        weight.assign(start)
        return weight


def _dense(inputs: int, units: int, name: str) -> keras.layers.Dense:
    start = keras.initializers.TruncatedNormal(stddev=_SPREAD)
    return dense(inputs, units, name, initializer=start)


def build(config: LruConfig, *, dim: int, history_length: int, dropout: float) -> LruEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    del history_length
    return LruEncoder(config, dim=dim, dropout=dropout)
