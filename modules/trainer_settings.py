"""What a training step is told: the settings that cross from a pipeline to TFX's Trainer.

Imports no TensorFlow: who composes a pipeline needs none.
"""

from __future__ import annotations

from typing import Any

from modules.source_hash import source_hash
from pipeline.config.root import Config

HELD_OUT = ("split", "min_ratings_per_movie", "min_ratings_per_user")
"""Settings of the data that decide which events are held out."""


def trainer_settings(config: Config, checkpoint_root: str) -> dict[str, Any]:
    """Returns the Trainer's `custom_config`, as `modules.trainer.run_fn` reads it.

    Args:
        config: All settings.
        checkpoint_root: Where checkpoints survive a killed run.
    """
    return {
        "model": config.model.model_dump_json(),
        "training": config.training.model_dump_json(),
        "history": config.history.model_dump_json(),
        "conversion": config.conversion.model_dump_json(),
        "held_out": config.data.model_dump_json(include=set(HELD_OUT)),
        "seed": config.seed,
        "checkpoint_root": checkpoint_root,
        "source_hash": training_hash(),
    }


def training_hash() -> str:
    """Hashes the code that shapes trained weights, see `source_hash`."""
    return source_hash(
        "components.catalogue_trainer",
        "modules.catalogue",
        "modules.models",
        "modules.serving_inputs",
        "modules.training",
        "modules.trainer",
        "modules.user_attributes",
        "modules.vocabulary",
    )
