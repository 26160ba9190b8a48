from __future__ import annotations

from typing import Any

import pydantic
import pytest

from kubeflow import resources
from pipeline.config.deployment import DeploymentConfig
from pipeline.errors import ConfigError


def spec() -> dict[str, Any]:
    return {
        "root": {
            "dag": {
                "tasks": {
                    "data-gate": {"componentRef": {"name": "data-gate"}},
                    "trainer": {"componentRef": {"name": "trainer"}},
                    "resolver": {"componentRef": {"name": "resolver"}},
                }
            }
        },
        "components": {
            "data-gate": {"executorLabel": "data_gate_executor"},
            "trainer": {"executorLabel": "trainer_executor"},
            "resolver": {"executorLabel": "resolver_executor"},
        },
        "deploymentSpec": {
            "executors": {
                "data_gate_executor": {"container": {}},
                "trainer_executor": {"container": {}},
                "resolver_executor": {"resolver": {}},
            }
        },
    }


def test_a_step_gets_its_own_resources_or_the_default_ones() -> None:
    given = spec()
    gpu = {"type": "NVIDIA_TESLA_T4", "count": 2}
    config = DeploymentConfig.model_validate(
        {
            "resources": {
                "default": {"cpu": 0.5, "memory_gib": 2},
                "trainer": {"cpu": 4, "memory_gib": 16, "accelerator": gpu},
            }
        }
    )
    resources.apply(given, config)
    executors = given["deploymentSpec"]["executors"]
    # 2 GiB are 2.147 times 10^9 bytes.
    assert executors["data_gate_executor"]["container"]["resources"] == {
        "cpuRequest": 0.5,
        "cpuLimit": 0.5,
        "memoryRequest": 2.147,
        "memoryLimit": 2.147,
    }
    trainer = executors["trainer_executor"]["container"]["resources"]
    assert trainer["memoryLimit"] == 17.18
    assert trainer["accelerator"] == {"type": "NVIDIA_TESLA_T4", "count": "2"}
    assert executors["resolver_executor"] == {"resolver": {}}


def test_steps_in_containers_are_tried_again() -> None:
    given = spec()
    resources.apply(given, DeploymentConfig(retries=3, retry_seconds=45))
    tasks = given["root"]["dag"]["tasks"]
    assert tasks["data-gate"]["retryPolicy"] == {
        "maxRetryCount": 3,
        "backoffDuration": "45s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "3600s",
    }
    assert "retryPolicy" not in tasks["resolver"]


def test_no_retries_are_no_policy() -> None:
    given = spec()
    resources.apply(given, DeploymentConfig(retries=0))
    assert "retryPolicy" not in given["root"]["dag"]["tasks"]["trainer"]


def test_an_unknown_step_is_named_beside_the_known_ones() -> None:
    config = DeploymentConfig.model_validate({"resources": {"default": {}, "coach": {}}})
    with pytest.raises(
        ConfigError, match=r"resources\.coach: no such step, there are default, data_gate, trainer"
    ):
        resources.apply(spec(), config)


def test_all_other_steps_need_a_default() -> None:
    with pytest.raises(pydantic.ValidationError, match=r"resources\.default is missing"):
        DeploymentConfig.model_validate({"resources": {"trainer": {}}})
