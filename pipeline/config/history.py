"""How timelines become windows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.base import Section


class HistoryConfig(Section):
    """Sliding windows over timelines."""

    length: int = Field(50, ge=1, le=1000, description="N: events of history a window holds")
    stride: int = Field(
        25,
        ge=1,
        description=(
            "events between two training windows' ends; each window's last `stride` positions "
            "are targets, so every event is a target once"
        ),
    )
    min_history: int = Field(1, ge=1, description="known events that must precede a target")
    min_rating: float = Field(
        0.0, ge=0, le=5, description="stars; events below are neither history nor target"
    )
    padding: Literal["left", "right"] = Field(
        "left", description="side of a short history that is filled with 0"
    )
    min_movie_count: int = Field(
        1, ge=1, description="training events a movie needs to enter the vocabulary"
    )

    @model_validator(mode="after")
    def _stride_fits(self) -> HistoryConfig:
        if self.stride > self.length:
            raise ValueError(
                f"stride ({self.stride}) must not be above length ({self.length}): "
                "events between two windows would never be a target"
            )
        if self.min_history > self.length:
            raise ValueError(
                f"min_history ({self.min_history}) must not be above length ({self.length})"
            )
        return self
