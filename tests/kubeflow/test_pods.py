from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.client.client import _extract_pipeline_yaml
from kfp.kubernetes import kubernetes_executor_config_pb2

from kubeflow import pods, validate
from kubeflow.compile import Compiled, write
from kubeflow.submission import read_submission
from pipeline.config.deployment import DeploymentConfig
from pipeline.config.root import apply_override, validated
from pipeline.errors import ConfigError
from tests.kubeflow import manifests
from tests.kubeflow.test_submit import SPEC

S3 = "s3://mlpipeline/pocketrec"
GCS = "gs://bucket/pocketrec"


def spec() -> dict[str, Any]:
    return {
        "deploymentSpec": {
            "executors": {
                "transform_executor": {"container": {"image": "i"}},
                "trainer_executor": {"container": {"image": "i"}},
                "resolver_executor": {"resolver": {}},
            }
        }
    }


def config(**settings: Any) -> DeploymentConfig:
    return DeploymentConfig.model_validate(settings)


def variables(given: dict[str, Any]) -> dict[str, str]:
    listed = given["deploymentSpec"]["executors"]["transform_executor"]["container"].get("env", [])
    return {entry["name"]: entry["value"] for entry in listed}


def of_executor(platform: dict[str, Any], label: str) -> dict[str, Any]:
    told: dict[str, Any] = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"][label]
    return told


def test_steps_are_told_where_the_object_store_is() -> None:
    given = spec()
    pods.add_environment(given, config(), "kubeflow", S3)
    assert variables(given) == {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://minio-service.kubeflow:9000",
    }
    executors = given["deploymentSpec"]["executors"]
    assert executors["trainer_executor"] == executors["transform_executor"]
    assert executors["resolver_executor"] == {"resolver": {}}


@pytest.mark.parametrize(("target", "root"), [("vertex", GCS), ("kubeflow", GCS)])
def test_no_object_store_is_named_where_there_is_none(target: Any, root: str) -> None:
    given = spec()
    pods.add_environment(given, config(), target, root)
    assert given == spec()
    assert pods.platform_spec(given, config(), root) == {}


def test_amazons_own_store_has_no_endpoint_and_may_need_no_keys() -> None:
    store = {"endpoint": None, "region": "eu-west-1", "secret": None}
    settings = config(kubernetes={"object_store": store})
    given = spec()
    pods.add_environment(given, settings, "kubeflow", "s3://bucket/root")
    assert variables(given) == {"AWS_DEFAULT_REGION": "eu-west-1"}
    assert pods.platform_spec(given, settings, "s3://bucket/root") == {}


def test_variables_of_the_configuration_win() -> None:
    given = spec()
    settings = config(environment={"AWS_ENDPOINT_URL": "http://store", "TZ": "UTC"})
    pods.add_environment(given, settings, "kubeflow", S3)
    assert variables(given)["AWS_ENDPOINT_URL"] == "http://store"
    given = spec()
    pods.add_environment(given, settings, "vertex", GCS)
    assert variables(given) == {"AWS_ENDPOINT_URL": "http://store", "TZ": "UTC"}


def test_keys_come_from_the_secret_of_kubeflow_pipelines() -> None:
    platform = pods.platform_spec(spec(), config(), S3)
    assert of_executor(platform, "transform_executor") == {
        "secretAsEnv": [
            {
                "secretName": "mlpipeline-minio-artifact",
                "keyToEnv": [
                    {"secretKey": "accesskey", "envVar": "AWS_ACCESS_KEY_ID"},
                    {"secretKey": "secretkey", "envVar": "AWS_SECRET_ACCESS_KEY"},
                ],
            }
        ]
    }
    # What has no container has no pod.
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == {"transform_executor", "trainer_executor"}


def test_other_secrets_are_named_beside_them() -> None:
    token = {"MLFLOW_TRACKING_TOKEN": {"secret": "mlflow", "key": "token"}}
    platform = pods.platform_spec(spec(), config(kubernetes={"secret_environment": token}), GCS)
    assert of_executor(platform, "trainer_executor") == {
        "secretAsEnv": [
            {
                "secretName": "mlflow",
                "keyToEnv": [{"secretKey": "token", "envVar": "MLFLOW_TRACKING_TOKEN"}],
            }
        ]
    }


def test_the_trainer_alone_gets_the_volume_of_the_manifests() -> None:
    claim = "pocketrec-checkpoints"
    assert ("PersistentVolumeClaim", claim) in manifests.objects()
    platform = pods.platform_spec(spec(), config(kubernetes={"checkpoint_claim": claim}), GCS)
    assert platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"] == {
        "trainer_executor": {
            "pvcMount": [{"constant": claim, "mountPath": "/opt/pocketrec/checkpoints"}]
        }
    }


def test_kubeflows_own_schema_accepts_it() -> None:
    settings = config(kubernetes={"checkpoint_claim": "c"})
    told = of_executor(pods.platform_spec(spec(), settings, S3), "trainer_executor")
    parsed = json_format.ParseDict(told, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    assert parsed.secret_as_env[0].key_to_env[1].env_var == "AWS_SECRET_ACCESS_KEY"
    assert parsed.pvc_mount[0].mount_path == "/opt/pocketrec/checkpoints"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("environment.A-B=c", "environment.A-B"),
        ("kubernetes.checkpoint_claim=Not_A_Name", "kubernetes.checkpoint_claim"),
        ("kubernetes.object_store.endpoint=minio:9000", "kubernetes.object_store.endpoint"),
        ("kubernetes.secret_environment.A={secret: s}", "secret_environment.A.key"),
        (
            "kubernetes.secret_environment.TWICE={secret: s, key: k}",
            r"TWICE: stands in environment and in kubernetes.secret_environment",
        ),
    ],
)
def test_impossible_values_are_refused(override: str, message: str) -> None:
    tree: dict[str, Any] = {"environment": {"TWICE": "1"}}
    apply_override(tree, override)
    with pytest.raises(ConfigError, match=message):
        validated(DeploymentConfig, tree, "deployment")


@pytest.fixture
def compiled() -> Compiled:
    executors = {"exec": {"pvcMount": [{"constant": "c", "mountPath": "/c"}]}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    return Compiled(copy.deepcopy(SPEC), {"pipelineSpec": SPEC}, platform, ())


def test_kfps_client_and_submit_read_both_documents(compiled: Compiled, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    write(compiled, "kubeflow", path)
    assert list(yaml.safe_load_all(path.read_text())) == [compiled.spec, compiled.platform]
    sent = _extract_pipeline_yaml(str(path)).to_dict()
    assert sent["pipeline_spec"]["pipelineInfo"]["name"] == "pocketrec-sample"
    assert sent["platform_spec"] == compiled.platform
    assert read_submission(path, ["epochs=5"]).parameters == {"epochs": 5}


def test_json_has_no_room_for_a_second_document(compiled: Compiled, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pipeline.json: .* ends in .yaml"):
        write(compiled, "kubeflow", tmp_path / "pipeline.json")
    assert list(tmp_path.iterdir()) == []


def test_an_executor_that_is_not_there_is_found(compiled: Compiled) -> None:
    proto = validate.parse(compiled.spec)
    validate.parse_platform(compiled.platform, proto)
    validate.parse_platform({}, proto)
    executors = compiled.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    executors["exek"] = executors.pop("exec")
    with pytest.raises(validate.InvalidSpecError, match="exek: no executor"):
        validate.parse_platform(compiled.platform, proto)
