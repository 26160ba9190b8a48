"""A push to an MLflow server, which alone sees the files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.registry_pusher.push import Pusher
from components.registry_pusher.tags import registry_tags, run_metrics
from pipeline.registry.registry import open_registry
from pipeline.workspace import Workspace
from pocketrec_device import Bundle
from tests.device import toy
from tests.servers import mlflow_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MODEL = "pocketrec"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with mlflow_server(tmp_path / "server") as uri:
        yield uri


def push(server: str, bundle: Path, training: Path) -> int:
    source = toy.source()
    pusher = Pusher(tracking_uri=server, artifact_root="", model=MODEL)
    tags = registry_tags(source, bundle)
    pushed = pusher.push(bundle, tags=tags, metrics=run_metrics(source), training_dir=training)
    return pushed.version


def test_a_bundle_goes_to_a_server_and_comes_back(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = toy.bundle(tmp_path)
    training = tmp_path / "training"
    training.mkdir()
    (training / "weights.npz").write_bytes(b"numbers")
    before = {path.name for path in tmp_path.iterdir()}

    # A push that was cut off leaves a run with some of the files.
    from mlflow import MlflowClient

    def cut_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", cut_off)
        with pytest.raises(KeyboardInterrupt):
            push(server, bundle, training)

    assert push(server, bundle, training) == 1
    assert push(server, bundle, training) == 1
    workspace = Workspace.at(tmp_path / "workspace")
    registry = open_registry(workspace, tracking_uri=server)
    (version,) = registry.versions()
    assert version.aliases == ("champion",)
    path = registry.bundle_path(version)
    assert path.is_relative_to(workspace.root)
    Bundle.load(path).verify()
    files = {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}
    assert files == {
        p.relative_to(bundle): p.read_bytes() for p in bundle.rglob("*") if p.is_file()
    }
    client = MlflowClient(tracking_uri=server, registry_uri=server)
    experiment = client.get_experiment_by_name(MODEL)
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.run_id for run in runs] == [version.run_id]
    kept = list((tmp_path / "server" / "files").rglob("manifest.json"))
    assert len(kept) == 1
    [weights] = (tmp_path / "server" / "files").rglob("training/weights.npz")
    assert weights.read_bytes() == b"numbers"
    assert {path.name for path in tmp_path.iterdir()} == before | {"workspace"}
