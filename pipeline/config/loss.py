"""What training minimises."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base import Section


class FullSoftmaxConfig(Section):
    """Cross-entropy of the softmax over the whole catalogue."""

    name: Literal["full_softmax"] = "full_softmax"
    chunk: int = Field(256, ge=16, description="positions whose logits exist at one time")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="part of a target's weight spread evenly over all movies"
    )


class SampledSoftmaxConfig(Section):
    """Cross-entropy of a softmax over the target and a sample of the other movies."""

    name: Literal["sampled_softmax"] = "sampled_softmax"
    negatives: int = Field(
        1000, ge=1, description="movies drawn an update and part of a batch, for all its positions"
    )
    sampler: Literal["uniform", "popularity", "in_batch"] = Field(
        "uniform",
        description=(
            "uniform: each movie at most once; popularity: by how often it is a target, with "
            "repeats; in_batch: among the batch's own targets, with repeats"
        ),
    )
    chunk: int = Field(512, ge=16, description="positions whose logits exist at one time")


class GbceConfig(Section):
    """Binary cross-entropy of the target against sampled movies, made less confident."""

    name: Literal["gbce"] = "gbce"
    negatives: int = Field(
        256, ge=1, description="movies drawn an update and part of a batch, for all its positions"
    )
    t: float = Field(
        0.75, ge=0, le=1, description="0: plain binary cross-entropy; 1: calibrated in full"
    )
    chunk: int = Field(512, ge=16, description="positions whose scores exist at one time")


LossConfig = Annotated[
    FullSoftmaxConfig | SampledSoftmaxConfig | GbceConfig, Field(discriminator="name")
]
