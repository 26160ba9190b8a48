from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from components.tflite_converter import worker
from components.tflite_converter.convert import ConversionError, convert


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_an_abort_is_reported_with_the_end_of_the_log() -> None:
    code = "import os; print('begin'); print('LLVM ERROR: no types', flush=True); os.abort()"
    with pytest.raises(ConversionError) as caught:
        convert("/models/7", "int8", timeout_seconds=60, worker=python(code))
    message = str(caught.value)
    assert "variant int8 of /models/7" in message
    assert "SIGABRT" in message
    assert message.endswith("LLVM ERROR: no types")


def test_a_failure_is_reported_with_its_exit_status() -> None:
    with pytest.raises(ConversionError, match=r"exit status 3(.|\n)*it said nothing"):
        convert("m", "float16", timeout_seconds=60, worker=python("raise SystemExit(3)"))


def test_success_without_a_file_is_a_failure() -> None:
    with pytest.raises(ConversionError, match="ended without writing a file"):
        convert("m", "float16", timeout_seconds=60, worker=python("pass"))


@pytest.mark.thorough
def test_a_process_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, pathlib, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '300'])\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(300)\n"
    )
    began = time.monotonic()
    with pytest.raises(ConversionError, match=r"longer than 3 seconds .*timeout_seconds"):
        convert("m", "int8", timeout_seconds=3, worker=python(code))
    assert time.monotonic() - began < 60
    for pid in pids.read_text().split():
        _wait_until_gone(int(pid))


def _wait_until_gone(pid: int) -> None:
    for _ in range(100):
        try:
            status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        # An orphan's remains wait for whoever inherits it.
        if status == "Z":
            return
        time.sleep(0.1)
    os.kill(pid, 9)
    pytest.fail(f"process {pid} is still there")


def test_an_unknown_variant_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'int3' is none of"):
        worker.main(["m", "int3", str(tmp_path / "out")])
    assert list(tmp_path.iterdir()) == []
