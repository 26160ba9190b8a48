"""One training run without TFX: windows in, a trained recommender out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import keras

from modules.models.recommender import Recommender
from modules.training.checkpoint import CheckpointStore
from modules.training.data import RunSettings, TrainingData
from modules.training.distribution import Distribution, build_distribution
from modules.training.fit import fit
from modules.training.report import Reporter
from modules.training.teacher import Teacher, ensemble, teacher_contexts
from pipeline.config.distillation import TeacherConfig


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        model: With the weights of the best evaluation.
        history: One row an epoch, as `Reporter` describes.
        store: The run's checkpoint, its teachers' within: remove it once the model is safe.
    """

    model: Recommender
    history: Sequence[dict[str, float]]
    store: CheckpointStore


def train_recommender(
    settings: RunSettings,
    data: TrainingData,
    *,
    checkpoint_root: Path,
    log_folder: Path,
    distribution: Distribution | None = None,
) -> TrainedRun:
    """Trains a recommender, its teachers first; goes on where the same run was killed before.

    Args:
        settings: The run's.
        data: The run's.
        checkpoint_root: Folder of all runs' checkpoints.
        log_folder: Where TensorBoard's files and `history.json` go; those of teachers into folders
            `teacher_1` ... below.
        distribution: As `build_distribution` makes it, which None leaves to this function; several
            workers need it before all else.

    Raises:
        ConfigError: Training diverged, or devices cannot share it.
        WorkerError: Another worker is lost.
    """
    distribution = distribution or build_distribution(settings.training.distribution)
    store = CheckpointStore(checkpoint_root, run_fingerprint(settings, data))
    teacher = _train_teachers(settings, data, store, log_folder, distribution)
    return _train(settings, data, store, log_folder, distribution, teacher=teacher)


def _train_teachers(
    settings: RunSettings,
    data: TrainingData,
    store: CheckpointStore,
    log_folder: Path,
    distribution: Distribution,
) -> Teacher | None:
    """Trains the teachers in turn and keeps what the student learns from.

    A teacher that a killed run had trained is in its checkpoint, which has nothing left to train.
    """
    teachers = settings.training.teachers
    taught = []
    for number, teacher in enumerate(teachers, 1):
        name, whose = f"teacher_{number}", f"teacher {number}/{len(teachers)}: "
        trained = _train(
            _of_teacher(settings, teacher),
            dataclasses.replace(data, item_features=data.teachers_item_features[number - 1]),
            CheckpointStore(store.folder, name),
            log_folder / name,
            distribution,
            whose=whose,
        )
        taught.append(teacher_contexts(trained.model, data.train, xla=settings.training.xla))
        count, width = taught[-1].contexts.shape
        if distribution.is_chief:
            print(
                f"{whose}its vectors of {count:,} targets are "
                f"{taught[-1].contexts.nbytes / 1e6:.0f} MB, {width} numbers each",
                flush=True,
            )
    return ensemble(taught) if taught else None


def _of_teacher(settings: RunSettings, teacher: TeacherConfig) -> RunSettings:
    return dataclasses.replace(
        settings,
        model=teacher.model,
        training=settings.training.of_teacher(teacher),
        seed=settings.seed + teacher.seed_offset,
    )


def _train(
    settings: RunSettings,
    data: TrainingData,
    store: CheckpointStore,
    log_folder: Path,
    distribution: Distribution,
    *,
    whose: str = "",
    teacher: Teacher | None = None,
) -> TrainedRun:
    """Trains one model, see `train_recommender`."""
    keras.utils.set_random_seed(settings.seed % 2**32)
    length = data.train.context.shape[1]
    model = Recommender(
        settings.model,
        history_length=length,
        movies=data.movies,
        item_features=data.item_features,
    )
    reporter = None
    if distribution.is_chief:
        reporter = Reporter(log_folder, settings.training.max_epochs, whose=whose)
        print(
            f"{whose}training {settings.model.encoder.name} on {len(data.train):,} windows of "
            f"{length}, {data.movies:,} movies, {model.count_params():,} parameters",
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
        teacher=teacher,
        distribution=distribution,
    )
    if reporter is not None:
        reporter.close()
    return TrainedRun(model, history, store)


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
        "item_features": [
            features and features.digest()
            for features in (data.item_features, *data.teachers_item_features)
        ],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
