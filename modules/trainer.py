"""TFX's entry to training: transformed examples in, a served model out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow_transform as tft

from modules.models import serving
from modules.models.recommender import Recommender
from modules.training.checkpoint import CheckpointStore
from modules.training.fit import fit
from modules.training.input import Windows, read_windows
from modules.training.report import Reporter
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.delivery import ConversionConfig
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig
from pipeline.config.training import TrainingConfig


def run_fn(fn_args: Any) -> None:
    """Trains and exports; called by TFX's Trainer.

    Args:
        fn_args: TFX's `FnArgs`. Its `custom_config` holds `model`, `training`, `history` and
            `conversion` (sections as JSON), `seed` (int), `checkpoint_root` (a folder) and
            `source_hash` (of the project's code).

    Raises:
        DataError: The examples cannot be read, or do not fit the vocabulary.
        ConfigError: Training diverged.
    """
    custom: Mapping[str, Any] = fn_args.custom_config
    model_config = ModelConfig.model_validate_json(custom["model"])
    training = TrainingConfig.model_validate_json(custom["training"])
    history = HistoryConfig.model_validate_json(custom["history"])
    conversion = ConversionConfig.model_validate_json(custom["conversion"])
    seed = int(custom["seed"])

    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    movie_ids, _ = read_vocabulary(vocabulary_path(fn_args.transform_graph_path))
    movies = len(movie_ids)
    # Better known before an hour of training than after it.
    serving.check_top_k(conversion.top_k, movies=movies, history_length=history.length)
    spec = transform.transformed_feature_spec()
    train = read_windows(fn_args.train_files, spec, with_seen=False, movies=movies)
    held_out = read_windows(fn_args.eval_files, spec, with_seen=True, movies=movies)
    held_out = held_out.first(training.max_eval_windows)

    store = CheckpointStore(
        Path(custom["checkpoint_root"]),
        run_fingerprint(custom, train=train, held_out=held_out, movies=movies),
    )
    keras.utils.set_random_seed(seed % 2**32)
    model = Recommender(model_config, history_length=history.length, movies=movies)
    reporter = Reporter(Path(fn_args.model_run_dir), training.max_epochs)
    print(
        f"training {model_config.encoder.name} on {len(train):,} windows of {history.length}, "
        f"{movies:,} movies, {model.count_params():,} parameters",
        flush=True,
    )
    fit(model, train, held_out, training, seed=seed, store=store, reporter=reporter)
    reporter.close()
    serving.export(model, fn_args.serving_model_dir, top_k=conversion.top_k)
    # Not before: a run that is killed in the export needs no second training.
    store.remove()


def run_fingerprint(
    custom: Mapping[str, Any], *, train: Windows, held_out: Windows, movies: int
) -> str:
    """Returns a name for all that shapes the trained weights: settings, code and data.

    Args:
        custom: `custom_config`, as `run_fn` describes.
        train: Training windows.
        held_out: Eval windows.
        movies: Movies of the vocabulary.
    """
    parts = {
        **{name: custom[name] for name in ("model", "training", "history", "seed", "source_hash")},
        "movies": movies,
        "train": train.digest(),
        "held_out": held_out.digest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
