"""The command line as a whole: help, version, errors that name what was meant, broken pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import choices, main
from pipeline.cli.parser import every
from pipeline.datasets.releases import DATASET_NAMES
from tests.e2e.command import PROJECT, command_line


def _status(*words: str) -> int:
    try:
        return main.main(list(words))
    except SystemExit as ended:
        return int(ended.code or 0)


def test_alone_it_shows_the_help_by_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    assert _status() == 0
    shown = capsys.readouterr().out
    assert _status("--help") == 0
    assert capsys.readouterr().out == shown
    headings = [line for line in shown.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == ["run:", "look:", "registry:", "deploy:", "shell:", "options:", "examples:"]
    for commands in main.GROUPS.values():
        for name in commands:
            assert f"\n  {name} " in shown


def test_the_help_starts_quickly_and_loads_nothing_heavy() -> None:
    program = (
        "import sys, time; sys.argv = ['pocketrec', '--help']\n"
        "from pipeline.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'tfx', 'numpy', 'pydantic', 'rich', 'mlflow', 'requests'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "print(time.process_time())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    *_, loaded, seconds = done.stdout.splitlines()
    assert loaded == "[]"
    assert float(seconds) < 1  # 0.1 s; of the processor, whatever else the machine does


def test_every_command_has_a_summary_and_those_with_much_to_say_examples() -> None:
    parser = main.build_parser()
    commands = parser._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    for name, command in commands.items():  # type: ignore[union-attr]
        assert command.description, name
        if name != "dashboard":
            assert command.epilog, name


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert _status("--version") == 0
    assert capsys.readouterr().out == "pocketrec 0.1.0\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rnu"], "pocketrec: argument COMMAND: 'rnu' is not one of run, "),
        (["rnu"], "did you mean run?; see `pocketrec --help`"),
        (
            ["data", "inspct", "x"],
            "one of inspect, download, generate, split; did you mean inspect",
        ),
        (["data"], "required: ACTION, one of inspect, download, generate, split; see `pocketrec "),
        (["run", "--datset", "x"], "pocketrec run: unrecognized arguments: --datset x; did you "),
        (["run", "--datset=x"], "did you mean --dataset?; see `pocketrec run --help`"),
        (["registry", "list", "--jsn"], "pocketrec registry list: unrecognized arguments: --jsn; "),
        (["compile", "--target", "kubflow", "--output", "x"], "did you mean kubeflow?"),
        (["run", "--zzz"], "pocketrec run: unrecognized arguments: --zzz; see `"),
        (["--debug"], "pocketrec: the following arguments are required: COMMAND"),
        (["sweep", "smoke", "--trials", "x"], "must be a whole number of at least 1, got 'x'"),
    ],
)
def test_what_cannot_be_parsed_is_one_line_with_what_was_meant(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _status(*words) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_names_that_are_repeated_for_quick_starts_are_those_of_the_project() -> None:
    assert choices.DATASETS == DATASET_NAMES
    studies = (PROJECT / "pipeline" / "configs" / "sweeps").glob("*.yaml")
    assert sorted(choices.STUDIES) == sorted(path.stem for path in studies)


@pytest.mark.thorough
@pytest.mark.parametrize("words", [[], ["--help"], ["completion", "bash"], ["doctor", "--json"]])
def test_a_reader_that_is_gone_is_no_error(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command_line(*words), cwd=PROJECT, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_what_is_no_folder_is_no_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    for place in (file, file / "below"):
        assert _status("registry", "list", "--workspace", str(place)) == 2
        said = capsys.readouterr().err
        assert said == f"pocketrec: --workspace {place}: {file} is a file; name a folder\n"


def test_what_a_command_says_of_itself_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in every(main.build_parser()):
        wide = [line for line in command.format_help().splitlines() if len(line) > 80]
        # Examples are lines to copy, so they stay whole; they are indented.
        assert [line for line in wide if not line.startswith(" ")] == [], command.prog
