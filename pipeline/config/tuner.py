"""A search inside the pipeline, before the Trainer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.base import Section
from pipeline.config.parameters import Parameter, check_parameters

_SECTIONS = ("model", "training")


class TunerConfig(Section):
    """TFX's Tuner: its best settings replace those of `model` and `training` in the Trainer.

    For a search of a few trials that belongs to every run; `pocketrec sweep` is for studies.
    """

    enabled: bool = Field(False, description="whether the pipeline has a Tuner")
    search: Literal["random", "grid"] = "random"
    trials: int = Field(8, ge=1, description="the most; a small grid has fewer")
    max_epochs: int | None = Field(None, ge=1, description="of a trial; null: training.max_epochs")
    parameters: dict[str, Parameter] = Field(
        {}, description="by key path below model or training: a list of values, or a range"
    )

    @model_validator(mode="after")
    def _can_be_searched(self) -> TunerConfig:
        for key in self.parameters:
            if key.split(".")[0] not in _SECTIONS or "." not in key:
                raise ValueError(f"parameters.{key}: only keys below {_SECTIONS} can be tuned")
            if key.startswith("model.item_features"):
                raise ValueError(f"parameters.{key}: TFX's Tuner has no access to the catalogue")
        check_parameters(self.parameters, ranges=self.search != "grid")
        if self.enabled and not self.parameters:
            raise ValueError("parameters: the tuner is enabled and has nothing to vary")
        return self
