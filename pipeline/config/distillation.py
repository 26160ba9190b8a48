"""Teachers: models that are trained first, for the one that ships to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from pipeline.config.base import Section
from pipeline.config.model import ModelConfig

# A teacher has no teachers of its own; and windows are read once, for all.
_NOT_A_TEACHERS = (
    "distillation",
    "distribution",
    "max_eval_windows",
    "warm_start",
    "window_length",
)


class TeacherConfig(Section):
    """A model that is trained first, on the same windows; it does not ship."""

    model: ModelConfig = ModelConfig()
    training: dict[str, Any] = Field(
        {}, description="what differs from the student's section `training`, its loss included"
    )
    seed: int | None = Field(
        None, ge=0, description="null: the run's plus 1 for the first teacher, 2 for the second ..."
    )

    @field_validator("training")
    @classmethod
    def _can_differ(cls, training: dict[str, Any]) -> dict[str, Any]:
        for key in _NOT_A_TEACHERS:
            if key in training:
                raise ValueError(f"{key} cannot differ for a teacher, leave it out")
        return training


class DistillationConfig(Section):
    """Learning from teachers' scores of the whole catalogue beside the targets."""

    weight: float = Field(
        0.5, ge=0, le=1, description="the teachers' share of the loss; 0: none are trained"
    )
    temperature: float = Field(
        1.0, gt=0, description="scores are divided by it; higher: more of the teachers' ranking"
    )
    teachers: tuple[TeacherConfig, ...] = Field(
        min_length=1, description="of several, the mean of their scores is learned from"
    )

    @field_validator("teachers")
    @classmethod
    def _different(cls, teachers: tuple[TeacherConfig, ...]) -> tuple[TeacherConfig, ...]:
        for place, teacher in enumerate(teachers):
            if teacher.seed is not None and teacher in teachers[:place]:
                raise ValueError(
                    f"teacher {place + 1} would be the same model as teacher "
                    f"{1 + teachers.index(teacher)}: give it another seed"
                )
        return teachers


def merged(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lays settings over others: sections are merged, but one that names itself is taken whole.

    Args:
        tree: Settings.
        changes: What goes before them.
    """
    result = dict(tree)
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping) and "name" not in value:
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result
