"""What training minimises."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.base import Section


class FullSoftmaxConfig(Section):
    """Cross-entropy of the softmax over the whole catalogue."""

    name: Literal["full_softmax"] = "full_softmax"
    chunk: int = Field(512, ge=16, description="positions whose logits exist at one time")


LossConfig = FullSoftmaxConfig
