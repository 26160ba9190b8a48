"""A long short-term memory (Hochreiter and Schmidhuber, 1997) over the history."""

from __future__ import annotations

import keras
import tensorflow as tf

from modules.models.encoders.base import Encoder
from modules.models.history import History
from modules.models.layers import Dropout
from pipeline.config.model import LstmConfig

# A gate's sigmoid at this value is 1e-13.
_SHUT = -30.0


class LstmEncoder(Encoder):
    """One recurrent layer, and a product back to the width of the item vectors.

    Written out rather than taken from Keras: its layer becomes a loop over tensor lists, which
    does not convert to TFLite with any batch size, and so does its masking.
    """

    def __init__(self, config: LstmConfig, *, dim: int, dropout: float) -> None:
        super().__init__(name="lstm")
        self._units = config.units
        self._inputs = keras.layers.Dense(4 * config.units, name="inputs")
        self._inputs.build((None, dim))
        # Starts with an open forget gate, so that early events reach the end (Jozefowicz, 2015).
        self._inputs.bias.assign(tf.repeat(tf.one_hot(1, 4), config.units))
        self._state = keras.layers.Dense(
            4 * config.units, use_bias=False, kernel_initializer="orthogonal", name="state"
        )
        self._state.build((None, config.units))
        self._output = keras.layers.Dense(dim, name="output")
        self._output.build((None, config.units))
        self._dropout_in = Dropout(dropout, site=1)
        self._dropout_out = Dropout(dropout, site=2)
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        items, known, _ = history
        driven = tf.transpose(self._driven(self._dropout_in(items, seed), known), [1, 0, 2])
        start = tf.zeros_like(driven[0][:, : self._units])
        states, _ = tf.scan(
            lambda carried, event: self._step(event, carried[0], carried[1]),
            driven,
            initializer=(start, start),
        )
        context = tf.transpose(states, [1, 0, 2])
        return self._output(self._dropout_out(context, seed))

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`."""
        items, known, _ = history
        driven = tf.unstack(self._driven(items, known), axis=1)
        state = memory = tf.zeros_like(driven[0][:, : self._units])
        # Unrolled: a loop would need tensor lists, which the device's runtime lacks.
        for event in driven:
            state, memory = self._step(event, state, memory)
        return self._output(state)

    def _driven(self, items: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Returns the events' part of the gates [batch, history, 4 * units].

        Padding shuts the gate that lets values in: memory and state stay at zero before the first
        event, at no cost a step.
        """
        shut = tf.repeat(tf.constant([_SHUT, 0.0, 0.0, 0.0]), self._units)
        return self._inputs(items) + (1 - known) * shut

    def _step(
        self, driven: tf.Tensor, state: tf.Tensor, memory: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes one event in.

        Args:
            driven: The event's part of the gates [batch, 4 * units].
            state: [batch, units].
            memory: [batch, units].

        Returns:
            The next state and memory.
        """
        gates = driven + self._state(state)
        enter, keep, leave, candidate = tf.split(gates, 4, axis=-1)
        memory = tf.sigmoid(keep) * memory + tf.sigmoid(enter) * tf.tanh(candidate)
        return tf.sigmoid(leave) * tf.tanh(memory), memory


def build(config: LstmConfig, *, dim: int, history_length: int, dropout: float) -> LstmEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    del history_length
    return LstmEncoder(config, dim=dim, dropout=dropout)
