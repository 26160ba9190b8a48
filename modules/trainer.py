"""TFX's entry to training: transformed examples in, a served model out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.local_copy import local_folder
from modules.models import serving
from modules.training.data import RunSettings, read_training_data
from modules.training.distribution import build_distribution
from modules.training.hyperparameters import save_values, values_of, with_values
from modules.training.run import train_recommender
from pipeline.config.delivery import ConversionConfig
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig
from pipeline.config.training import TrainingConfig


def run_fn(fn_args: Any) -> None:
    """Trains and exports; called by TFX's Trainer.

    Args:
        fn_args: TFX's `FnArgs`. Its `custom_config` holds `model`, `training`, `history` and
            `conversion` (sections as JSON), `seed` (int), `checkpoint_root` (a folder),
            `source_hash` (of the project's code) and, where the model has item features,
            `catalogue` (the folder of ingestion's split). Its `hyperparameters`, a Tuner's, go
            before `model` and `training`.

    Raises:
        DataError: The examples cannot be read, or do not fit the vocabulary.
        ConfigError: Training diverged, devices cannot share it, or the catalogue has not what the
            model asks for.
        WorkerError: Another worker is lost.
    """
    custom: Mapping[str, Any] = fn_args.custom_config
    tuned = values_of(fn_args.hyperparameters)
    settings = with_values(run_settings(custom), tuned)
    conversion = ConversionConfig.model_validate_json(custom["conversion"])
    # Before TensorFlow computes anything.
    distribution = build_distribution(settings.training.distribution)
    data = read_training_data(
        settings,
        train_files=fn_args.train_files,
        eval_files=fn_args.eval_files,
        transform_graph=fn_args.transform_graph_path,
        catalogue=custom.get("catalogue"),
    )
    # Better known before an hour of training than after it.
    serving.check_top_k(
        conversion.top_k, movies=data.movies, history_length=settings.history.length
    )
    with local_folder(fn_args.model_run_dir) as log_folder:
        trained = train_recommender(
            settings,
            data,
            checkpoint_root=Path(custom["checkpoint_root"]),
            log_folder=log_folder,
            distribution=distribution,
        )

    def deliver() -> float:
        with local_folder(fn_args.serving_model_dir) as folder:
            serving.export(
                trained.model,
                str(folder),
                top_k=conversion.top_k,
                history_length=settings.history.length,
            )
            if tuned:
                save_values(str(folder), tuned)
        # Not before: a run that is killed in the export needs no second training.
        trained.remove_checkpoints()
        return 0.0

    # The others wait: a service may end a worker's machine with its process.
    with distribution.watched(str(trained.store.folder)):
        distribution.from_chief(deliver)


def run_settings(custom: Mapping[str, Any]) -> RunSettings:
    """Reads the settings that shape the weights from a step's `custom_config`."""
    return RunSettings(
        model=ModelConfig.model_validate_json(custom["model"]),
        training=TrainingConfig.model_validate_json(custom["training"]),
        history=HistoryConfig.model_validate_json(custom["history"]),
        seed=int(custom["seed"]),
        source_hash=str(custom["source_hash"]),
    )
