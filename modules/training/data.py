"""What a training run is told, and what it reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow_transform as tft

from modules.catalogue import read_catalogue
from modules.models.item_features import ItemFeatures, build_item_features
from modules.training.columns import needed_columns
from modules.training.given_teacher import GivenTeacher
from modules.training.input import Windows, read_owned_windows
from modules.training.joining import joined
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.distillation import TeacherConfig
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
        teachers_item_features: Likewise of each teacher, in their order.
        given_teachers: Those that were trained before, in the same order, None for others; empty
            where there are none.
    """

    train: Windows
    held_out: Windows
    movies: int
    item_features: ItemFeatures | None = None
    teachers_item_features: Sequence[ItemFeatures | None] = ()
    given_teachers: Sequence[GivenTeacher | None] = ()

    def given_teacher(self, place: int) -> GivenTeacher | None:
        """Returns the teacher at a place, from 0; None where it is to be trained."""
        return self.given_teachers[place] if self.given_teachers else None


def read_training_data(
    settings: RunSettings,
    *,
    train_files: Sequence[str],
    eval_files: Sequence[str],
    transform_graph: str,
    catalogue: str | None,
    given_teachers: Sequence[GivenTeacher | None] = (),
) -> TrainingData:
    """Reads what a run needs.

    Args:
        settings: The run's; they say which columns are read.
        train_files: Transformed examples to learn from, patterns.
        eval_files: Transformed examples for early stopping, patterns.
        transform_graph: Folder of Transform's graph.
        catalogue: Folder of ingestion's split `catalogue`, or None where there is none.
        given_teachers: As `read_given_teachers` returns them.

    Raises:
        DataError: The examples cannot be read, or do not fit the vocabulary.
        ConfigError: The catalogue has not what the model asks for, or the windows not what a
            teacher reads.
    """
    keys, _ = read_vocabulary(vocabulary_path(transform_graph))
    movie_ids = [int(key) for key in keys]
    given = [teacher for teacher in given_teachers if teacher is not None]
    train = read_training_windows(
        settings,
        train_files,
        transform_graph,
        movies=len(movie_ids),
        further=[teacher.config for teacher in given],
    )
    for teacher in given:
        teacher.check_windows(train)
    held_out = read_split(
        settings, eval_files, transform_graph, movies=len(movie_ids), with_seen=True
    )
    return TrainingData(
        train,
        held_out.first(settings.training.max_eval_windows),
        len(movie_ids),
        read_item_features(settings.model.item_features, catalogue, movie_ids),
        [
            read_item_features(model.item_features, catalogue, movie_ids)
            for model in teacher_models(settings.training, given_teachers)
        ],
        given_teachers,
    )


def teacher_models(
    training: TrainingConfig, given_teachers: Sequence[GivenTeacher | None]
) -> list[ModelConfig]:
    """Returns what each teacher is, in their order.

    Args:
        training: The section that names them.
        given_teachers: As `read_given_teachers` returns them; may be empty where none is given.

    Raises:
        ValueError: A teacher that was trained before is not given.
    """
    models = []
    for place, teacher in enumerate(training.teachers):
        given = given_teachers[place] if given_teachers else None
        if given is not None:
            models.append(given.config)
        elif isinstance(teacher, TeacherConfig):
            models.append(teacher.model)
        else:
            raise ValueError(f"training.distillation.teachers: {teacher} was not read")
    return models


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
    settings: RunSettings,
    files: Sequence[str],
    transform_graph: str,
    *,
    movies: int,
    further: Sequence[ModelConfig] = (),
) -> Windows:
    """Reads the windows to learn from, of the length that training takes.

    Args:
        settings: The run's.
        files: Transformed examples, patterns.
        transform_graph: Folder of Transform's graph.
        movies: Movies of the vocabulary.
        further: Models that read them too.

    Raises:
        DataError: The examples cannot be read, or do not fit the vocabulary.
    """
    windows, owner = _read_owned(
        settings, files, transform_graph, movies=movies, with_seen=False, further=further
    )
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
    further: Sequence[ModelConfig] = (),
) -> tuple[Windows, npt.NDArray[np.int64]]:
    needed = needed_columns(settings.model, settings.training, further)
    return read_owned_windows(
        files,
        tft.TFTransformOutput(transform_graph).transformed_feature_spec(),
        with_seen=with_seen,
        movies=movies,
        with_rating=needed.rating,
        with_time=needed.time,
        with_user=needed.user,
    )


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
