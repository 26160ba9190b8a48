"""The compiled pipeline, container by container, as the two backends run it; no cluster needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.registry.registry import Registry, open_registry
from pipeline.workspace import Workspace
from tests.e2e.command import PROJECT, SMALL, pocketrec
from tests.kubeflow.cluster.backends import Kubeflow
from tests.kubeflow.cluster.container import Image, Kill
from tests.kubeflow.cluster.player import Player, TaskRun
from tests.servers import client_arguments, mlflow_server, object_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

BUCKET = "mlpipeline"
HOME = "/opt/pocketrec"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A backend with its object store and its model registry."""

    player: Player
    spec: Mapping[str, Any]
    registry: Registry

    def states(self, done: Mapping[str, TaskRun]) -> dict[str, set[str]]:
        failed = {name: run.error for name, run in done.items() if run.state == "failed"}
        assert not failed, "\n\n".join(f"{name}: {error}" for name, error in failed.items())
        states: dict[str, set[str]] = {}
        for name, run in done.items():
            states.setdefault(run.state, set()).add(name.replace("_", "-"))
        return states


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "release"
    pocketrec("data", "generate", str(folder), "--users", "300", "--movies", "400",
              "--ratings", "15000")  # fmt: skip
    return folder


def compiled(target: str, output: Path, *options: str) -> dict[str, Any]:
    words = ["compile", "--target", target, "--output", str(output), *options]
    for setting in SMALL:
        words += ["--set", setting]
    pocketrec(*words)
    spec: dict[str, Any] = yaml.safe_load(output.read_text())
    return spec


@pytest.fixture(scope="module")
def kubeflow(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    import boto3

    folder = tmp_path_factory.mktemp("kubeflow")
    with (
        object_store(folder / "store", BUCKET) as environment,
        mlflow_server(folder / "mlflow") as tracking_uri,
    ):
        client = boto3.client("s3", **client_arguments(environment))
        for file in release.iterdir():
            client.upload_file(str(file), BUCKET, f"pocketrec/data/sample/{file.name}")
        spec = compiled(
            "kubeflow", folder / "spec.yaml", "--tracking-uri", tracking_uri, "--dataset", "sample"
        )
        image = Image(HOME, PROJECT, environment)
        player = Player(Kubeflow(), image, folder / "disks")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            registry = open_registry(Workspace.at(folder / "workspace"), tracking_uri)
            yield Cluster(player, spec, registry)


def test_on_open_source_kubeflow_with_its_object_store(kubeflow: Cluster) -> None:
    """One step is killed in the middle of registering and tried again."""
    kill = Kill("registry-pusher", once_it_says="Starting executor")
    first = kubeflow.player.run(kubeflow.spec, kill=kill)
    assert kubeflow.states(first) == {"succeeded": set(kubeflow.spec["root"]["dag"]["tasks"])}
    assert first["registry-pusher"].attempts == 2
    assert [version.version for version in kubeflow.registry.versions()] == [1]
