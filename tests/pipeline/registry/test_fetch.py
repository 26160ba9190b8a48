from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import RegistryError
from pipeline.registry.fetch import fetch_bundle
from pocketrec_device import Bundle
from tests.device import toy


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.bundle(tmp_path_factory.mktemp("registered"))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_copy_is_the_bundle(bundle: Path, tmp_path: Path) -> None:
    size = fetch_bundle(bundle, tmp_path / "app" / "model")
    assert contents(tmp_path / "app" / "model") == contents(bundle)
    assert size == sum(len(content) for content in contents(bundle).values())
    Bundle.load(tmp_path / "app" / "model").verify()
    assert [path.name for path in (tmp_path / "app").iterdir()] == ["model"]


def test_an_earlier_bundle_is_replaced_whole(bundle: Path, tmp_path: Path) -> None:
    fetch_bundle(bundle, tmp_path / "model")
    (tmp_path / "model" / "older.tflite").write_bytes(b"old")
    fetch_bundle(bundle, tmp_path / "model")
    assert contents(tmp_path / "model") == contents(bundle)


def test_a_folder_with_anything_else_is_left_alone(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RegistryError, match=r"holds something that is no bundle"):
        fetch_bundle(bundle, tmp_path)
    with pytest.raises(RegistryError, match=r"letter\.txt: is no folder"):
        fetch_bundle(bundle, tmp_path / "letter.txt")
    assert contents(tmp_path) == {"letter.txt": b"dear"}


def test_a_damaged_bundle_is_not_copied(tmp_path: Path) -> None:
    damaged = toy.bundle(tmp_path / "registered")
    (damaged / "vocabulary.json").write_bytes(b"[]")
    with pytest.raises(RegistryError, match=r"vocabulary\.json: sha256 is"):
        fetch_bundle(damaged, tmp_path / "model")
    assert not (tmp_path / "model").exists()
