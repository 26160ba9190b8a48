"""The champion of a real registry, as the gate reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfx.types import standard_artifacts

from components.champion_model.executor import Executor
from components.champion_model.layout import holds_model
from components.reference_ranks.served_model import FLOAT32, GATED, ServedModel
from components.registry_pusher.push import Pusher
from pipeline.config.delivery import GateConfig
from pipeline.errors import GateError, RegistryError
from pipeline.workspace import Workspace
from tests.device import toy
from tests.modules.evaluation.gate_bench import World, artifact
from tests.pipeline.registry.mlflow_place import make_workspace

MODEL = "pocketrec"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def fetch(workspace: Workspace, folder: Path, *, with_training: bool = False) -> Any:
    output = artifact(standard_artifacts.Model, folder)
    settings = {
        "tracking_uri": workspace.tracking_uri,
        "model_name": MODEL,
        "with_training": int(with_training),
        "source_hash": "x",
    }
    Executor().Do({}, {"model": [output]}, settings)
    return output


def push(workspace: Workspace, folder: Path, training_dir: Path | None = None) -> Path:
    bundle = toy.bundle(folder)
    Pusher(
        tracking_uri=workspace.tracking_uri,
        artifact_root=(workspace.registry / "artifacts").as_uri(),
        model=MODEL,
    ).push(bundle, tags={}, metrics={}, training_dir=training_dir)
    return bundle


def test_the_champion_arrives_as_the_converter_would_write_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    bundle = push(workspace, tmp_path / "pushed")
    output = fetch(workspace, tmp_path / "model")
    assert holds_model(output.uri)
    model = ServedModel.read(output.uri)
    numbers = range(1, toy.MOVIES + 1)
    assert model.vocabulary.movie_ids.tolist() == [toy.raw_id(number) for number in numbers]
    assert (model.rules.length, model.rules.min_rating) == (toy.LENGTH, 0.0)
    for file, variant in ((GATED, "int8"), (FLOAT32, "float32")):
        assert Path(output.uri, file).read_bytes() == (bundle / f"{variant}.tflite").read_bytes()
    ids, _ = model.load(GATED).predict(np.array([[0] * 9 + [3]], np.int32), {})
    assert ids[0, :3].tolist() == [4, 5, 6]
    assert output.get_int_custom_property("registry_version") == 1


def test_the_first_model_has_nothing_to_beat(workspace: Workspace, tmp_path: Path) -> None:
    output = fetch(workspace, tmp_path / "model")
    assert not holds_model(output.uri)
    assert "0 version(s)" in Path(output.uri, "NO_MODEL").read_text()


def test_a_damaged_champion_stops_the_run_and_says_how_to_go_on(
    workspace: Workspace, tmp_path: Path
) -> None:
    push(workspace, tmp_path / "pushed")
    (stored,) = workspace.registry.rglob("float32.tflite")
    stored.write_bytes(b"damaged")
    with pytest.raises(RegistryError, match=r"(?s)version 1 .*sha256.*gate.ignore_blessed=true"):
        fetch(workspace, tmp_path / "model")


def test_the_gate_takes_no_model_for_none_and_an_empty_artifact_for_a_damaged_one(
    tmp_path: Path, workspace: Workspace
) -> None:
    world = World.make(tmp_path / "world", users=20)
    candidate = world.model("candidate", world.scores())
    none = Path(fetch(workspace, tmp_path / "none").uri)
    assert world.rank(candidate, blessed=none)
    (tmp_path / "empty").mkdir()
    with pytest.raises(GateError, match="cannot be compared"):
        world.rank(candidate, blessed=tmp_path / "empty", gate=GateConfig())


def test_a_training_can_begin_with_it(workspace: Workspace, tmp_path: Path) -> None:
    training = tmp_path / "training" / "weights"
    training.mkdir(parents=True)
    (training / "all.npz").write_bytes(b"weights")
    push(workspace, tmp_path / "pushed", tmp_path / "training")
    output = fetch(workspace, tmp_path / "model", with_training=True)
    assert Path(output.uri, "training", "weights", "all.npz").read_bytes() == b"weights"
    assert ServedModel.read(output.uri)
    assert not Path(fetch(workspace, tmp_path / "plain").uri, "training").exists()


def test_a_champion_without_weights_is_none_to_begin_with(
    workspace: Workspace, tmp_path: Path
) -> None:
    push(workspace, tmp_path / "pushed")
    with pytest.raises(RegistryError, match=r"version 1: .*training.*training.warm_start=null"):
        fetch(workspace, tmp_path / "model", with_training=True)
