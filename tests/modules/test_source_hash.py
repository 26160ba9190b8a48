from __future__ import annotations

from pathlib import Path

import pytest

from modules import source_hash as module
from modules.source_hash import source_hash


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_PROJECT_ROOT", tmp_path)
    (tmp_path / "pack" / "deep").mkdir(parents=True)
    (tmp_path / "pack" / "a.py").write_bytes(b"x = 1\n")
    (tmp_path / "pack" / "deep" / "b.py").write_bytes(b"y = 2\n")
    (tmp_path / "single.py").write_bytes(b"raise RuntimeError('never imported')\n")
    return tmp_path


def test_any_change_below_a_package_changes_the_hash(project: Path) -> None:
    before = source_hash("pack")

    (project / "pack" / "deep" / "b.py").write_bytes(b"y = 3\n")
    changed = source_hash("pack")
    (project / "pack" / "deep" / "b.py").rename(project / "pack" / "deep" / "c.py")
    renamed = source_hash("pack")

    assert len({before, changed, renamed}) == 3


def test_what_is_not_source_does_not_count(project: Path) -> None:
    before = source_hash("pack", "single")

    (project / "pack" / "notes.md").write_text("not code")
    (project / "pack" / "__pycache__").mkdir()
    (project / "pack" / "__pycache__" / "a.cpython-310.pyc").write_bytes(b"\0")

    assert source_hash("pack", "single") == before


def test_order_overlap_and_line_ends_do_not_count(project: Path) -> None:
    before = source_hash("pack", "single")
    (project / "pack" / "a.py").write_bytes(b"x = 1\r\n")

    assert source_hash("single", "pack.a", "pack") == before


def test_moving_a_line_between_files_changes_the_hash(project: Path) -> None:
    (project / "pack" / "a.py").write_bytes(b"x = 1\ny = 2\n")
    (project / "pack" / "deep" / "b.py").write_bytes(b"")
    moved = source_hash("pack")
    (project / "pack" / "a.py").write_bytes(b"x = 1\n")
    (project / "pack" / "deep" / "b.py").write_bytes(b"y = 2\n")

    assert source_hash("pack") != moved


@pytest.mark.usefixtures("project")
def test_an_unknown_root_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"'pack\.missing' is neither a package nor a module"):
        source_hash("pack.missing")
    with pytest.raises(ValueError, match="at least one"):
        source_hash()


def test_the_projects_own_modules_are_found() -> None:
    assert len(source_hash("modules", "components.data_gate")) == 16
