"""TFX's entry to training: transformed examples in, a served model out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow_transform as tft

from modules.catalogue import read_catalogue
from modules.models import serving
from modules.models.item_features import ItemFeatures, any_item_feature, build_item_features
from modules.models.recommender import Recommender
from modules.training.checkpoint import CheckpointStore
from modules.training.columns import needed_columns
from modules.training.fit import fit
from modules.training.input import Windows, read_windows
from modules.training.report import Reporter
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.delivery import ConversionConfig
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ItemFeaturesConfig, ModelConfig
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError


def run_fn(fn_args: Any) -> None:
    """Trains and exports; called by TFX's Trainer.

    Args:
        fn_args: TFX's `FnArgs`. Its `custom_config` holds `model`, `training`, `history` and
            `conversion` (sections as JSON), `seed` (int), `checkpoint_root` (a folder),
            `source_hash` (of the project's code) and, where the model has item features,
            `catalogue` (the folder of ingestion's split).

    Raises:
        DataError: The examples cannot be read, or do not fit the vocabulary.
        ConfigError: Training diverged, or the catalogue has not what the model asks for.
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
    item_features = read_item_features(
        model_config.item_features, custom.get("catalogue"), movie_ids.tolist()
    )
    # Better known before an hour of training than after it.
    serving.check_top_k(conversion.top_k, movies=movies, history_length=history.length)
    spec = transform.transformed_feature_spec()
    with_rating, with_time = needed_columns(model_config, training)
    train, held_out = (
        read_windows(
            files,
            spec,
            with_seen=with_seen,
            movies=movies,
            with_rating=with_rating,
            with_time=with_time,
        )
        for files, with_seen in ((fn_args.train_files, False), (fn_args.eval_files, True))
    )
    held_out = held_out.first(training.max_eval_windows)

    store = CheckpointStore(
        Path(custom["checkpoint_root"]),
        run_fingerprint(
            custom, train=train, held_out=held_out, movies=movies, item_features=item_features
        ),
    )
    keras.utils.set_random_seed(seed % 2**32)
    model = Recommender(
        model_config, history_length=history.length, movies=movies, item_features=item_features
    )
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


def read_item_features(
    config: ItemFeaturesConfig, catalogue_uri: str | None, movie_ids: Sequence[int]
) -> ItemFeatures | None:
    """Reads the catalogue where a model needs it.

    Args:
        config: Which features the model has.
        catalogue_uri: Folder of ingestion's split `catalogue`, or None where there is none.
        movie_ids: The vocabulary, the release's ids.

    Raises:
        DataError: The catalogue is empty.
        ConfigError: The catalogue is not there, or has not what the model asks for.
    """
    if not any_item_feature(config):
        return None
    if catalogue_uri is None:
        raise ConfigError(
            "model.item_features needs the catalogue, and this Trainer was not given it: set "
            "custom_config['catalogue'] to the folder of ingestion's split `catalogue`"
        )
    return build_item_features(config, movie_ids, read_catalogue(catalogue_uri))


def run_fingerprint(
    custom: Mapping[str, Any],
    *,
    train: Windows,
    held_out: Windows,
    movies: int,
    item_features: ItemFeatures | None = None,
) -> str:
    """Returns a name for all that shapes the trained weights: settings, code and data.

    Args:
        custom: `custom_config`, as `run_fn` describes.
        train: Training windows.
        held_out: Eval windows.
        movies: Movies of the vocabulary.
        item_features: Of these movies, where the model has any.
    """
    parts = {
        **{name: custom[name] for name in ("model", "training", "history", "seed", "source_hash")},
        "movies": movies,
        "train": train.digest(),
        "held_out": held_out.digest(),
        "item_features": item_features and item_features.digest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
