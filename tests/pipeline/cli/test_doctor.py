"""`pocketrec doctor`."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.e2e.command import PROJECT, command_line


def test_each_check_is_a_line_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "metadata.sqlite").write_bytes(b"no database" * 1000)
    assert main(["doctor", "--workspace", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("problem  ML Metadata"))
    assert lines[place].endswith("cannot be read (file is not a database)")
    assert lines[place + 1].strip().startswith(f"move {tmp_path}/metadata.sqlite away")
    assert lines[-1].endswith(" 1 problems")
    main(["doctor", "--json", "--workspace", str(tmp_path)])
    checks = json.loads(capsys.readouterr().out)
    assert {"name", "state", "found", "way_out"} == set(checks[0])
    assert [c["name"] for c in checks if c["state"] == "problem"] == ["ML Metadata"]


def test_it_is_quick_and_loads_neither_tensorflow_nor_mlflow(tmp_path: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        command_line("doctor", "--workspace", str(tmp_path)),
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert time.monotonic() - began < 4  # half a second on an idle machine
    assert done.stderr == ""
