"""What the steps of a compiled pipeline ask a cluster for."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.config.base import Section

ANY_STEP = "default"


class AcceleratorConfig(Section):
    """Devices beside a step's processors."""

    type: str = Field(
        min_length=1, description="as the backend calls it: NVIDIA_TESLA_T4, or nvidia.com/gpu"
    )
    count: int = Field(1, ge=1)


class ResourcesConfig(Section):
    """What a step is given: asked for, and not to be passed."""

    cpu: float = Field(1.0, gt=0, description="processors")
    memory_gib: float = Field(4.0, gt=0, description="GiB")
    accelerator: AcceleratorConfig | None = None


class DeploymentConfig(Section):
    """Of Kubeflow Pipelines and Vertex AI; local runs read none of it."""

    retries: int = Field(2, ge=0, le=10, description="of a step that failed")
    retry_seconds: float = Field(
        30.0, gt=0, description="wait before the first retry, doubled before each further one"
    )
    resources: dict[str, ResourcesConfig] = Field(
        {ANY_STEP: ResourcesConfig()}, description="by step; `default` for all others"
    )

    @model_validator(mode="after")
    def _every_step_has_some(self) -> DeploymentConfig:
        if ANY_STEP not in self.resources:
            raise ValueError(f"resources.{ANY_STEP} is missing: what the other steps are given")
        return self
