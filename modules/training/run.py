"""One training run without TFX: transformed examples in, a trained recommender out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow_transform as tft

from modules.catalogue import read_catalogue
from modules.models.item_features import ItemFeatures, build_item_features
from modules.models.recommender import Recommender
from modules.training.checkpoint import CheckpointStore
from modules.training.columns import needed_columns
from modules.training.fit import fit
from modules.training.input import Windows, read_owned_windows
from modules.training.joining import joined
from modules.training.report import Reporter
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ItemFeaturesConfig, ModelConfig
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """All settings that shape the trained weights.

    Attributes:
        model: Item tables, encoder and scoring.
        training: Epochs, batches, early stopping.
        history: How the windows were made.
        seed: Of weights, order and dropout.
        source_hash: Of the project's code.
    """

    model: ModelConfig
    training: TrainingConfig
    history: HistoryConfig
    seed: int
    source_hash: str


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is judged on.

    Attributes:
        train: Training windows.
        held_out: Eval windows, those that early stopping reads.
        movies: Movies of the vocabulary.
        item_features: Of these movies, where the model has any.
    """

    train: Windows
    held_out: Windows
    movies: int
    item_features: ItemFeatures | None = None


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        model: With the weights of the best evaluation.
        history: One row an epoch, as `Reporter` describes.
        store: The run's checkpoint: remove it once the model is safe.
    """

    model: Recommender
    history: Sequence[dict[str, float]]
    store: CheckpointStore


def read_training_data(
    settings: RunSettings,
    *,
    train_files: Sequence[str],
    eval_files: Sequence[str],
    transform_graph: str,
    catalogue: str | None,
) -> TrainingData:
    """Reads what a run needs.

    Args:
        settings: The run's; they say which columns are read.
        train_files: Transformed examples to learn from, patterns.
        eval_files: Transformed examples for early stopping, patterns.
        transform_graph: Folder of Transform's graph.
        catalogue: Folder of ingestion's split `catalogue`, or None where there is none.

    Raises:
        DataError: The examples cannot be read, or do not fit the vocabulary.
        ConfigError: The catalogue has not what the model asks for.
    """
    movie_ids, _ = read_vocabulary(vocabulary_path(transform_graph))
    item_features = read_item_features(
        settings.model.item_features, catalogue, [int(movie_id) for movie_id in movie_ids]
    )
    train = read_training_windows(settings, train_files, transform_graph, movies=len(movie_ids))
    held_out = read_split(
        settings, eval_files, transform_graph, movies=len(movie_ids), with_seen=True
    )
    return TrainingData(
        train, held_out.first(settings.training.max_eval_windows), len(movie_ids), item_features
    )


def read_split(
    settings: RunSettings,
    files: Sequence[str],
    transform_graph: str,
    *,
    movies: int,
    with_seen: bool,
) -> Windows:
    """Reads the windows of one split, with the columns that the settings use.

    Args:
        settings: The run's.
        files: Transformed examples, patterns.
        transform_graph: Folder of Transform's graph.
        movies: Movies of the vocabulary.
        with_seen: Whether to read the movies known to each window; training needs none.

    Raises:
        DataError: The examples cannot be read, or do not fit the vocabulary.
    """
    return _read_owned(settings, files, transform_graph, movies=movies, with_seen=with_seen)[0]


def read_training_windows(
    settings: RunSettings, files: Sequence[str], transform_graph: str, *, movies: int
) -> Windows:
    """Reads the windows to learn from, of the length that training takes.

    Args:
        settings: The run's.
        files: Transformed examples, patterns.
        transform_graph: Folder of Transform's graph.
        movies: Movies of the vocabulary.

    Raises:
        DataError: The examples cannot be read, or do not fit the vocabulary.
    """
    windows, owner = _read_owned(settings, files, transform_graph, movies=movies, with_seen=False)
    length = settings.training.window_length
    if length is None:
        return windows
    return joined(windows, owner, stride=settings.history.stride, length=length)


def _read_owned(
    settings: RunSettings,
    files: Sequence[str],
    transform_graph: str,
    *,
    movies: int,
    with_seen: bool,
) -> tuple[Windows, npt.NDArray[np.int64]]:
    needed = needed_columns(settings.model, settings.training)
    return read_owned_windows(
        files,
        tft.TFTransformOutput(transform_graph).transformed_feature_spec(),
        with_seen=with_seen,
        movies=movies,
        with_rating=needed.rating,
        with_time=needed.time,
        with_user=needed.user,
    )


def train_recommender(
    settings: RunSettings, data: TrainingData, *, checkpoint_root: Path, log_folder: Path
) -> TrainedRun:
    """Trains a recommender; goes on where the same run was killed before.

    Args:
        settings: The run's.
        data: The run's.
        checkpoint_root: Folder of all runs' checkpoints.
        log_folder: Where TensorBoard's files and `history.json` go.

    Raises:
        ConfigError: Training diverged.
    """
    store = CheckpointStore(checkpoint_root, run_fingerprint(settings, data))
    keras.utils.set_random_seed(settings.seed % 2**32)
    length = data.train.context.shape[1]
    model = Recommender(
        settings.model,
        history_length=length,
        movies=data.movies,
        item_features=data.item_features,
    )
    reporter = Reporter(log_folder, settings.training.max_epochs)
    print(
        f"training {settings.model.encoder.name} on {len(data.train):,} windows of {length}, "
        f"{data.movies:,} movies, {model.count_params():,} parameters",
        flush=True,
    )
    history = fit(
        model,
        data.train,
        data.held_out,
        settings.training,
        seed=settings.seed,
        store=store,
        reporter=reporter,
    )
    reporter.close()
    return TrainedRun(model, history, store)


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
    if not config.any:
        return None
    if catalogue_uri is None:
        raise ConfigError(
            "model.item_features needs the catalogue, and this Trainer was not given it: set "
            "custom_config['catalogue'] to the folder of ingestion's split `catalogue`"
        )
    return build_item_features(config, movie_ids, read_catalogue(catalogue_uri))


def run_fingerprint(settings: RunSettings, data: TrainingData) -> str:
    """Returns a name for all that shapes the trained weights: settings, code and data.

    Args:
        settings: The run's.
        data: The run's.
    """
    parts = {
        "model": settings.model.model_dump_json(),
        "training": settings.training.model_dump_json(),
        "history": settings.history.model_dump_json(),
        "seed": settings.seed,
        "source_hash": settings.source_hash,
        "movies": data.movies,
        "train": data.train.digest(),
        "held_out": data.held_out.digest(),
        "item_features": data.item_features and data.item_features.digest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
