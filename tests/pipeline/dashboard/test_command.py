from __future__ import annotations

import argparse
import os
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest

from pipeline.cli import dashboard as command
from pipeline.errors import PocketRecError
from pipeline.text_file import write_text
from tests.pipeline.dashboard.scene import Scene

RUN = "20260101T000000.000001"


def run_command(scene: Scene, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["dashboard", "--workspace", str(scene.workspace.root), *arguments])
    status: int = args.handler(args)
    return status


def test_the_command_writes_one_file_into_the_workspace_or_where_asked(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.store.run(RUN)
    assert run_command(scene) == 0
    written = scene.workspace.dashboards / f"{RUN}.html"
    assert capsys.readouterr().out.strip() == str(written)
    assert [path.name for path in written.parent.iterdir()] == [written.name]
    elsewhere = tmp_path / "deep" / "page.html"
    assert run_command(scene, "--output", str(elsewhere)) == 0
    assert elsewhere.read_bytes() == written.read_bytes()
    with pytest.raises(PocketRecError, match="cannot be written"):
        run_command(scene, "--output", str(tmp_path))
    with pytest.raises(PocketRecError, match=f"closest first:\n  {RUN}"):
        run_command(scene, "--run", "20260101T00")


def test_all_runs_go_into_a_file_of_their_own(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.store.run(RUN)
    assert run_command(scene, "--all") == 0
    assert capsys.readouterr().out.strip() == str(scene.workspace.dashboards / "all.html")
    assert RUN in (scene.workspace.dashboards / "all.html").read_text()


def test_a_workspace_without_a_run_is_an_error_with_a_way_out(scene: Scene, tmp_path: Path) -> None:
    for arguments in ((), ("--all",)):
        with pytest.raises(PocketRecError, match=r"holds no run; start one with `pocketrec run`"):
            run_command(scene, *arguments)
    with pytest.raises(PocketRecError, match="no pipeline has run in this workspace yet"):
        run_command(scene, "--workspace", str(tmp_path / "absent"))


@pytest.mark.parametrize("has_browser", [True, False])
def test_open_hands_the_file_to_a_browser_or_says_that_there_is_none(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    has_browser: bool,
) -> None:
    asked: list[str] = []

    def answer(address: str) -> bool:
        asked.append(address)
        return has_browser

    monkeypatch.setattr(webbrowser, "open", answer)
    scene.store.run(RUN)
    assert run_command(scene, "--open") == 0
    path = scene.workspace.dashboards / f"{RUN}.html"
    assert asked == [path.as_uri()]
    told = capsys.readouterr().out.splitlines()[1]
    assert told.startswith("opened" if has_browser else "no browser")


def test_a_failed_write_leaves_the_previous_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")

    def fail(descriptor: int) -> None:
        raise OSError(28, f"no space for {descriptor}")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text() == "old"


@pytest.mark.thorough
def test_neither_tfx_nor_tensorflow_is_imported_for_a_run_without_evaluation(scene: Scene) -> None:
    scene.store.run(RUN)
    code = (
        "import argparse, sys\n"
        "from pipeline.cli import dashboard\n"
        "light = set(sys.modules)\n"
        "parser = argparse.ArgumentParser()\n"
        "dashboard.add_parser(parser.add_subparsers())\n"
        "args = parser.parse_args(sys.argv[1:])\n"
        "args.handler(args)\n"
        "assert not {'numpy', 'jinja2', 'altair', 'ml_metadata'} & light\n"
        "assert not {'tfx', 'tensorflow', 'mlflow', 'matplotlib'} & set(sys.modules)\n"
    )
    workspace = str(scene.workspace.root)
    command_line = [sys.executable, "-c", code, "dashboard", "--workspace", workspace]
    subprocess.run(command_line, check=True, timeout=60)
