from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from pipeline.demo.export import RECORD, export
from pipeline.demo.site import Site, collect
from pipeline.errors import DemoError
from tests.device import toy
from tests.pipeline.demo import scene


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    return collect(scene.app(folder), toy.bundle(folder))


def written(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_export_is_the_site_and_a_record_of_it(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "new" / "public"
    export(site, target)
    files = written(target)
    record = json.loads(files.pop(RECORD))
    assert files == {path: file.content for path, file in site.files.items()}
    assert record == {
        "format": "pocketrec-demo",
        "version": site.version,
        "files": {path: hashlib.sha256(content).hexdigest() for path, content in files.items()},
    }
    # Nothing is left beside it, and a web server may read it.
    assert [path.name for path in target.parent.iterdir()] == ["public"]
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_second_export_replaces_the_first(site: Site, tmp_path: Path) -> None:
    export(site, tmp_path / "public")
    fewer = {path: file for path, file in site.files.items() if not path.endswith("float32.tflite")}
    export(dataclasses.replace(site, files=fewer, version="later"), tmp_path / "public")
    assert set(written(tmp_path / "public")) == {*fewer, RECORD}


def test_an_empty_folder_is_taken(site: Site, tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    export(site, tmp_path / "public")
    assert (tmp_path / "public" / "index.html").is_file()


@pytest.mark.parametrize("name", ["CNAME", "assets/own.css", ".git/config", "index.html"])
def test_what_it_did_not_write_is_left_alone(site: Site, tmp_path: Path, name: str) -> None:
    target = tmp_path / "public"
    if name != "index.html":
        export(site, target)
    mine = target / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    before = written(target)
    with pytest.raises(DemoError, match=rf"holds {name.split('/c')[0]}.*--force"):
        export(site, target)
    assert written(target) == before
    export(site, target, force=True)
    assert set(written(target)) == {*site.files, RECORD}


@pytest.mark.parametrize("text", ["no json", "[]", '{"format": "another", "files": {}}'])
def test_a_record_of_something_else_owns_nothing(site: Site, tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(DemoError, match=rf"holds {RECORD}"):
        export(site, tmp_path)


def test_an_export_that_breaks_off_leaves_the_former_one(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "public"
    export(site, target)
    before = written(target)
    write_bytes = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "int8.tflite":
            raise OSError(28, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DemoError, match=r"cannot be written \(No space left on device\)"):
        export(dataclasses.replace(site, version="later"), target)
    assert written(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["public"]


def test_a_file_is_no_folder(site: Site, tmp_path: Path) -> None:
    (tmp_path / "public").write_text("a file")
    with pytest.raises(DemoError, match="is no folder"):
        export(site, tmp_path / "public")
