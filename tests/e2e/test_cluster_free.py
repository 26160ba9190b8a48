"""The compiled pipeline, container by container, as the two backends run it; no cluster needed."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import tensorflow as tf
import yaml

from modules.evaluation.ranking import NO_REFERENCE
from pipeline.registry.registry import Registry, open_registry
from pipeline.workspace import Workspace
from tests.e2e.command import PROJECT, SMALL, pocketrec
from tests.kubeflow.cluster.backends import Kubeflow, Vertex
from tests.kubeflow.cluster.container import Image, Kill
from tests.kubeflow.cluster.player import Player, TaskRun
from tests.servers import client_arguments, mlflow_server, object_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

BUCKET = "mlpipeline"
HOME = "/opt/pocketrec"


SECRET = "mlpipeline-minio-artifact"

Done: TypeAlias = Mapping[str, TaskRun]

UP_TO_WINDOWS = {
    "data-gate",
    "example-validator",
    "movielens-example-gen",
    "schema-importer",
    "statistics-gen",
    "transform",
}
MODEL_AND_GATE = {"evaluator", "reference-ranks", "registry-pusher", "tflite-converter", "trainer"}


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A backend with its model registry.

    Attributes:
        player: Plays the backend.
        spec: The compiled pipeline.
        platform: What it says to Kubernetes beside.
        registry: Where its models go.
        fetch: Copies a folder of the pipeline's root to this machine.
        write: Replaces a file of the release.
    """

    player: Player
    spec: Mapping[str, Any]
    platform: Mapping[str, Any]
    registry: Registry
    fetch: Callable[[str], Path]
    write: Callable[[str, bytes], object]

    def run(self, parameters: Mapping[str, Any] | None = None, kill: Kill | None = None) -> Done:
        return self.player.run(self.spec, parameters, platform=self.platform, kill=kill)

    def versions(self) -> list[int]:
        return [version.version for version in self.registry.versions()]

    def compared(self, done: Done) -> bool:
        """Whether a run's gate knew how an earlier model ranks the targets."""
        (ranked,) = done[self.name("reference-ranks")].outputs.artifacts["examples"]
        files = sorted(str(file) for file in (self.fetch(ranked.uri) / "Split-test").iterdir())
        records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
        examples = [tf.train.Example.FromString(record) for record in records]
        ranks = [e.features.feature["rank_blessed"].int64_list.value[0] for e in examples]
        assert ranks
        return any(rank != NO_REFERENCE for rank in ranks)

    def name(self, task: str) -> str:
        """The name of a task on this backend."""
        return task if task in self.spec["root"]["dag"]["tasks"] else task.replace("-", "_")


def states(done: Done) -> dict[str, set[str]]:
    """Tasks by how they went, under their names on Kubeflow; none may have failed."""
    failed = {name: run.error for name, run in done.items() if run.state == "failed"}
    assert not failed, "\n\n".join(f"{name}: {error}" for name, error in failed.items())
    found: dict[str, set[str]] = {}
    for name, run in done.items():
        found.setdefault(run.state, set()).add(name.replace("_", "-"))
    return found


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "release"
    pocketrec("data", "generate", str(folder), "--users", "300", "--movies", "400",
              "--ratings", "15000")  # fmt: skip
    return folder


def compiled(target: str, output: Path, *options: str) -> list[dict[str, Any]]:
    words = ["compile", "--target", target, "--output", str(output), "--dataset", "sample"]
    # Another seed's model may be a little worse, and is to be registered all the same.
    for setting in (*SMALL, "gate.max_drop_from_blessed=0.5"):
        words += ["--set", setting]
    pocketrec(*words, *options)
    return list(yaml.safe_load_all(output.read_text()))


@pytest.fixture(scope="module")
def kubeflow(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Everything on an object store, as in a cluster."""
    import boto3

    folder = tmp_path_factory.mktemp("kubeflow")
    with (
        object_store(folder / "store", BUCKET) as environment,
        mlflow_server(folder / "mlflow") as tracking_uri,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        client = boto3.client("s3", **client_arguments(environment))
        for file in release.iterdir():
            client.upload_file(str(file), BUCKET, f"pocketrec/data/sample/{file.name}")

        def fetch(uri: str) -> Path:
            prefix = uri.removeprefix(f"s3://{BUCKET}/")
            for entry in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]:
                target = folder / "fetched" / entry["Key"]
                target.parent.mkdir(parents=True, exist_ok=True)
                if not entry["Key"].endswith("/"):
                    client.download_file(BUCKET, entry["Key"], str(target))
            return folder / "fetched" / prefix

        endpoint = f"deployment.kubernetes.object_store.endpoint={environment['AWS_ENDPOINT_URL']}"
        options = ["--tracking-uri", tracking_uri, "--set", endpoint]
        spec, platform = compiled("kubeflow", folder / "spec.yaml", *options)
        keys = {
            "accesskey": environment["AWS_ACCESS_KEY_ID"],
            "secretkey": environment["AWS_SECRET_ACCESS_KEY"],
        }
        image = Image(HOME, PROJECT, secrets={SECRET: keys})
        yield Cluster(
            Player(Kubeflow(), image, folder / "disks"),
            spec,
            platform,
            open_registry(Workspace.at(folder / "workspace"), tracking_uri),
            fetch,
            lambda name, content: client.put_object(
                Bucket=BUCKET, Key=f"pocketrec/data/sample/{name}", Body=content
            ),
        )


@pytest.fixture(scope="module")
def vertex(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A folder stands for the bucket: no emulator can stand in for `gs://`."""
    folder = tmp_path_factory.mktemp("vertex")
    with mlflow_server(folder / "mlflow") as tracking_uri:
        root = "gs://bucket/root"
        options = ["--tracking-uri", tracking_uri, "--pipeline-root", root]
        compiled("vertex", folder / "spec.yaml", *options)
        text = (folder / "spec.yaml").read_text().replace(root, str(folder / "root"))
        shutil.copytree(release, folder / "root" / "data" / "sample")
        yield Cluster(
            Player(Vertex(), Image(HOME, PROJECT), folder / "disks"),
            yaml.safe_load(text),
            {},
            open_registry(Workspace.at(folder / "workspace"), tracking_uri),
            Path,
            lambda name, content: (folder / "root" / "data" / "sample" / name).write_bytes(content),
        )


def test_on_open_source_kubeflow_from_a_release_to_a_registered_model(kubeflow: Cluster) -> None:
    """One step is killed while it registers, and tried again: no second version."""
    kill = Kill("registry-pusher", once_it_says="Starting executor")
    done = kubeflow.run(kill=kill)
    fresh = {"champion-model", "release-fingerprint"}
    assert states(done) == {"succeeded": UP_TO_WINDOWS | MODEL_AND_GATE | fresh}
    assert done["registry-pusher"].attempts == 2
    assert kubeflow.versions() == [1]
    assert not kubeflow.compared(done)


def test_another_run_there_is_compared_with_the_champion(kubeflow: Cluster) -> None:
    """The same data and another seed, by the run's parameter: cached up to the windows."""
    done = kubeflow.run({"seed": 43})
    fresh = {"champion-model", "release-fingerprint"}
    assert states(done) == {"cached": UP_TO_WINDOWS, "succeeded": MODEL_AND_GATE | fresh}
    assert kubeflow.compared(done)
    assert kubeflow.versions() == [1, 2]
    champion = kubeflow.registry.champion(kubeflow.registry.versions())
    assert champion is not None
    assert champion.version == 2


def test_a_changed_release_at_the_same_address_is_read_again(
    kubeflow: Cluster, release: Path
) -> None:
    """Its two first steps alone: what follows gets another input, and so runs too."""
    tasks = kubeflow.spec["root"]["dag"]["tasks"]
    names = ("release-fingerprint", "movielens-example-gen")
    part = {**kubeflow.spec, "root": {
        **kubeflow.spec["root"], "dag": {"tasks": {name: tasks[name] for name in names}}
    }}  # fmt: skip
    movies = (release / "movies.csv").read_bytes()
    kubeflow.write("movies.csv", movies + b"999999,Another Film (2001),Drama\r\n")
    assert states(kubeflow.player.run(part, platform=kubeflow.platform)) == {
        "succeeded": set(names)
    }
    kubeflow.write("movies.csv", movies)
    assert states(kubeflow.player.run(part, platform=kubeflow.platform)) == {
        "succeeded": {"release-fingerprint"},
        "cached": {"movielens-example-gen"},
    }


def test_on_vertex_the_second_run_compares_with_the_latest_blessed(vertex: Cluster) -> None:
    resolvers = {
        "latest-blessed-model-model-blessing-resolver",
        "latest-blessed-model-model-resolver",
    }
    first = vertex.run()
    assert states(first) == {"succeeded": UP_TO_WINDOWS | MODEL_AND_GATE, "resolved": resolvers}
    assert not vertex.compared(first)
    assert vertex.versions() == [1]

    again = vertex.run()
    compared = {"reference-ranks", "evaluator", "registry-pusher"}
    assert states(again) == {
        "cached": UP_TO_WINDOWS | {"trainer", "tflite-converter"},
        "succeeded": compared,
        "resolved": resolvers,
    }
    assert vertex.compared(again)
    # The same bundle again: the version is there already.
    assert vertex.versions() == [1]
