"""A long short-term memory (Hochreiter and Schmidhuber, 1997) over the history."""

from __future__ import annotations

import keras
import tensorflow as tf

from modules.models.encoders.base import Encoder
from modules.models.layers import Dropout
from pipeline.config.model import LstmConfig


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

    def call(self, items: tf.Tensor, known: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        states = self._states(self._dropout_in(items, seed), known)
        return self._output(self._dropout_out(tf.stack(states, axis=1), seed))

    def last(self, items: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """See `Encoder.last`."""
        return self._output(self._states(items, known)[-1])

    def _states(self, items: tf.Tensor, known: tf.Tensor) -> list[tf.Tensor]:
        """Unrolls the recurrence; the state is held at zero where nothing is known."""
        driven = tf.unstack(self._inputs(items), axis=1)
        present = tf.unstack(known, axis=1)
        state = memory = tf.zeros_like(driven[0][:, : self._units])
        states = []
        for step, here in zip(driven, present, strict=True):
            gates = step + self._state(state)
            enter, keep, leave, candidate = tf.split(gates, 4, axis=-1)
            memory = tf.sigmoid(keep) * memory + tf.sigmoid(enter) * tf.tanh(candidate)
            memory = memory * here
            state = tf.sigmoid(leave) * tf.tanh(memory)
            states.append(state)
        return states


def build(config: LstmConfig, *, dim: int, history_length: int, dropout: float) -> LstmEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    del history_length
    return LstmEncoder(config, dim=dim, dropout=dropout)
