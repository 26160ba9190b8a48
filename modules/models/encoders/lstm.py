"""A long short-term memory (Hochreiter and Schmidhuber, 1997) over the history."""

from __future__ import annotations

import tensorflow as tf

from modules.models.dropout import Dropout
from modules.models.encoders.base import RecurrentEncoder
from modules.models.gated_recurrence import lstm_states, lstm_step
from modules.models.history import History
from modules.models.layers import dense
from pipeline.config.model import LstmConfig

# A gate's sigmoid at this value is 1e-13.
_SHUT = -30.0


class LstmEncoder(RecurrentEncoder):
    """One recurrent layer, and a product back to the width of the item vectors.

    Written out rather than taken from Keras: its layer becomes a loop over tensor lists, which
    does not convert to TFLite with any batch size, and so does its masking.
    """

    def __init__(self, config: LstmConfig, *, dim: int, dropout: float) -> None:
        super().__init__(name="lstm")
        self._units = config.units
        self._inputs = dense(dim, 4 * config.units, "inputs")
        # Starts with an open forget gate, so that early events reach the end (Jozefowicz, 2015).
        self._inputs.bias.assign(tf.repeat(tf.one_hot(1, 4), config.units))
        self._state = dense(
            config.units, 4 * config.units, "state", initializer="orthogonal", use_bias=False
        )
        self._output = dense(config.units, dim, "output")
        self._dropout_in = Dropout(dropout, site=1)
        self._dropout_out = Dropout(dropout, site=2)
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        # Events first, before the product that makes them four times as wide or more.
        items = tf.transpose(self._dropout_in(history.items, seed), [1, 0, 2])
        known = tf.transpose(history.known, [1, 0, 2])
        kernel = tf.convert_to_tensor(self._state.kernel)
        states = lstm_states(self._driven(items, known), kernel)
        context = tf.transpose(self._dropout_out(states, seed), [1, 0, 2])
        return self._output(context)

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`."""
        items, known, _ = history
        driven = tf.unstack(self._driven(items, known), axis=1)
        state = memory = tf.zeros_like(driven[0][:, : self._units])
        # Unrolled: a loop would need tensor lists, which the device's runtime lacks.
        for event in driven:
            state, memory, _ = lstm_step(event, self._state(state), memory)
        return self._output(state)

    def start(self, batch: int) -> tf.Tensor:
        """See `RecurrentEncoder.start`."""
        return tf.zeros([batch, 2, self._units])

    def step(self, state: tf.Tensor, item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `RecurrentEncoder.step`; the state is [batch, 2, units], state and memory."""
        carried = self._state(state[:, 0])
        output, memory, _ = lstm_step(self._inputs(item), carried, state[:, 1])
        return tf.stack([output, memory], axis=1), self._output(output)

    def _driven(self, items: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Returns the events' part of the gates [..., 4 * units].

        Padding shuts the gate that lets values in: memory and state stay at zero before the first
        event, at no cost a step.
        """
        shut = tf.repeat(tf.constant([_SHUT, 0.0, 0.0, 0.0]), self._units)
        return self._inputs(items) + (1 - known) * shut


def build(config: LstmConfig, *, dim: int, history_length: int, dropout: float) -> LstmEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    del history_length
    return LstmEncoder(config, dim=dim, dropout=dropout)
