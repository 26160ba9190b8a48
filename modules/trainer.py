"""TFX's entry to training: transformed examples in, a served model out."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modules.local_copy import local_folder
from modules.models import serving
from modules.training.data import RunSettings, read_training_data
from modules.training.distribution import build_distribution
from modules.training.given_teacher import read_given_teachers
from modules.training.hyperparameters import save_values, values_of, with_values
from modules.training.run import train_recommender
from modules.training.warm_start import (
    FOLDER,
    WEIGHTS_FOLDER,
    Origin,
    Rows,
    WarmStart,
    load_weights,
    save_weights,
)
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.delivery import ConversionConfig
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig
from pipeline.config.training import TrainingConfig, WarmStartConfig
from pipeline.config.tree import flat
from pipeline.errors import ConfigError
from pipeline.progress import report


def run_fn(fn_args: Any) -> None:
    """Trains and exports; called by TFX's Trainer.

    Args:
        fn_args: TFX's `FnArgs`. Its `custom_config` holds `model`, `training`, `history` and
            `conversion` (sections as JSON), `seed` (int), `checkpoint_root` (a folder),
            `held_out` (the settings of the data that decide which events are held out, as JSON),
            `source_hash` (of the project's code) and, where the model has item features,
            `catalogue` (the folder of ingestion's split); `span` (int, the newest that was read)
            and `base_model` (the folder of a model to begin with), where there are any. Its
            `hyperparameters`, a Tuner's, go before `model` and `training`.

    Raises:
        DataError: The examples cannot be read, or do not fit the vocabulary; or the model to begin
            with, or a teacher, cannot be read.
        ConfigError: Training diverged, devices cannot share it, the model to begin with or a
            teacher does not fit, or the catalogue has not what the model asks for.
        WorkerError: Another worker is lost.
    """
    custom: Mapping[str, Any] = fn_args.custom_config
    tuned = values_of(fn_args.hyperparameters)
    settings = with_values(run_settings(custom), tuned)
    conversion = ConversionConfig.model_validate_json(custom["conversion"])
    # Before TensorFlow computes anything.
    distribution = build_distribution(settings.training.distribution)
    origin = Origin(
        settings.model, settings.history, flat(json.loads(custom["held_out"])), custom.get("span")
    )
    keys, _ = read_vocabulary(vocabulary_path(fn_args.transform_graph_path))
    movie_ids = np.asarray(keys, np.int64)
    data = read_training_data(
        settings,
        train_files=fn_args.train_files,
        eval_files=fn_args.eval_files,
        transform_graph=fn_args.transform_graph_path,
        catalogue=custom.get("catalogue"),
        given_teachers=read_given_teachers(
            settings.training, origin, movie_ids, custom.get("teachers")
        ),
    )
    # Better known before an hour of training than after it.
    serving.check_top_k(
        conversion.top_k, movies=data.movies, history_length=settings.history.length
    )
    rows = Rows(movie_ids, () if data.item_features is None else data.item_features.names)
    with local_folder(fn_args.model_run_dir) as log_folder:
        trained = train_recommender(
            settings,
            data,
            checkpoint_root=Path(custom["checkpoint_root"]),
            log_folder=log_folder,
            distribution=distribution,
            start=_start(settings.training.warm_start, custom.get("base_model"), origin, rows),
        )

    def deliver() -> float:
        with local_folder(fn_args.serving_model_dir) as folder:
            serving.export(
                trained.model,
                str(folder),
                top_k=conversion.top_k,
                history_length=settings.history.length,
            )
            save_weights(str(folder / WEIGHTS_FOLDER), trained.model, origin, rows)
            if tuned:
                save_values(str(folder), tuned)
        # Not before: a run that is killed in the export needs no second training.
        trained.remove_checkpoints()
        return 0.0

    # The others wait: a service may end a worker's machine with its process.
    with distribution.watched(str(trained.store.folder)):
        distribution.from_chief(deliver)


def _start(
    config: WarmStartConfig | None, base_model: str | None, origin: Origin, rows: Rows
) -> WarmStart | None:
    if config is None:
        return None
    if origin.span is None:
        raise ConfigError(
            "training.warm_start goes on with a model of an earlier span, and this data has none: "
            "give a pattern of spans, as data/ratings-{SPAN}"
        )
    if base_model is None:
        report.say("no warm start: no model of an earlier span is blessed")
        return None
    weights = load_weights(posixpath.join(base_model, FOLDER))
    return WarmStart(weights, config, origin, rows)


def run_settings(custom: Mapping[str, Any]) -> RunSettings:
    """Reads the settings that shape the weights from a step's `custom_config`."""
    return RunSettings(
        model=ModelConfig.model_validate_json(custom["model"]),
        training=TrainingConfig.model_validate_json(custom["training"]),
        history=HistoryConfig.model_validate_json(custom["history"]),
        seed=int(custom["seed"]),
        source_hash=str(custom["source_hash"]),
    )
