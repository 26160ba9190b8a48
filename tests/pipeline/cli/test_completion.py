"""Completion in a real bash: the script is sourced, its function called as Tab does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.cli.main import main

# As readline does it: the words of the line, the place of the last one, the function of `complete`.
_TAB = """
source "$1"; shift
complete -p pocketrec >/dev/null || exit 3
function_name=$(complete -p pocketrec | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"$function_name" pocketrec "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("completion") / "pocketrec.bash"
    capture = pytest.MonkeyPatch()
    lines: list[str] = []
    with capture.context() as patch:
        patch.setattr("builtins.print", lambda text: lines.append(text))
        assert main(["completion", "bash"]) == 0
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def _tab(script: Path, folder: Path, *words: str) -> set[str]:
    """Returns what bash offers after `pocketrec WORDS`, the last of which is being typed."""
    done = subprocess.run(
        ["bash", "--norc", "-c", _TAB, "bash", str(script), "pocketrec", *words],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return set(done.stdout.split())


def test_commands_actions_and_options(script: Path, tmp_path: Path) -> None:
    assert _tab(script, tmp_path, "re") == {"recommend", "registry"}
    assert _tab(script, tmp_path, "registry", "pro") == {"promote"}
    assert _tab(script, tmp_path, "run", "--da") == {"--dataset"}
    assert _tab(script, tmp_path, "compile", "--target", "") == {"kubeflow", "vertex"}


def test_data_sets_and_paths(script: Path, tmp_path: Path) -> None:
    (tmp_path / "ml-mine.zip").touch()
    assert _tab(script, tmp_path, "run", "--dataset", "ml-1") == {"ml-1m", "ml-10m", "ml-100k"}
    assert _tab(script, tmp_path, "data", "inspect", "ml-m") == {"ml-mine.zip"}


def test_configurations_and_studies(script: Path, tmp_path: Path) -> None:
    for name in ("mine.yaml", "mine.txt", "small.yml"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    assert _tab(script, tmp_path, "run", "--config", "m") == {"mine.yaml", "more"}
    assert _tab(script, tmp_path, "sweep", "sm") == {"smoke", "small.yml"}


def test_runs_of_the_workspace_that_is_named(script: Path, tmp_path: Path) -> None:
    for place, run in (("workspace", "20260101T1"), ("other", "20260202T2")):
        (tmp_path / place / "runs").mkdir(parents=True)
        (tmp_path / place / "runs" / f"{run}.json").write_text(json.dumps({}), encoding="utf-8")
    assert _tab(script, tmp_path, "dashboard", "--run", "2026") == {"20260101T1"}
    named = ("dashboard", "--workspace", "other", "--run", "")
    assert _tab(script, tmp_path, *named) == {"20260202T2"}
    assert _tab(script, tmp_path, "dashboard", "--workspace", "none", "--run", "") == set()


def test_models(script: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    assert _tab(script, tmp_path, "evaluate", "") >= {"champion", "bundle"}


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_scripts_for_other_shells(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "ml-latest-small" in text
    if shutil.which(shell):
        file = tmp_path / "script"
        file.write_text(text, encoding="utf-8")
        subprocess.run([shell, "-n", str(file)], check=True)
