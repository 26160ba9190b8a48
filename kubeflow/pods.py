"""What the steps find around them: variables, and on Kubernetes secrets and a volume.

Variables stand in the pipeline spec. Secrets and volumes are Kubernetes' alone: they stand in a
second document, the platform spec, by their names; no secret's value is in either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubeflow.targets import CHECKPOINT_ROOT, Target
from pipeline.config.deployment import DeploymentConfig, ObjectStoreConfig

_S3 = "s3://"
# Amazon's own variables, which boto3 reads; the entrypoint makes TensorFlow's of them.
_ENDPOINT = "AWS_ENDPOINT_URL"
_REGION = "AWS_DEFAULT_REGION"
_ACCESS_KEY = "AWS_ACCESS_KEY_ID"
_SECRET_KEY = "AWS_SECRET_ACCESS_KEY"
_TRAINER = "trainer_executor"


def add_environment(
    spec: dict[str, Any], config: DeploymentConfig, target: Target, pipeline_root: str
) -> None:
    """Adds the variables whose values everyone may read.

    Args:
        spec: The PipelineSpec, which is changed.
        config: The variables; they win over what follows from the object store.
        target: The backend.
        pipeline_root: On Kubeflow with `s3://`, the steps are told the store's address.
    """
    variables = dict(config.environment)
    if target == "kubeflow" and pipeline_root.startswith(_S3):
        variables = {**_address(config.kubernetes.object_store), **variables}
    listed = [{"name": name, "value": value} for name, value in sorted(variables.items())]
    for _, executor in _containers(spec):
        if listed:
            executor["container"]["env"] = listed


def platform_spec(
    spec: Mapping[str, Any], config: DeploymentConfig, pipeline_root: str
) -> dict[str, Any]:
    """Returns the platform spec of Kubernetes; empty where there is nothing to say.

    Args:
        spec: The PipelineSpec.
        config: Secrets and the volume.
        pipeline_root: With `s3://`, the steps get the object store's keys.
    """
    kubernetes = config.kubernetes
    secrets = {
        variable: (value.secret, value.key)
        for variable, value in kubernetes.secret_environment.items()
    }
    store = kubernetes.object_store
    if pipeline_root.startswith(_S3) and store.secret is not None:
        keys = {_ACCESS_KEY: store.access_key, _SECRET_KEY: store.secret_key}
        given = {name: (store.secret, key) for name, key in keys.items()}
        secrets = {**given, **secrets}
    executors = {}
    for label, _ in _containers(spec):
        told: dict[str, Any] = {}
        if secrets:
            told["secretAsEnv"] = _secrets(secrets)
        if label == _TRAINER and kubernetes.checkpoint_claim is not None:
            volume = {"constant": kubernetes.checkpoint_claim, "mountPath": CHECKPOINT_ROOT}
            told["pvcMount"] = [volume]
        if told:
            executors[label] = told
    if not executors:
        return {}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _address(store: ObjectStoreConfig) -> dict[str, str]:
    address = {} if store.endpoint is None else {_ENDPOINT: store.endpoint}
    return {**address, _REGION: store.region}


def _secrets(secrets: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    by_name: dict[str, list[dict[str, str]]] = {}
    for variable, (secret, key) in sorted(secrets.items()):
        by_name.setdefault(secret, []).append({"secretKey": key, "envVar": variable})
    return [{"secretName": name, "keyToEnv": keys} for name, keys in sorted(by_name.items())]


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for label, executor in sorted(spec["deploymentSpec"]["executors"].items()):
        if "container" in executor:
            yield label, executor
