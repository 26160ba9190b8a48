"""The optimizer and its learning rate, from the configuration."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from pipeline.config.training import OptimizerConfig


class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to its peak, then stays there or falls along half a cosine to zero."""

    def __init__(self, config: OptimizerConfig, total_steps: int) -> None:
        """Makes the schedule.

        Args:
            config: Peak, warm-up and shape.
            total_steps: Updates until the cosine is at zero.
        """
        self._config = config
        self._total_steps = total_steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate float32 [] of update number `step`, from 0."""
        warmup = self._config.warmup_steps
        now = tf.cast(step, tf.float32)
        rate = tf.minimum(1.0, (now + 1) / max(warmup, 1))
        if self._config.schedule == "cosine":
            share = (now - warmup) / max(self._total_steps - warmup, 1)
            rate *= 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(share, 0.0, 1.0)))
        return self._config.learning_rate * rate

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"config": self._config, "total_steps": self._total_steps}


def build_optimizer(config: OptimizerConfig, total_steps: int) -> keras.optimizers.Optimizer:
    """Builds the Keras optimizer that `config.name` names.

    Args:
        config: The optimizer's section.
        total_steps: Updates of the longest run that the configuration allows.
    """
    schedule = WarmupSchedule(config, total_steps)
    common: dict[str, Any] = {"learning_rate": schedule, "global_clipnorm": config.clip_norm}
    if config.name == "adagrad":
        return keras.optimizers.Adagrad(**common)
    if config.name == "sgd":
        return keras.optimizers.SGD(momentum=0.9, **common)
    if config.name == "adamw":
        return keras.optimizers.AdamW(
            beta_2=config.beta_2, weight_decay=config.weight_decay, **common
        )
    return keras.optimizers.Adam(beta_2=config.beta_2, **common)
