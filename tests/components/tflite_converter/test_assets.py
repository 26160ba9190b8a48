from __future__ import annotations

from pathlib import Path

from components.tflite_converter.assets import hand_on_assets, read_assets


def test_files_go_from_the_saved_model_to_the_artifact(tmp_path: Path) -> None:
    folder = tmp_path / "saved" / "assets.extra"
    folder.mkdir(parents=True)
    (folder / "elastic.npz").write_bytes(b"table")
    (folder / "other").write_bytes(b"not of a model")
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    hand_on_assets(str(folder.parent), str(artifact))
    assert [path.name for path in artifact.iterdir()] == ["elastic.npz"]
    assert read_assets(artifact) == {"elastic.npz": b"table"}


def test_most_models_have_none(tmp_path: Path) -> None:
    hand_on_assets(str(tmp_path), str(tmp_path))
    assert read_assets(tmp_path) == {}
