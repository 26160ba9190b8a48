"""A push, whole or interrupted at any point and repeated, into a real MLflow on sqlite."""

import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.registry_pusher.push import Pushed, Pusher
from components.registry_pusher.tags import registry_tags, run_metrics
from pipeline.errors import RegistryError
from pipeline.registry.client_store import mlflow_client
from pipeline.registry.registry import open_registry
from pipeline.workspace import Workspace
from pocketrec_device import Bundle, BundleError
from tests.device import toy
from tests.pipeline.registry.mlflow_place import make_workspace

MODEL = "pocketrec"


class KilledError(BaseException):
    """Stands for a kill: no handler of the code under test may catch it."""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    # Whatever is written into the current directory is written outside of the workspace.
    elsewhere = tmp_path / "current directory"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return make_workspace(tmp_path)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.bundle(tmp_path_factory.mktemp("pushed"))


@pytest.fixture(scope="session")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    metrics = {"overall": {"recall_at_10": 0.3, "ndcg_at_10": 0.15}}
    return toy.bundle(tmp_path_factory.mktemp("pushed-too"), metrics=metrics, dataset="ml-1m")


def push(
    workspace: Workspace,
    bundle: Path,
    tags: dict[str, str] | None = None,
    training: Path | None = None,
) -> Pushed:
    pusher = Pusher(
        tracking_uri=workspace.tracking_uri,
        artifact_root=(workspace.registry / "artifacts").as_uri(),
        model=MODEL,
    )
    if tags is not None:
        return pusher.push(bundle, tags=tags, metrics={})
    source = toy.source()
    return pusher.push(
        bundle,
        tags=registry_tags(source, bundle),
        metrics=run_metrics(source),
        training_dir=training,
    )


def assert_whole(workspace: Workspace, bundle: Path, versions: tuple[int, ...] = (1,)) -> None:
    """The registry holds these whole versions, the last is champion, and no leftovers."""
    registry = open_registry(workspace)
    listed = registry.versions()
    assert [version.version for version in listed] == list(versions)
    assert [version.aliases for version in listed] == [()] * (len(versions) - 1) + [("champion",)]
    for version in listed:
        Bundle.load(registry.bundle_path(version)).verify()
    last = registry.bundle_path(listed[-1])
    sent = {p.relative_to(bundle): p.read_bytes() for p in bundle.rglob("*") if p.is_file()}
    assert {p.relative_to(last): p.read_bytes() for p in last.rglob("*") if p.is_file()} == sent
    client = mlflow_client(workspace.tracking_uri)
    experiment = client.get_experiment_by_name(MODEL)
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_id for run in runs} == {version.run_id for version in listed}
    assert {run.info.status for run in runs} == {"FINISHED"}
    on_disk = {path.name for path in (workspace.registry / "artifacts").iterdir()}
    assert on_disk == {version.run_id for version in listed}
    assert list(Path.cwd().iterdir()) == []


def test_a_push_makes_a_whole_version_with_its_tags(workspace: Workspace, bundle: Path) -> None:
    pushed = push(workspace, bundle)
    assert_whole(workspace, bundle)
    assert (pushed.version, pushed.previous_champion) == (1, None)
    (version,) = open_registry(workspace).versions()
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    expected = {
        "bundle_id": manifest["bundle_id"],
        "bytes": str((bundle / "int8.tflite").stat().st_size),
        "dataset": "sample",
        "encoder": "lstm",
        "history_length": "10",
        "mlmd_model_id": "7",
        "movies": "40",
        "ndcg_at_10": "0.125000",
        "pipeline": "toy",
        "pipeline_run": "run-1",
        "recall_at_10": "0.250000",
        "variant": "int8",
        **{f"sha256/{name}": entry["sha256"] for name, entry in manifest["files"].items()},
    }
    assert version.tags == expected
    run = mlflow_client(workspace.tracking_uri).get_run(pushed.run_id)
    assert run.data.metrics == {"recall_at_10": 0.25, "ndcg_at_10": 0.125}


def test_repeating_a_push_changes_nothing(workspace: Workspace, bundle: Path) -> None:
    first = push(workspace, bundle)
    again = push(workspace, bundle)
    assert (again.version, again.run_id) == (first.version, first.run_id)
    assert_whole(workspace, bundle)


def test_another_bundle_is_another_version(
    workspace: Workspace, bundle: Path, other_bundle: Path
) -> None:
    push(workspace, bundle)
    second = push(workspace, other_bundle)
    assert (second.version, second.previous_champion) == (2, 1)
    assert_whole(workspace, other_bundle, versions=(1, 2))


@pytest.fixture
def training(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "weights.npz").write_bytes(b"numbers")
    (folder / "settings.json").write_text("{}")
    return folder


def assert_beside_the_bundle(workspace: Workspace, pushed: Pushed, training: Path) -> None:
    from mlflow.artifacts import download_artifacts

    arrived = Path(
        download_artifacts(
            run_id=pushed.run_id, artifact_path="training", tracking_uri=workspace.tracking_uri
        )
    )
    assert {path.name: path.read_bytes() for path in arrived.iterdir()} == {
        path.name: path.read_bytes() for path in training.iterdir()
    }


def test_what_a_training_begins_with_lies_beside_the_bundle(
    workspace: Workspace, bundle: Path, training: Path
) -> None:
    assert_beside_the_bundle(workspace, push(workspace, bundle, training=training), training)
    assert_whole(workspace, bundle)


def test_a_version_without_it_gets_it(workspace: Workspace, bundle: Path, training: Path) -> None:
    push(workspace, bundle)
    assert_beside_the_bundle(workspace, push(workspace, bundle, training=training), training)
    assert_whole(workspace, bundle)


@pytest.mark.parametrize("count", [1, 2])
def test_no_version_is_made_before_it_is_there(
    workspace: Workspace,
    bundle: Path,
    training: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    def kill() -> None:
        raise KilledError

    client = owner_of("mlflow.MlflowClient")
    with monkeypatch.context() as patch:
        patch.setattr(
            client, "log_artifacts", interrupt(client, "log_artifacts", "after", count, kill)
        )
        with pytest.raises(KilledError):
            push(workspace, bundle, training=training)
    with pytest.raises(RegistryError, match="no version"):
        open_registry(workspace).versions()
    assert_beside_the_bundle(workspace, push(workspace, bundle, training=training), training)
    assert_whole(workspace, bundle)


def test_a_damaged_bundle_is_not_pushed(workspace: Workspace, tmp_path: Path) -> None:
    damaged = toy.bundle(tmp_path)
    (damaged / "model_card.md").write_text("something else")
    with pytest.raises(BundleError, match=r"model_card\.md: sha256"):
        push(workspace, damaged)
    with pytest.raises(RegistryError, match="no version"):
        open_registry(workspace).versions()


def test_a_version_whose_files_are_gone_is_replaced(workspace: Workspace, bundle: Path) -> None:
    push(workspace, bundle)
    registry = open_registry(workspace)
    (registry.bundle_path(registry.find("1")) / "int8.tflite").unlink()
    push(workspace, bundle)
    # MLflow does not give a deleted version's number again.
    assert_whole(workspace, bundle, versions=(2,))


POINTS = [
    ("mlflow.MlflowClient", "create_run", "before", 1),
    ("mlflow.MlflowClient", "create_run", "after", 1),
    ("shutil", "copy2", "after", 4),
    ("mlflow.MlflowClient", "log_artifacts", "after", 1),
    ("mlflow.MlflowClient", "set_terminated", "after", 1),
    ("mlflow.MlflowClient", "create_registered_model", "after", 1),
    ("mlflow.MlflowClient", "create_model_version", "after", 1),
    ("mlflow.MlflowClient", "set_registered_model_tag", "after", 1),
    ("mlflow.MlflowClient", "set_registered_model_alias", "before", 1),
]


def interrupt(
    owner: Any, name: str, moment: str, count: int, kill: Callable[[], object]
) -> Callable[..., Any]:
    """Returns `owner.name`, changed so that it kills at its `count`th call."""
    original = getattr(owner, name)
    calls = 0

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and moment == "before":
            kill()
        result = original(*args, **kwargs)
        if calls == count and moment == "after":
            kill()
        return result

    return interrupted


def owner_of(name: str) -> Any:
    if name == "shutil":
        import shutil

        return shutil
    from mlflow import MlflowClient

    return MlflowClient


@pytest.mark.parametrize(("owner", "name", "moment", "count"), POINTS)
@pytest.mark.thorough
def test_an_interrupted_push_is_finished_by_the_next(
    workspace: Workspace,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: str,
    name: str,
    moment: str,
    count: int,
) -> None:
    def kill() -> None:
        raise KilledError

    target = owner_of(owner)
    with monkeypatch.context() as patch:
        patch.setattr(target, name, interrupt(target, name, moment, count, kill))
        with pytest.raises(KilledError):
            push(workspace, bundle)
    assert_no_half_version(workspace)
    push(workspace, bundle)
    assert_whole(workspace, bundle)


def assert_no_half_version(workspace: Workspace) -> None:
    """Whatever version there is after a kill, it is whole."""
    registry = open_registry(workspace)
    try:
        versions = registry.versions()
    except RegistryError:
        return
    for version in versions:
        Bundle.load(registry.bundle_path(version)).verify()
        assert version.tags["recall_at_10"] == "0.250000"


def test_the_champion_stays_until_the_new_version_is_whole(
    workspace: Workspace, bundle: Path, other_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(workspace, bundle)

    def kill() -> None:
        raise KilledError

    client = owner_of("mlflow.MlflowClient")
    name = "create_model_version"
    with monkeypatch.context() as patch:
        patch.setattr(client, name, interrupt(client, name, "before", 1, kill))
        with pytest.raises(KilledError):
            push(workspace, other_bundle)
    assert open_registry(workspace).find("champion").version == 1
    push(workspace, other_bundle)
    assert_whole(workspace, other_bundle, versions=(1, 2))


CHILD = """
import os, signal, sys
from pathlib import Path
from pipeline.workspace import Workspace
from tests.components.registry_pusher.test_push import interrupt, owner_of, push
owner, name, moment, count, workspace, bundle = sys.argv[1:]
target = owner_of(owner)
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
setattr(target, name, interrupt(target, name, moment, int(count), kill))
# Given tags keep the child from building the model again, which would import TensorFlow.
push(Workspace.at(workspace), Path(bundle), tags={"recall_at_10": "0.250000"})
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("owner", "name", "moment", "count"), POINTS)
def test_a_killed_push_is_finished_by_the_next(
    workspace: Workspace, bundle: Path, owner: str, name: str, moment: str, count: int
) -> None:
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
            + textwrap.dedent(CHILD),
            *(owner, name, moment, str(count), str(workspace.root), str(bundle)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert_no_half_version(workspace)
    push(workspace, bundle)
    assert_whole(workspace, bundle)
