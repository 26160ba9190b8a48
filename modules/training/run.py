"""One training run without TFX: windows in, a trained recommender out."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import keras

from modules.models.recommender import Recommender
from modules.training.checkpoint import CheckpointStore
from modules.training.columns import needed_columns, read_columns
from modules.training.data import RunSettings, TrainingData
from modules.training.distribution import Distribution, build_distribution
from modules.training.fit import fit
from modules.training.lessons import Lessons
from modules.training.matching import Matched, begin
from modules.training.refinement import refine
from modules.training.report import Reporter
from modules.training.warm_start import WarmStart
from pipeline.config.distillation import TeacherConfig
from pipeline.progress import report


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        model: With the weights of the best evaluation.
        history: One row an epoch, as `Reporter` describes.
        store: The run's checkpoint.
        teachers: The runs of those of its teachers that were trained first.
        matched: The epochs before, that learned a teacher's contexts; None where there were none.
    """

    model: Recommender
    history: Sequence[dict[str, float]]
    store: CheckpointStore
    teachers: Sequence[TrainedRun] = ()
    matched: Matched | None = None

    @property
    def seconds(self) -> float:
        """Time of its epochs, without its teachers'."""
        return sum(row["seconds"] for row in self._rows)

    @property
    def peak_gib(self) -> float:
        """Most memory, in GiB, of any process that trained it or its teachers."""
        return max(row["peak_gib"] for run in (*self.teachers, self) for row in run._rows)

    @property
    def _rows(self) -> list[dict[str, float]]:
        return [*(self.matched.history if self.matched else ()), *self.history]

    def remove_checkpoints(self) -> None:
        """Deletes the run's checkpoint and its teachers': once the model is safe."""
        for run in (*self.teachers, self):
            run.store.remove()
            if run.matched is not None:
                run.matched.store.remove()


def train_recommender(
    settings: RunSettings,
    data: TrainingData,
    *,
    checkpoint_root: Path,
    log_folder: Path,
    distribution: Distribution | None = None,
    start: WarmStart | None = None,
) -> TrainedRun:
    """Trains a recommender, new teachers first; goes on where the same run was killed before.

    Args:
        settings: The run's.
        data: The run's.
        checkpoint_root: Folder of all runs' checkpoints.
        log_folder: Where TensorBoard's files and `history.json` go; those of teachers into folders
            `teacher_1` ... below.
        distribution: As `build_distribution` makes it, which None leaves to this function; several
            workers need it before all else.
        start: The weights to begin with; None begins with new ones. Teachers always do.

    Raises:
        ConfigError: Training diverged, devices cannot share it, it cannot begin as it is to, or a
            teacher that was trained before does not fit.
        WorkerError: Another worker is lost.
    """
    distribution = distribution or build_distribution(settings.training.distribution)
    runs: list[TrainedRun] = []
    lessons = Lessons(settings.training, data)
    # Made before anything is trained: what does not fit is known by then.
    given = _given_models(data)
    teachers = len(settings.training.teachers)
    for place in range(teachers):
        whose = f"teacher {place + 1}/{teachers}: "
        teacher = data.given_teacher(place)
        if teacher is not None:
            if distribution.is_chief:
                report.say(f"{whose}{teacher.name}, trained before")
            model, windows = given[place], data.train.only(read_columns(teacher.config))
        else:
            its_settings, its_data = _of_teacher(settings, data, place)
            log = log_folder / f"teacher_{place + 1}"
            run = _train(its_settings, its_data, checkpoint_root, log, distribution, whose=whose)
            runs.append(run)
            model, windows = run.model, its_data.train
        for said in lessons.add(model, windows):
            if distribution.is_chief:
                report.say(f"{whose}{said}")
    run = _train(
        settings,
        data,
        checkpoint_root,
        log_folder,
        distribution,
        lessons=lessons,
        start=start,
    )
    return dataclasses.replace(run, teachers=runs)


def _given_models(data: TrainingData) -> dict[int, Recommender]:
    """Returns the teachers that were trained before, by place from 0.

    Raises:
        ConfigError: The weights of one do not fit this run's windows or catalogue.
    """
    return {
        place: teacher.model(
            history_length=data.train.context.shape[1],
            movies=data.movies,
            item_features=data.teachers_item_features[place],
        )
        for place, teacher in enumerate(data.given_teachers)
        if teacher is not None
    }


def _of_teacher(
    settings: RunSettings, data: TrainingData, place: int
) -> tuple[RunSettings, TrainingData]:
    """Returns the run that trains a teacher: what it would be as a run of its own.

    So its checkpoint serves every student of the same teacher, and where it is the student's own
    model with another seed, that model's run too.

    Args:
        settings: The student's.
        data: The student's.
        place: Of the teacher, from 0.
    """
    teacher = settings.training.teachers[place]
    assert isinstance(teacher, TeacherConfig)
    training = settings.training.of_teacher(teacher)
    seed = settings.seed + place + 1 if teacher.seed is None else teacher.seed
    columns = needed_columns(teacher.model, training)
    return (
        dataclasses.replace(settings, model=teacher.model, training=training, seed=seed),
        TrainingData(
            data.train.only(columns),
            data.held_out.only(columns),
            data.movies,
            data.teachers_item_features[place],
        ),
    )


def _train(
    settings: RunSettings,
    data: TrainingData,
    checkpoint_root: Path,
    log_folder: Path,
    distribution: Distribution,
    *,
    whose: str = "",
    lessons: Lessons | None = None,
    start: WarmStart | None = None,
) -> TrainedRun:
    """Trains one model, see `train_recommender`."""
    fingerprint = run_fingerprint(settings, data, start)
    store = CheckpointStore(checkpoint_root, fingerprint)
    keras.utils.set_random_seed(settings.seed % 2**32)
    length = data.train.context.shape[1]
    model = Recommender(
        settings.model,
        history_length=length,
        movies=data.movies,
        item_features=data.item_features,
    )
    begun = None if start is None else start.begin(model)
    reporter = None
    if distribution.is_chief:
        reporter = Reporter(log_folder, settings.training.max_epochs, whose=whose)
        report.say(
            f"{whose}training {settings.model.encoder.name} on {len(data.train):,} windows of "
            f"{length}, {data.movies:,} movies, {model.count_params():,} parameters"
        )
        if begun is not None:
            report.say(f"{whose}{begun}")
    # Once: joining several teachers' vectors copies hundreds of megabytes.
    teacher = None if lessons is None else lessons.teacher
    # Of several workers, the chief alone: the others cannot go on without it.
    with store.held() if distribution.is_chief else contextlib.nullcontext():
        matched = begin(
            model,
            data,
            settings,
            teacher=teacher,
            store=CheckpointStore(checkpoint_root, f"{fingerprint}-matching"),
            log_folder=log_folder / "matching",
            distribution=distribution,
            whose=whose,
        )
        history = fit(
            model,
            data.train,
            data.held_out,
            settings.training,
            seed=settings.seed,
            store=store,
            reporter=reporter,
            teacher=teacher if settings.training.learns_scores else None,
            halves=None if lessons is None else lessons.halves,
            distribution=distribution,
        )
        if distribution.is_chief:
            refine(model, data.train, settings.training, seed=settings.seed)
    if reporter is not None:
        reporter.close()
    return TrainedRun(model, history, store, matched=matched)


def run_fingerprint(
    settings: RunSettings, data: TrainingData, start: WarmStart | None = None
) -> str:
    """Returns a name for all that shapes the trained weights: settings, code and data.

    Args:
        settings: The run's.
        data: The run's.
        start: The run's.
    """
    parts = {
        "model": settings.model.model_dump_json(),
        "training": settings.training.model_dump_json(),
        "history": settings.history.model_dump_json(),
        "seed": settings.seed,
        "source_hash": settings.source_hash,
        "movies": data.movies,
        # Which movie a row stands for matters where rows are taken over.
        "start": start and [start.weights.digest, start.rows.movie_ids.tolist()],
        "train": data.train.digest(),
        "held_out": data.held_out.digest(),
        "item_features": [
            features and features.digest()
            for features in (data.item_features, *data.teachers_item_features)
        ],
        "given_teachers": [teacher and teacher.weights.digest for teacher in data.given_teachers],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
