"""Teachers out of a real registry and out of folders, as the training reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tfx.types import standard_artifacts

from components.registry_pusher.push import Pusher
from components.teacher_models.executor import Executor
from modules.training.warm_start import load_weights
from pipeline import teachers
from pipeline.config.root import Config, load_config
from pipeline.errors import DataError, RegistryError
from pipeline.workspace import Workspace
from pocketrec_device.bundle import Bundle
from tests.device import toy
from tests.modules.evaluation.gate_bench import artifact
from tests.modules.training.test_given_teacher import IDS, saved
from tests.pipeline.registry.mlflow_place import make_workspace

MODEL = "pocketrec"


def push(workspace: Workspace, folder: Path, training: str | None) -> str:
    """Registers a version that becomes champion; returns its bundle's id."""
    bundle = toy.bundle(folder, dataset=folder.name)
    Pusher(
        tracking_uri=workspace.tracking_uri,
        artifact_root=(workspace.registry / "artifacts").as_uri(),
        model=MODEL,
    ).push(
        bundle,
        tags={},
        metrics={},
        training_dir=None if training is None else Path(training),
    )
    return Bundle.load(bundle).manifest.bundle_id


def taught_by(*given: dict[str, Any]) -> Config:
    return load_config(None, [f"training.distillation={{teachers: {list(given)}}}"])


def fetch(workspace: Workspace, folder: Path, config: Config) -> Any:
    output = artifact(standard_artifacts.Model, folder)
    settings = {
        "tracking_uri": workspace.tracking_uri,
        "model_name": MODEL,
        "teachers": teachers.to_json(teachers.sources(config.training)),
        "source_hash": "x",
    }
    Executor().Do({}, {"models": [output]}, settings)
    return output


@pytest.mark.thorough
def test_versions_and_folders_lie_by_their_place(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    first, second, third = (
        saved(tmp_path / name, ids=IDS + number) for number, name in enumerate(("a", "b", "c"))
    )
    one = push(workspace, tmp_path / "one", first)
    two = push(workspace, tmp_path / "two", second)
    config = taught_by({"registered": "champion"}, {}, {"folder": third}, {"registered": 1})

    output = fetch(workspace, tmp_path / "models", config)

    def digest(folder: str | Path) -> str:
        return load_weights(str(folder)).digest

    for place, wanted in ((1, second), (3, third), (4, first)):
        assert digest(Path(output.uri, str(place), "training")) == digest(wanted)
    assert not Path(output.uri, "2").exists()
    assert output.get_string_custom_property("teacher_1") == "version 2 of 'pocketrec'"
    assert output.get_string_custom_property("teacher_3") == third

    # As a run on this machine looks at them before it begins.
    pinned, looked_at = teachers.pinned(config, workspace.tracking_uri)
    given = [teacher.model_dump() for teacher in pinned.training.given_teachers]
    assert given == [
        {"registered": 2, "model_name": MODEL},
        {"folder": third},
        {"registered": 1, "model_name": MODEL},
    ]
    assert [source.identity for source in looked_at] == [two, digest(third), one]
    assert all(source.stays for source in looked_at)
    assert teachers.from_json(teachers.to_json(looked_at)) == looked_at
    # What else the settings say stays.
    assert pinned.model_copy(update={"training": config.training}) == config
    saved(Path(third), ids=IDS + 9)
    _, again = teachers.pinned(config, workspace.tracking_uri)
    assert again[1].identity != looked_at[1].identity


def test_without_such_teachers_nothing_is_looked_at() -> None:
    config = taught_by({})
    assert teachers.pinned(config, "sqlite:////nowhere/mlflow.db") == (config, ())


def test_a_version_that_is_not_there_is_named(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    config = taught_by({}, {"registered": 4})
    with pytest.raises(RegistryError, match=r"teachers.1.registered=4: .*no version of 'pocketrec"):
        teachers.pinned(config, workspace.tracking_uri)
    push(workspace, tmp_path / "one", saved(tmp_path / "a"))
    with pytest.raises(RegistryError, match=r"teachers.1.registered=4: no version .*versions: 1;"):
        fetch(workspace, tmp_path / "models", config)
    other = taught_by({"registered": 1, "model_name": "students"})
    with pytest.raises(RegistryError, match="'students"):
        fetch(workspace, tmp_path / "others", other)


def test_a_version_without_weights_is_named(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    push(workspace, tmp_path / "one", None)
    with pytest.raises(
        RegistryError, match=r"teachers.0: version 1 of 'pocketrec' cannot teach.*have one trained"
    ):
        fetch(workspace, tmp_path / "models", taught_by({"registered": 1}))


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    config = taught_by({"folder": str(tmp_path)})
    with pytest.raises(DataError, match=rf"teachers.0.folder={tmp_path}: .*settings.json"):
        teachers.pinned(config, "sqlite:////nowhere/mlflow.db")
    with pytest.raises(DataError, match=r"settings.json: .*have one trained"):
        fetch(make_workspace(tmp_path), tmp_path / "models", config)
