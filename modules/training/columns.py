"""Which columns of the windows a run reads."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.config.model import ModelConfig
from pipeline.config.training import TrainingConfig


class Columns(NamedTuple):
    """What is read besides the movies.

    Attributes:
        rating: Stars of context and targets.
        time: Times of the context and of the last target.
        user: Attributes of the users.
    """

    rating: bool
    time: bool
    user: bool = False


def needed_columns(model: ModelConfig, training: TrainingConfig) -> Columns:
    """Tells what model and loss make use of, and those of its teachers.

    Args:
        model: The model's section.
        training: The training's section.
    """
    rating = training.rating_share > 0 or model.rating_head is not None or model.reads_rating
    needed = Columns(rating, model.reads_time, bool(model.user_features.attributes))
    for teacher in training.teachers:
        others = needed_columns(teacher.model, training.of_teacher(teacher))
        needed = Columns(*(one or other for one, other in zip(needed, others, strict=True)))
    return needed
