"""What each step of a compiled pipeline asks the cluster for, and how often it is tried again."""

from __future__ import annotations

from typing import Any

from pipeline.config.deployment import ANY_STEP, DeploymentConfig, ResourcesConfig
from pipeline.errors import ConfigError

# Kubeflow's spec counts memory in units of 10^9 bytes.
_GIB = 2**30 / 1e9
_LONGEST_WAIT = 3600
_GROWTH = 2.0


def apply(spec: dict[str, Any], config: DeploymentConfig) -> None:
    """Adds resources and retries to the steps that run in containers.

    Args:
        spec: The PipelineSpec, which is changed.
        config: What to ask for; steps are named as the local runner names them.

    Raises:
        ConfigError: There is no such step.
    """
    executors = {
        label.removesuffix("_executor"): executor["container"]
        for label, executor in spec["deploymentSpec"]["executors"].items()
        if "container" in executor
    }
    for step in config.resources:
        if step != ANY_STEP and step not in executors:
            known = ", ".join([ANY_STEP, *sorted(executors)])
            raise ConfigError(f"deployment.resources.{step}: no such step, there are {known}")
    for step, container in executors.items():
        given = config.resources.get(step, config.resources[ANY_STEP])
        container["resources"] = _resources(given)
    for task in spec["root"]["dag"]["tasks"].values():
        label = spec["components"][task["componentRef"]["name"]]["executorLabel"]
        if config.retries and label.removesuffix("_executor") in executors:
            task["retryPolicy"] = {
                "maxRetryCount": config.retries,
                "backoffDuration": f"{config.retry_seconds:g}s",
                "backoffFactor": _GROWTH,
                "backoffMaxDuration": f"{_LONGEST_WAIT}s",
            }


def _resources(config: ResourcesConfig) -> dict[str, Any]:
    memory = round(config.memory_gib * _GIB, 3)
    resources: dict[str, Any] = {
        "cpuRequest": config.cpu,
        "cpuLimit": config.cpu,
        "memoryRequest": memory,
        "memoryLimit": memory,
    }
    if config.accelerator is not None:
        resources["accelerator"] = {
            "type": config.accelerator.type,
            "count": str(config.accelerator.count),
        }
    return resources
