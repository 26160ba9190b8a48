"""What a search varies: lists of values, or ranges, by key path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline.config.base import Section


class RangeConfig(Section):
    """Numbers between two ends, both included; whole numbers where both ends are."""

    low: int | float
    high: int | float
    log: bool = Field(False, description="every factor is as likely as every other")

    @model_validator(mode="after")
    def _in_order(self) -> RangeConfig:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if self.log and self.low <= 0:
            raise ValueError(f"low ({self.low}) must be above 0 where log is true")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


def _kind(value: Any) -> str:
    return "range" if isinstance(value, Mapping | RangeConfig) else "values"


Parameter = Annotated[
    Annotated[RangeConfig, Tag("range")] | Annotated[tuple[Any, ...], Tag("values")],
    Discriminator(_kind),
]


def check_parameters(parameters: Mapping[str, Parameter], *, ranges: bool) -> None:
    """Checks that parameters can be searched.

    Args:
        parameters: By key path.
        ranges: Whether ranges are allowed: a grid needs lists.

    Raises:
        ValueError: They cannot; names the key.
    """
    for key, parameter in parameters.items():
        if isinstance(parameter, RangeConfig):
            if not ranges:
                raise ValueError(f"parameters.{key}: a grid needs a list of values, not a range")
            continue
        texts = [json.dumps(value, sort_keys=True) for value in parameter]
        if not texts or len(set(texts)) < len(texts):
            raise ValueError(f"parameters.{key}: values must be there, and differ")
