"""What an encoder is, and how one is found by the name in its configuration."""

from __future__ import annotations

import abc
import importlib
import pkgutil

import keras
import tensorflow as tf

import modules.models.encoders
from modules.models.history import History
from pipeline.config.model import EncoderConfig
from pipeline.errors import ConfigError


class Encoder(keras.layers.Layer, abc.ABC):
    """Turns a history of item vectors into context vectors.

    A new encoder is a module `modules/models/encoders/<name>.py` with
    `build(config, *, dim, history_length, dropout) -> Encoder`, its section in
    `pipeline/config/model.py`, and a test.
    """

    @abc.abstractmethod
    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Encodes every prefix, for training.

        Args:
            history: A batch of any length up to `history_length`; padding may stand on either
                side.
            seed: int32 [2] of this update's dropout, or None outside of training.

        Returns:
            float32 [batch, history, dim]; position i has seen positions up to i. Positions of
            padding hold nothing of use.
        """

    @abc.abstractmethod
    def last(self, history: History) -> tf.Tensor:
        """Encodes a left-padded history for the device, at its last position alone.

        The graph holds only what that position needs, of operators that convert to TFLite with
        any batch size.

        Args:
            history: A batch padded on the left, of any length up to `history_length`.

        Returns:
            float32 [batch, dim].
        """


class RecurrentEncoder(Encoder):
    """An encoder that can keep a state and take in one event at a time.

    Stepping through a history gives the contexts of `call`, without reading older events again.
    """

    @abc.abstractmethod
    def start(self, batch: int) -> tf.Tensor:
        """Returns the state before the first event: float32 [batch, ...]."""

    @abc.abstractmethod
    def step(self, state: tf.Tensor, item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes one event in.

        Args:
            state: As `start` or the step before gave it.
            item: The event's vector [batch, dim], as in `History.items`.

        Returns:
            The next state, and the context after the event, float32 [batch, dim].
        """


def encoder_names() -> list[str]:
    """Names of all encoders there are, sorted."""
    names = {module.name for module in pkgutil.iter_modules(modules.models.encoders.__path__)}
    return sorted(names - {"base"})


def build_encoder(
    config: EncoderConfig, *, dim: int, history_length: int, dropout: float
) -> Encoder:
    """Builds the encoder that `config.name` names.

    Args:
        config: The encoder's section.
        dim: Width of item and context vectors.
        history_length: Events a history holds.
        dropout: Share of values dropped in training.

    Raises:
        ConfigError: There is no encoder of that name.
    """
    if config.name not in encoder_names():
        raise ConfigError(
            f"model.encoder.name: {config.name!r} has no module modules/models/encoders/"
            f"{config.name}.py; there are {', '.join(encoder_names())}"
        )
    module = importlib.import_module(f"modules.models.encoders.{config.name}")
    return module.build(config, dim=dim, history_length=history_length, dropout=dropout)
