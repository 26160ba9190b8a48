"""What the steps of a compiled pipeline ask a cluster for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from pipeline.config.base import Section

ANY_STEP = "default"

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable."""

ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)
]
"""Name of an object of Kubernetes."""

SecretKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=253)]


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


class SecretValueConfig(Section):
    """Where a secret value is, not the value itself."""

    secret: ObjectName = Field(description="a Secret in the namespace of the runs")
    key: SecretKey = Field(description="in that Secret")


class ObjectStoreConfig(Section):
    """The store behind `s3://`; the defaults are Kubeflow Pipelines' own."""

    endpoint: str | None = Field(
        "http://minio-service.kubeflow:9000",
        pattern=r"^https?://[^/]+$",
        description="null: Amazon's",
    )
    region: str = Field("us-east-1", min_length=1)
    secret: ObjectName | None = Field(
        "mlpipeline-minio-artifact",
        description="with both keys; null: the pods' service account has the rights",
    )
    access_key: SecretKey = Field("accesskey", description="the Secret's key of the key's id")
    secret_key: SecretKey = Field("secretkey", description="the Secret's key of the key itself")


class KubernetesConfig(Section):
    """Of the steps' pods on Kubeflow Pipelines; Vertex AI reads none of it."""

    object_store: ObjectStoreConfig = ObjectStoreConfig()
    secret_environment: dict[Variable, SecretValueConfig] = Field(
        {}, description="variables of every step whose values are in Secrets"
    )
    checkpoint_claim: ObjectName | None = Field(
        None, description="volume claim for the trainer's checkpoints; null: lost with the pod"
    )


class DeploymentConfig(Section):
    """Of Kubeflow Pipelines and Vertex AI; local runs read none of it."""

    retries: int = Field(2, ge=0, le=10, description="of a step that failed")
    retry_seconds: float = Field(
        30.0, gt=0, description="wait before the first retry, doubled before each further one"
    )
    resources: dict[str, ResourcesConfig] = Field(
        {ANY_STEP: ResourcesConfig()}, description="by step; `default` for all others"
    )
    environment: dict[Variable, str] = Field(
        {}, description="variables of every step; no secrets, everyone who sees a run reads them"
    )
    kubernetes: KubernetesConfig = KubernetesConfig()

    @model_validator(mode="after")
    def _every_step_has_some(self) -> DeploymentConfig:
        if ANY_STEP not in self.resources:
            raise ValueError(f"resources.{ANY_STEP} is missing: what the other steps are given")
        return self

    @model_validator(mode="after")
    def _a_variable_has_one_value(self) -> DeploymentConfig:
        twice = sorted(set(self.environment) & set(self.kubernetes.secret_environment))
        if twice:
            raise ValueError(
                f"{', '.join(twice)}: stands in environment and in kubernetes.secret_environment; "
                "leave it in one of them"
            )
        return self
