"""Which columns of the windows a run reads."""

from __future__ import annotations

from collections.abc import Sequence
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

    def joined(self, other: Columns) -> Columns:
        """Returns what either reads."""
        return Columns(*(one or two for one, two in zip(self, other, strict=True)))


def needed_columns(
    model: ModelConfig, training: TrainingConfig, given: Sequence[ModelConfig] = ()
) -> Columns:
    """Tells what model and loss make use of, and those of its teachers.

    Args:
        model: The model's section.
        training: The training's section.
        given: Models of the teachers that were trained before.
    """
    rating = training.rating_share > 0 or model.rating_head is not None or model.reads_rating
    needed = read_columns(model)._replace(rating=rating)
    for teacher in training.new_teachers:
        needed = needed.joined(needed_columns(teacher.model, training.of_teacher(teacher)))
    for other in given:
        needed = needed.joined(read_columns(other))
    return needed


def read_columns(model: ModelConfig) -> Columns:
    """Tells what a model reads of histories, once it is trained.

    Args:
        model: The model's section.
    """
    return Columns(model.reads_rating, model.reads_time, bool(model.user_features.attributes))
