"""Teachers: models for the one that ships to learn from, trained first or trained before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

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


class RegisteredTeacherConfig(Section):
    """A model of the registry, `registry.model_name`, that is read instead of trained."""

    registered: int | Literal["champion"] = Field(
        description="a version's number; champion: what ships as the run begins"
    )
    model_name: str | None = Field(
        None, min_length=1, description="the registered model; null: registry.model_name"
    )

    @field_validator("registered", mode="before")
    @classmethod
    def _is_a_version(cls, registered: Any) -> Any:
        is_number = isinstance(registered, int) and not isinstance(registered, bool)
        if registered != "champion" and not (is_number and registered >= 1):
            raise ValueError("must be a version's number, from 1 on, or champion")
        return registered


class FolderTeacherConfig(Section):
    """A model whose training weights lie in a folder; it is read instead of trained."""

    folder: str = Field(
        min_length=1,
        description="`training/` of a registered version or of a model's artifact, or its bundle",
    )


GivenTeacherConfig = RegisteredTeacherConfig | FolderTeacherConfig
"""A teacher that was trained before."""


def _kind(teacher: Any) -> str:
    if isinstance(teacher, Mapping):
        return next((f"({key})" for key in ("registered", "folder") if key in teacher), "(trained)")
    if isinstance(teacher, RegisteredTeacherConfig):
        return "(registered)"
    return "(folder)" if isinstance(teacher, FolderTeacherConfig) else "(trained)"


# Brackets: parts of no key's path, see `pipeline.config.root`.
AnyTeacherConfig = Annotated[
    Annotated[TeacherConfig, Tag("(trained)")]
    | Annotated[RegisteredTeacherConfig, Tag("(registered)")]
    | Annotated[FolderTeacherConfig, Tag("(folder)")],
    Discriminator(_kind),
]


class RecombinationConfig(Section):
    """Learning from what student and teacher make of a history's popular and its other events."""

    hot_share: float = Field(
        0.2, gt=0, lt=1, description="part of the movies that is popular, by training events"
    )
    contrastive_weight: float = Field(
        0.2, ge=0, description="of telling a user's halves from others', beside the loss; 0: not"
    )
    temperature: float = Field(
        0.2, gt=0, description="cosines of the contrast are divided by it; lower: harder"
    )
    predictive_weight: float = Field(
        0.001, ge=0, description="of predicting the next movie from either combination; 0: not"
    )

    @property
    def any(self) -> bool:
        """Whether anything is learned."""
        return self.contrastive_weight > 0 or self.predictive_weight > 0


class MatchingConfig(Section):
    """Beginning where the teachers are: with their rows, and epochs that learn their contexts.

    An epoch takes no movie's score, and so a fraction of the time of others.
    """

    epochs: int = Field(4, ge=0, description="before the others; 0: the item table alone begins")
    learning_rate: float | None = Field(
        None, gt=0, description="peak in these epochs; null: optimizer.learning_rate"
    )


class DistillationConfig(Section):
    """Learning from teachers' scores of the whole catalogue beside the targets."""

    weight: float = Field(
        0.5, ge=0, le=1, description="the share of the teachers' scores in the loss; 0: none"
    )
    temperature: float = Field(
        1.0, gt=0, description="scores are divided by it; higher: more of the teachers' ranking"
    )
    teachers: tuple[AnyTeacherConfig, ...] = Field(
        min_length=1, description="of several, the mean of their scores is learned from"
    )
    recombination: RecombinationConfig | None = Field(
        None, description="learn from halves of histories too"
    )
    matching: MatchingConfig | None = Field(
        None, description="begin with the teachers' rows and contexts instead of random ones"
    )

    @field_validator("teachers")
    @classmethod
    def _different(cls, teachers: tuple[AnyTeacherConfig, ...]) -> tuple[AnyTeacherConfig, ...]:
        for place, teacher in enumerate(teachers):
            if teacher not in teachers[:place]:
                continue
            same = (
                f"teacher {place + 1} would be the same model as teacher "
                f"{1 + teachers.index(teacher)}"
            )
            if not isinstance(teacher, TeacherConfig):
                raise ValueError(f"{same}: leave it out")
            if teacher.seed is not None:
                raise ValueError(f"{same}: give it another seed")
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
