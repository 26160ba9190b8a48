"""A gated recurrent unit (Cho et al., 2014) over the history."""

from __future__ import annotations

import tensorflow as tf

from modules.models.dropout import Dropout
from modules.models.encoders.base import RecurrentEncoder
from modules.models.gated_recurrence import gru_states, gru_step
from modules.models.history import History
from modules.models.layers import dense
from pipeline.config.model import GruConfig

# A gate's sigmoid at this value is 1 within float32's precision.
_OPEN = 30.0


class GruEncoder(RecurrentEncoder):
    """One recurrent layer, and a product back to the width of the item vectors.

    The form that applies the reset gate after the product with the state (`reset_after` in
    Keras): a step is then one product. Written out for the same reasons as the LSTM.
    """

    def __init__(self, config: GruConfig, *, dim: int, dropout: float) -> None:
        super().__init__(name="gru")
        self._units = config.units
        self._inputs = dense(dim, 3 * config.units, "inputs")
        self._state = dense(config.units, 3 * config.units, "state", initializer="orthogonal")
        self._output = dense(config.units, dim, "output")
        self._dropout_in = Dropout(dropout, site=1)
        self._dropout_out = Dropout(dropout, site=2)
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        # Events first, before the product that makes them three times as wide or more.
        items = tf.transpose(self._dropout_in(history.items, seed), [1, 0, 2])
        known = tf.transpose(history.known, [1, 0, 2])
        kernel, bias = (tf.convert_to_tensor(part) for part in self._state.weights)
        states = gru_states(self._driven(items, known), kernel, bias)
        context = tf.transpose(self._dropout_out(states, seed), [1, 0, 2])
        return self._output(context)

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`."""
        items, known, _ = history
        driven = tf.unstack(self._driven(items, known), axis=1)
        state = tf.zeros_like(driven[0][:, : self._units])
        # Unrolled: a loop would need tensor lists, which the device's runtime lacks.
        for event in driven:
            state, _ = gru_step(event, self._state(state), state)
        return self._output(state)

    def start(self, batch: int) -> tf.Tensor:
        """See `RecurrentEncoder.start`."""
        return tf.zeros([batch, self._units])

    def step(self, state: tf.Tensor, item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `RecurrentEncoder.step`; the state is [batch, units]."""
        state, _ = gru_step(self._inputs(item), self._state(state), state)
        return state, self._output(state)

    def _driven(self, items: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Returns the events' part of the gates [..., 3 * units].

        Padding opens the gate that keeps the state, which so stays as it is.
        """
        kept = tf.repeat(tf.constant([_OPEN, 0.0, 0.0]), self._units)
        return self._inputs(items) + (1 - known) * kept


def build(config: GruConfig, *, dim: int, history_length: int, dropout: float) -> GruEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    del history_length
    return GruEncoder(config, dim=dim, dropout=dropout)
