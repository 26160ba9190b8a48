"""How the model is trained."""

from __future__ import annotations

from typing import Literal

import pydantic
from pydantic import Field, field_validator, model_validator

from pipeline.config.base import Section
from pipeline.config.distillation import (
    AnyTeacherConfig,
    DistillationConfig,
    GivenTeacherConfig,
    MatchingConfig,
    RecombinationConfig,
    TeacherConfig,
    merged,
)
from pipeline.config.loss import FullSoftmaxConfig, LossConfig


class OptimizerConfig(Section):
    """The optimizer and its learning-rate schedule."""

    name: Literal["adam", "adamw", "adagrad", "sgd"] = "adam"
    learning_rate: float = Field(1e-3, gt=0, description="peak of the schedule")
    beta_2: float = Field(0.98, gt=0, lt=1, description="adam, adamw: decay of squared gradients")
    weight_decay: float = Field(0.0, ge=0, description="adamw")
    clip_norm: float | None = Field(None, gt=0, description="global gradient norm, or null")
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = Field(100, ge=0, description="updates of linear warm-up")


class DistributionConfig(Section):
    """Which devices share the work of an update."""

    strategy: Literal["none", "mirrored", "multi_worker"] = Field(
        "none",
        description=(
            "none: one device; mirrored: all GPUs of this machine, or its logical CPUs; "
            "multi_worker: the processes that TF_CONFIG names"
        ),
    )
    shards: int = Field(
        2,
        ge=1,
        description=(
            "equal parts of a batch, which devices share and threads compute side by side; "
            "another number gives other weights from the same seed"
        ),
    )


class WarmStartConfig(Section):
    """Training that goes on with the last blessed model of an earlier span."""

    on_mismatch: Literal["fail", "fresh"] = Field(
        "fail",
        description=(
            "where its weights do not fit, or it may have learned what is held out now: stop, or "
            "begin with new weights"
        ),
    )


class TrainingConfig(Section):
    """Epochs, batches, early stopping."""

    batch_size: int = Field(128, ge=1, description="what an update takes, in `batch_unit`")
    batch_unit: Literal["windows", "positions"] = Field(
        "windows", description="positions: more windows an update where they are shorter"
    )
    window_length: int | None = Field(
        None,
        ge=1,
        description=(
            "events of a training window; null: history.length, which is also what a device "
            "sends. Longer ones train as many targets with fewer borders"
        ),
    )
    length_buckets: tuple[int, ...] = Field(
        (),
        description=(
            "rising; a window is cut to the first length that holds its events, and batched with "
            "others of it; those of history.length and above do nothing"
        ),
    )
    later_weights: tuple[float, ...] = Field(
        (), description="weights of the second, third ... movie after a position as targets too"
    )
    rating_share: float = Field(
        0.0, ge=0, le=1, description="part of a target's weight that is its rating in five stars"
    )
    max_epochs: int = Field(30, ge=1)
    max_minutes: float | None = Field(
        None, gt=0, description="no new epoch starts after this; null: no limit (deterministic)"
    )
    patience: int = Field(4, ge=1, description="evaluations without a better eval recall@10")
    eval_every: int = Field(1, ge=1, description="epochs between evaluations")
    max_eval_windows: int = Field(
        20_000, ge=1, description="eval windows an evaluation reads, the first ones"
    )
    ema_decay: float | None = Field(
        None, gt=0, lt=1, description="exponential moving average of weights, or null"
    )
    optimizer: OptimizerConfig = OptimizerConfig()
    loss: LossConfig = FullSoftmaxConfig()
    distillation: DistillationConfig | None = Field(
        None, description="learn from teachers too, that are trained first or were trained before"
    )
    warm_start: WarmStartConfig | None = Field(
        None, description="go on with the last blessed model of an earlier span"
    )
    weight_bits: Literal[4] | None = Field(
        None,
        description=(
            "of the encoder's matrices, a step for each output: training computes with them as "
            "the variant int4 will; null: rounded after training"
        ),
    )
    xla: bool = Field(
        True, description="compile updates; off: starts sooner, but slower updates (tests)"
    )
    distribution: DistributionConfig = DistributionConfig()
    checkpoint_every: int = Field(
        200, ge=1, description="updates between checkpoints; a kill loses no more than these"
    )

    @field_validator("length_buckets")
    @classmethod
    def _rising(cls, lengths: tuple[int, ...]) -> tuple[int, ...]:
        if any(low >= high for low, high in zip((0, *lengths), lengths, strict=False)):
            raise ValueError(f"lengths must rise from 1 on, got {list(lengths)}")
        return lengths

    @field_validator("later_weights")
    @classmethod
    def _not_negative(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if any(weight < 0 for weight in weights):
            raise ValueError(f"weights must not be negative, got {list(weights)}")
        return weights

    @model_validator(mode="after")
    def _can_be_taught(self) -> TrainingConfig:
        if self.distillation is None:
            return self
        if self.matching is not None and self.warm_start is not None:
            raise ValueError(
                "distillation.matching and warm_start are two ways to begin: set one to null"
            )
        if self.learns_scores and not isinstance(self.loss, FullSoftmaxConfig):
            raise ValueError(
                f"distillation learns from scores of all movies: loss must be full_softmax, is "
                f"{self.loss.name}; or set distillation.weight to 0 and learn by matching alone"
            )
        for number, teacher in enumerate(self.distillation.teachers):
            if not isinstance(teacher, TeacherConfig):
                continue
            try:
                self.of_teacher(teacher)
            except pydantic.ValidationError as error:
                problem = error.errors(include_url=False)[0]
                key = ".".join(map(str, ("teachers", number, "training", *problem["loc"])))
                raise ValueError(f"distillation.{key}: {problem['msg']}") from None
        return self

    @property
    def teachers(self) -> tuple[AnyTeacherConfig, ...]:
        """The teachers that are learned from, in their order; none where nothing is learned."""
        if self.distillation is None:
            return ()
        if not (self.learns_scores or self.recombination or self.matching):
            return ()
        return self.distillation.teachers

    @property
    def learns_scores(self) -> bool:
        """Whether teachers' scores are learned from."""
        return self.distillation is not None and self.distillation.weight > 0

    @property
    def matching(self) -> MatchingConfig | None:
        """How training begins where the teachers are; None where it does not."""
        return None if self.distillation is None else self.distillation.matching

    @property
    def recombination(self) -> RecombinationConfig | None:
        """How halves of histories are learned from; None where they are not."""
        section = None if self.distillation is None else self.distillation.recombination
        return section if section is not None and section.any else None

    @property
    def new_teachers(self) -> tuple[TeacherConfig, ...]:
        """Those of them that are trained first."""
        return tuple(one for one in self.teachers if isinstance(one, TeacherConfig))

    @property
    def given_teachers(self) -> tuple[GivenTeacherConfig, ...]:
        """Those of them that were trained before."""
        return tuple(one for one in self.teachers if not isinstance(one, TeacherConfig))

    def of_teacher(self, teacher: TeacherConfig) -> TrainingConfig:
        """Returns how one of the teachers is trained: as the student, but for what it says itself.

        Its matrices are not rounded for a device, which it does not see.
        """
        own = self.model_dump(mode="json", exclude={"distillation", "warm_start", "weight_bits"})
        return TrainingConfig.model_validate(merged(own, teacher.training))
