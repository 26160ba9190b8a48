"""Settings that a Tuner found: how they travel, and how they replace the configured ones."""

from __future__ import annotations

import dataclasses
import json
import posixpath
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from modules.training.data import RunSettings
from pipeline.config.model import ModelConfig
from pipeline.config.root import lay_over, validated
from pipeline.config.training import TrainingConfig

# SavedModel's own place for files of others.
_FILE = "assets.extra/hyperparameters.json"
_SOURCE = "the tuner's values"


def values_of(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the values in Keras Tuner's `HyperParameters.get_config()`, by key path.

    Listed values, which may be sections, are JSON texts there; numbers of ranges are numbers.

    Args:
        config: As the Trainer gets it from the Tuner; None, without a Tuner, holds no values.
    """
    if config is None:
        return {}
    return {
        key: json.loads(value) if isinstance(value, str) else value
        for key, value in config["values"].items()
    }


def with_values(settings: RunSettings, values: Mapping[str, Any]) -> RunSettings:
    """Lays values over the sections `model` and `training`, see `lay_over`.

    Args:
        settings: The configured ones.
        values: By key path.

    Raises:
        ConfigError: The settings do not go together.
    """
    training = {"training": settings.training.model_dump(mode="json")}
    lay_over(training, _below("training", values), _SOURCE)
    return dataclasses.replace(
        settings,
        model=tuned_model(settings.model, values),
        training=validated(TrainingConfig, training["training"], f"training with {_SOURCE}"),
    )


def tuned_model(model: ModelConfig, values: Mapping[str, Any]) -> ModelConfig:
    """Lays values over the section `model`, as `with_values` does.

    Args:
        model: The configured one.
        values: By key path; those of other sections do nothing.

    Raises:
        ConfigError: The settings do not go together.
    """
    tree = {"model": model.model_dump(mode="json")}
    lay_over(tree, _below("model", values), _SOURCE)
    return validated(ModelConfig, tree["model"], f"model with {_SOURCE}")


def _below(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key.startswith(f"{section}.")}


def save_values(saved_model: str, values: Mapping[str, Any]) -> None:
    """Puts the values that a model was trained with into its SavedModel."""
    path = posixpath.join(saved_model, _FILE)
    tf.io.gfile.makedirs(posixpath.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(values, indent=1))


def saved_values(saved_model: str) -> dict[str, Any]:
    """Returns what `save_values` wrote; empty where there was no Tuner."""
    path = posixpath.join(saved_model, _FILE)
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as file:
        values: dict[str, Any] = json.loads(file.read())
    return values
