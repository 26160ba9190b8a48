"""The manifests against Kubernetes' own schemas, each other, the images and the defaults."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from kubeflow import targets
from pipeline.config.root import Config
from tests.kubeflow import dockerfile, manifests
from tests.kubeflow.test_image import MLFLOW, STEPS, locked

SECRETS = {
    ("mlflow-postgres", "password"): "p4ss",
    ("mlpipeline-minio-artifact", "accesskey"): "key",
    ("mlpipeline-minio-artifact", "secretkey"): "secret",
}
STORE = "minio-service:9000"
"""Kubeflow Pipelines' object store, in its own namespace."""


# The oldest and the newest that we say it is for.
@pytest.mark.parametrize("version", ["1.27", "1.34"])
def test_kubernetes_schemas_accept_every_object(version: str) -> None:
    found = manifests.objects()
    assert len(found) == 9
    for tree in found.values():
        kubernetes_validate.validate(tree, version, strict=True)


def test_kustomize_puts_them_into_the_namespace_with_pinned_images() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        ["kubectl", "kustomize", str(manifests.FOLDER)], capture_output=True, text=True, check=True
    )
    rendered = list(yaml.safe_load_all(done.stdout))
    assert {(t["kind"], t["metadata"]["name"]) for t in rendered} == set(manifests.objects())
    assert {t["metadata"]["namespace"] for t in rendered} == {"kubeflow"}
    images = set()
    for tree in rendered:
        kubernetes_validate.validate(tree, "1.30", strict=True)
        pod = tree["spec"]["template"]["spec"] if "template" in tree.get("spec", {}) else {}
        for told in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            images.add(told["image"])
    assert images == {"pocketrec-mlflow:3.17.2", "postgres:15.14-bookworm"}


def test_every_image_has_a_version_and_mlflow_the_clients() -> None:
    pinned = {i["name"]: i["newTag"] for i in manifests.kustomization()["images"]}
    assert pinned == {
        "pocketrec-mlflow": locked(manifests.PROJECT / "requirements.lock")["mlflow"][0]
    }
    for _, told in manifests.containers():
        assert told["image"] in pinned or ":" in told["image"]


def test_the_service_is_where_compiled_pipelines_look() -> None:
    uri = urlsplit(targets.settings(Config(), "kubeflow", image="i").tracking_uri)
    found = manifests.objects()
    service = found["Service", uri.hostname or ""]["spec"]
    (port,) = service["ports"]
    assert (uri.scheme, port["port"]) == ("http", uri.port)
    served = manifests.container("mlflow", "mlflow")
    assert {p["name"]: p["containerPort"] for p in served["ports"]} == {port["targetPort"]: 5000}
    assert "--port=5000" in served["args"]


@pytest.mark.parametrize(
    ("kind", "name"), [("Deployment", "mlflow"), ("StatefulSet", "mlflow-postgres")]
)
def test_services_and_policies_select_their_pods(kind: str, name: str) -> None:
    found = manifests.objects()
    labels = found[kind, name]["spec"]["template"]["metadata"]["labels"]
    assert found[kind, name]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service", name]["spec"]["selector"] == labels
    policy = found["NetworkPolicy", name]["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    # A policy's port by name is a container's.
    (told,) = found[kind, name]["spec"]["template"]["spec"]["containers"]
    (rule,) = policy["ingress"]
    assert [p["port"] for p in rule["ports"]] == [p["name"] for p in told["ports"]]


def test_only_mlflow_reaches_the_database() -> None:
    found = manifests.objects()
    (rule,) = found["NetworkPolicy", "mlflow-postgres"]["spec"]["ingress"]
    (peer,) = rule["from"]
    labels = found["Deployment", "mlflow"]["spec"]["template"]["metadata"]["labels"]
    assert peer == {"podSelector": {"matchLabels": labels}}


@pytest.mark.parametrize("name", ["tables", "mlflow"])
def test_mlflow_and_the_database_mean_the_same(name: str) -> None:
    postgres = manifests.environment(manifests.container("mlflow-postgres", "postgres"), SECRETS)
    told = manifests.environment(manifests.container("mlflow", name), SECRETS)
    uri = urlsplit(told["MLFLOW_BACKEND_STORE_URI"])
    found = manifests.objects()
    service = found["Service", uri.hostname or ""]["spec"]
    assert uri.port == service["ports"][0]["port"]
    assert uri.username == postgres["POSTGRES_USER"]
    assert uri.password == postgres["POSTGRES_PASSWORD"] == "p4ss"
    assert uri.path == f"/{postgres['POSTGRES_DB']}"
    assert found["StatefulSet", "mlflow-postgres"]["spec"]["serviceName"] == uri.hostname


def test_no_secret_lies_in_the_manifests_and_all_named_ones_are_known() -> None:
    found = manifests.objects()
    assert not [name for kind, name in found if kind == "Secret"]
    named = set()
    for _, told in manifests.containers():
        for entry in told.get("env", []):
            if "valueFrom" in entry:
                reference = entry["valueFrom"]["secretKeyRef"]
                named.add((reference["name"], reference["key"]))
    assert named == set(SECRETS)


def test_artifacts_go_to_the_bucket_of_the_pipelines() -> None:
    told = manifests.container("mlflow", "mlflow")
    options = dict(word.removeprefix("--").partition("=")[::2] for word in told["args"])
    root = urlsplit(targets.settings(Config(), "kubeflow", image="i").pipeline_root)
    destination = urlsplit(options["artifacts-destination"])
    assert (destination.scheme, destination.netloc) == (root.scheme, root.netloc)
    assert destination.path != root.path
    variables = manifests.environment(told, SECRETS)
    assert variables["MLFLOW_S3_ENDPOINT_URL"] == f"http://{STORE}"
    assert variables["AWS_ACCESS_KEY_ID"] == "key"
    assert variables["AWS_SECRET_ACCESS_KEY"] == "secret"


def test_every_pod_is_confined() -> None:
    for owner, pod in manifests.pods():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, owner
        assert context["runAsUser"] > 0, owner
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, owner
        assert pod["automountServiceAccountToken"] is False, owner
    for name, told in manifests.containers():
        assert told["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert set(told["resources"]["requests"]) == {"cpu", "memory"}, name
        assert "memory" in told["resources"]["limits"], name


@pytest.mark.parametrize("name", ["mlflow/mlflow", "mlflow-postgres/postgres"])
def test_servers_are_probed(name: str) -> None:
    told = dict(manifests.containers())[name]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert set(told[probe]) & {"httpGet", "exec"}


def _user(text: str) -> tuple[int, int]:
    user, group = text.split(":")
    return int(user), int(group)


def test_users_are_those_of_the_images() -> None:
    found: dict[str, Any] = dict(manifests.pods())
    (mlflow,) = dockerfile.read(MLFLOW)[-1].last("USER").words
    (steps,) = dockerfile.read(STEPS)[-1].last("USER").words
    context = found["mlflow"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == _user(mlflow)
    # The volume is given to the group that the steps run as.
    assert found["pocketrec-checkpoints-owner"]["securityContext"]["fsGroup"] == _user(steps)[1]


def test_what_containers_write_to_is_mounted() -> None:
    for owner, pod in manifests.pods():
        mounted = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
        offered = {volume["name"] for volume in pod.get("volumes", [])}
        if owner == "mlflow-postgres":
            (claim,) = manifests.objects()["StatefulSet", owner]["spec"]["volumeClaimTemplates"]
            offered.add(claim["metadata"]["name"])
        assert mounted == offered, owner
