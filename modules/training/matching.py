"""A student's beginning: random weights, or where its teacher is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modules.models.recommender import Recommender
from modules.training.checkpoint import CheckpointStore
from modules.training.data import RunSettings, TrainingData
from modules.training.distribution import Distribution
from modules.training.fit import fit
from modules.training.losses.matching import ContextMatching
from modules.training.report import Reporter
from modules.training.teacher import Teacher
from modules.training.teacher_space import teacher_space
from pipeline.config.training import TrainingConfig
from pipeline.progress import report


@dataclasses.dataclass(frozen=True)
class Matched:
    """Epochs that learned a teacher's contexts.

    Attributes:
        history: One row an epoch, as `Reporter` describes; the last one alone is evaluated.
        store: Their checkpoint.
    """

    history: Sequence[dict[str, float]]
    store: CheckpointStore


def begin(
    model: Recommender,
    data: TrainingData,
    settings: RunSettings,
    *,
    teacher: Teacher | None,
    store: CheckpointStore,
    log_folder: Path,
    distribution: Distribution,
    whose: str = "",
) -> Matched | None:
    """Gives a new model its teacher's rows, and trains it to give the teacher's contexts.

    Only where `training.distillation.matching` asks for it; the item table is told in any case.

    Args:
        model: New.
        data: The run's.
        settings: The run's.
        teacher: What is known of the teachers.
        store: Where checkpoints of these epochs go.
        log_folder: Where TensorBoard's files and `history.json` of these epochs go.
        distribution: The run's.
        whose: What lines on the screen begin with.

    Returns:
        The epochs, or None where there were none.

    Raises:
        ConfigError: Training diverged, or the item table cannot do without a teacher.
    """
    section = settings.training.matching
    if section is None or teacher is None:
        model.begin_from(None)
        return None
    counts = np.bincount(data.train.target.reshape(-1), minlength=data.movies + 1)
    space = teacher_space(teacher, model.width, counts=counts, parts=model.row_parts)
    model.begin_from(space.rows)
    if distribution.is_chief:
        report.say(
            f"{whose}rows {model.width} wide hold {space.kept:.1%} of what the teacher's scores "
            "differ in"
        )
    if not section.epochs:
        return None
    cosine = settings.model.scoring == "cosine"
    reporter = (
        Reporter(log_folder, section.epochs, whose=f"{whose}matching: ")
        if distribution.is_chief
        else None
    )
    history = fit(
        model,
        data.train,
        data.held_out,
        _of_matching(settings.training, section.epochs, section.learning_rate),
        seed=settings.seed,
        store=store,
        reporter=reporter,
        teacher=Teacher(space.contexts, space.rows),
        matching=ContextMatching(space, length=settings.model.cosine_scale if cosine else None),
        distribution=distribution,
    )
    if reporter is not None:
        reporter.close()
    return Matched(history, store)


def _of_matching(training: TrainingConfig, epochs: int, rate: float | None) -> TrainingConfig:
    """Returns the settings of these epochs.

    They are evaluated once, at their end: recall tells little of contexts that come near to others,
    and the last weights are the nearest.
    """
    optimizer = training.optimizer.model_copy(
        update={"learning_rate": rate or training.optimizer.learning_rate}
    )
    return training.model_copy(
        update={"max_epochs": epochs, "eval_every": epochs, "optimizer": optimizer}
    )
