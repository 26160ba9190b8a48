"""Ctrl-C and SIGTERM in the midst of a run: what is said, what is kept, what is left running."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.command import PROJECT, command_line, pocketrec, run_arguments

pytestmark = pytest.mark.slow


def _interrupted(
    words: list[str], until: str, number: signal.Signals, *, pause: float = 0.0
) -> tuple[int, str, str, set[int]]:
    """Starts a run and sends it a signal once a line holds some text.

    Returns:
        Exit status, both outputs, and its child processes that outlive it.
    """
    process = subprocess.Popen(
        command_line(*words),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if until in line:
            break
    else:
        pytest.fail(f"{until!r} was never said: {''.join(seen)}")
    time.sleep(pause)
    children = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
    # To the one process alone: what it has started is its own business to end.
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    return process.returncode, "".join(seen) + out, err, {p for p in children if _runs(p)}


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_run_is_interrupted_says_how_to_go_on_and_goes_on(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    words = run_arguments(workspace)

    status, out, err, _ = _interrupted(words, "epoch 2/6", signal.SIGINT)
    assert status == 130
    assert "Traceback" not in out + err
    assert re.search(r"^INTERRUPTED at trainer after \d+ s$", out, re.MULTILINE)
    assert "kept: 6 of 12 steps, which come from the cache" in out
    # One more may have ended before the signal came.
    assert re.search(r"training, which goes on after epoch [23]$", out, re.MULTILINE)
    again = out.splitlines()[-1]
    assert again.startswith("to go on: ")
    assert again.endswith(" ".join(words[:4]) + " " + " ".join(words[4:]))

    # In the converter, whose child processes have sessions of their own; as a service is stopped.
    status, out, err, left = _interrupted(
        [*words, "--json"], '"stage": "tflite_converter"', signal.SIGTERM, pause=2.0
    )
    assert status == 143
    events = [json.loads(line) for line in out.splitlines()]
    assert events[-1]["event"] == "run_interrupted"
    assert [e["stage"] for e in events if e["event"] == "stage_interrupted"] == ["tflite_converter"]
    assert events[-1]["stage"] == "tflite_converter"
    assert events[-1]["finished"][-1] == "trainer"
    assert events[-1]["resume"].endswith("--json")
    assert "resuming in epoch" in " ".join(e.get("text", "") for e in events)
    # What was trained before is not trained again.
    assert min(e["epoch"] for e in events if e["event"] == "epoch") >= 3
    assert "Traceback" not in err
    assert not left

    done = pocketrec(*words)
    assert "cleaned up after an interrupted run (tflite_converter)" in done.stdout
    assert "        trainer: cached" in done.stdout
    assert "registered  pocketrec version 1, alias champion" in done.stdout


def test_a_second_signal_ends_a_run_at_once(tmp_path: Path) -> None:
    words = run_arguments(tmp_path / "workspace")
    process = subprocess.Popen(
        command_line(*words),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    # Imports: long, and mostly native code that notices no signal.
    assert any("loading TensorFlow" in line for line in process.stdout)
    time.sleep(2)
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 2
    assert process.returncode == 130
    assert out.splitlines()[-1].endswith(" ".join(words[-2:]))
