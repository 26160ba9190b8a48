"""The training loop: epochs, early stopping, checkpoints."""

from __future__ import annotations

import dataclasses
import math
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modules.evaluation.metric_names import RECALL, chosen_by
from modules.models.recommender import Recommender
from modules.training.batches import BatchPlan
from modules.training.checkpoint import CheckpointStore, Progress
from modules.training.distribution import Distribution, build_distribution
from modules.training.epoch_evaluation import EpochEvaluation
from modules.training.halves import TeacherHalves
from modules.training.input import Windows
from modules.training.losses.base import Loss, build_loss
from modules.training.losses.distilled_softmax import DistilledSoftmax
from modules.training.losses.matching import ContextMatching
from modules.training.losses.recombination import Recombination
from modules.training.optimizer import build_optimizer
from modules.training.report import Reporter, peak_gib
from modules.training.teacher import Teacher
from modules.training.update import Updater
from pipeline.config.loss import FullSoftmaxConfig
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError

Arrays = Sequence[npt.NDArray[Any]]


def fit(
    model: Recommender,
    train: Windows,
    held_out: Windows,
    config: TrainingConfig,
    *,
    seed: int,
    store: CheckpointStore,
    reporter: Reporter | None,
    teacher: Teacher | None = None,
    halves: TeacherHalves | None = None,
    matching: ContextMatching | None = None,
    distribution: Distribution | None = None,
) -> list[dict[str, float]]:
    """Trains a model and leaves it with the weights of the best evaluation.

    Goes on from the store's checkpoint if there is one, with the weights that the run would have
    had without the break. The checkpoint stays: remove it once the model is safe.

    Args:
        model: A new model, made under the run's seed.
        train: Training windows.
        held_out: Windows for early stopping and the choice of weights.
        config: Epochs, batches, optimizer.
        seed: Of order and dropout.
        store: Where checkpoints go.
        reporter: Told each epoch; None where nobody is to be told.
        teacher: Of the training windows, where `config` learns from scores.
        halves: Likewise, where it learns from halves of histories.
        matching: The loss in the place of all others: contexts are learned, of `teacher`.
        distribution: As `build_distribution` makes it, which None leaves to this function; several
            workers need it before all else.

    Returns:
        One row an epoch, as `Reporter` describes.

    Raises:
        ConfigError: The loss stopped being a number, or workers do not agree on where to start.
        WorkerError: Another worker is lost.
        ValueError: There is something of a teacher that is not asked for, or the other way round.
    """
    distribution = distribution or build_distribution(config.distribution)
    run = _Run(model, train, held_out, config, seed, store, teacher, halves, matching, distribution)
    if run.restore() and reporter is not None:
        reporter.resumed(run.progress.history, run.progress.batch)
    with distribution.watched(str(store.folder)):
        run.check_start()
        while run.goes_on():
            run.finish_epoch(reporter)
            if reporter is not None:
                reporter.epoch(run.progress.history)
    run.keep_best()
    return run.progress.history


class _Run:
    """State of a run: the model's and optimizer's variables, progress, the best weights."""

    def __init__(
        self,
        model: Recommender,
        train: Windows,
        held_out: Windows,
        config: TrainingConfig,
        seed: int,
        store: CheckpointStore,
        teacher: Teacher | None,
        halves: TeacherHalves | None,
        matching: ContextMatching | None,
        distribution: Distribution,
    ) -> None:
        self.progress = Progress()
        self._config = config
        self._distribution = distribution
        self._store = store
        contexts = None if teacher is None else teacher.contexts
        self._plan = BatchPlan(
            train, config, shards=distribution.shards, seed=seed, teacher=contexts, halves=halves
        )
        updates = self._plan.batches_an_epoch * config.max_epochs
        optimizer = build_optimizer(config.optimizer, updates)
        loss = matching or _loss(model, train, config, teacher)
        recombination = None if matching else _recombination(model, config, halves, seed)
        self._updater = Updater(
            model, optimizer, loss, config, distribution, seed=seed, recombination=recombination
        )
        self._weights = model.trainable_variables
        # Weights that do not learn may have been given to this model at random, or by a teacher.
        self._variables = [
            *model.weights,
            *(recombination.variables if recombination else ()),
            *optimizer.variables,
            *self._updater.averages,
        ]
        self._best = _values(self._weights)
        self._evaluate = EpochEvaluation(model, held_out)
        self._resumed_at = time.monotonic()

    def restore(self) -> bool:
        """Takes over the checkpoint; tells whether there was one."""
        stored = self._store.load()
        if stored is None:
            return False
        self.progress, arrays = stored
        _assign(self._variables, arrays[: len(self._variables)])
        self._best = arrays[len(self._variables) :]
        return True

    def check_start(self) -> None:
        """Makes sure that all workers start where the chief does.

        Raises:
            ConfigError: This one does not.
        """
        place = f"{self._store.folder.name}, update {self.progress.step}"
        mine = zlib.crc32(place.encode())
        if self._distribution.from_chief(lambda: mine) != mine:
            raise ConfigError(
                f"this worker starts at {place}, the chief elsewhere: all workers need the same "
                f"settings, code and data, and have to see the checkpoints in {self._store.folder}"
            )

    def goes_on(self) -> bool:
        """Whether another epoch, or the rest of one, is to be trained."""
        progress, limit = self.progress, self._config.max_minutes
        # Workers' clocks differ.
        in_time = limit is None or bool(
            self._distribution.from_chief(lambda: progress.total_seconds < 60 * limit)
        )
        epochs_left = progress.epoch < self._config.max_epochs
        return epochs_left and progress.stale < self._config.patience and in_time

    def finish_epoch(self, reporter: Reporter | None) -> None:
        """Trains to the end of the epoch under way, evaluates and saves."""
        self._resumed_at = time.monotonic()
        self._train_epoch(reporter)
        progress = self.progress
        row = {
            "epoch": progress.epoch + 1,
            "loss": progress.loss_sum / max(progress.targets, 1),
            "learning_rate": float(self._updater.optimizer.learning_rate),
        }
        last = progress.epoch + 1 == self._config.max_epochs
        if last or (progress.epoch + 1) % self._config.eval_every == 0:
            row |= self._evaluate_epoch()
        row["peak_gib"] = peak_gib()
        row["seconds"] = progress.epoch_seconds + time.monotonic() - self._resumed_at
        self.progress = dataclasses.replace(
            progress,
            epoch=progress.epoch + 1,
            batch=0,
            loss_sum=0.0,
            targets=0.0,
            epoch_seconds=0.0,
            total_seconds=progress.total_seconds + row["seconds"],
            history=[*progress.history, row],
        )
        self._save()

    def keep_best(self) -> None:
        """Leaves the model with its best weights."""
        _assign(self._weights, self._best)

    def _train_epoch(self, reporter: Reporter | None) -> None:
        progress = self.progress
        batches = self._plan.epoch(progress.epoch, skip=progress.batch)
        for batch in batches:
            loss, targets = self._updater(batch, progress.step)
            if not math.isfinite(loss):
                raise ConfigError(
                    f"training diverged: the loss of update {progress.step + 1} is {loss}; lower "
                    f"training.optimizer.learning_rate ({self._config.optimizer.learning_rate}) "
                    "or set training.optimizer.clip_norm"
                )
            progress.loss_sum += loss
            progress.targets += targets
            progress.batch += 1
            progress.step += 1
            if reporter is not None:
                reporter.updated(progress.step, self._plan.batches_an_epoch)
            if progress.step % self._config.checkpoint_every == 0:
                self._save()

    def _evaluate_epoch(self) -> Mapping[str, float]:
        trained, candidate = _values(self._weights), self._updater.averaged_weights()
        metrics: dict[str, float] = {}

        def recall() -> float:
            _assign(self._weights, candidate)
            metrics.update(self._evaluate())
            _assign(self._weights, trained)
            return metrics[RECALL]

        metrics[RECALL] = self._distribution.from_chief(recall)
        worth = self._distribution.from_chief(lambda: chosen_by(metrics))
        if worth > self.progress.best_recall:
            self.progress.best_recall = worth
            self.progress.stale = 0
            self._best = candidate
        else:
            self.progress.stale += 1
        return metrics

    def _save(self) -> None:
        if not self._distribution.is_chief:
            return
        now = time.monotonic()
        spent = self.progress.epoch_seconds + now - self._resumed_at
        # Between epochs the clock belongs to nothing that a resumed run would go on with.
        seconds = spent if self.progress.batch else 0.0
        self._store.save(
            dataclasses.replace(self.progress, epoch_seconds=seconds),
            [*_values(self._variables), *self._best],
        )


def _loss(
    model: Recommender, train: Windows, config: TrainingConfig, teacher: Teacher | None
) -> Loss | DistilledSoftmax:
    if config.learns_scores != (teacher is not None):
        count = len(config.teachers) if config.learns_scores else 0
        raise ValueError(
            f"training.distillation has {count} teachers to learn from, but "
            f"{'none is' if teacher is None else 'one is'} given"
        )
    if teacher is None:
        counts = np.bincount(train.target.reshape(-1), minlength=model.movies + 1)
        return build_loss(config.loss, movie_counts=counts, score_bound=model.score_bound)
    # As `TrainingConfig` has checked.
    assert config.distillation is not None
    assert isinstance(config.loss, FullSoftmaxConfig)
    return DistilledSoftmax(
        config.loss, config.distillation, teacher, score_bound=model.score_bound
    )


def _recombination(
    model: Recommender, config: TrainingConfig, halves: TeacherHalves | None, seed: int
) -> Recombination | None:
    section = config.recombination
    if (section is not None) != (halves is not None):
        raise ValueError(
            "training.distillation.recombination is "
            f"{'off' if section is None else 'on'}, but a teacher's halves of histories are "
            f"{'missing' if halves is None else 'given'}"
        )
    if section is None or halves is None:
        return None
    # As `TrainingConfig` has checked.
    assert isinstance(config.loss, FullSoftmaxConfig)
    return Recombination(
        section, model, teacher_width=halves.hot.shape[1], chunk=config.loss.chunk, seed=seed
    )


def _values(variables: Sequence[Any]) -> list[npt.NDArray[Any]]:
    return [np.array(variable) for variable in variables]


def _assign(variables: Sequence[Any], values: Arrays) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
