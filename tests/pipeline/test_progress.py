"""The runner's log records become one line a step; everything else goes to the log file."""

import io
import logging
import os
import sys
from pathlib import Path

import pytest

from pipeline.progress import StepLines, captured


def _say(handler: logging.Handler, message: str) -> None:
    handler.emit(logging.LogRecord("absl", logging.INFO, "", 0, message, None, None))


def test_a_line_when_a_step_starts_and_one_when_it_ends() -> None:
    screen = io.StringIO()
    steps = StepLines(["ingest", "trainer"], screen)
    _say(steps, "Component ingest is running.")
    _say(steps, "A cached execution 12 is used.")
    _say(steps, "Component ingest is finished.")
    _say(steps, "Component trainer is running.")
    _say(steps, "something else")
    _say(steps, "Component trainer is finished.")
    lines = screen.getvalue().splitlines()
    assert lines[0] == "[ 1/2] ingest ..."
    assert lines[1].startswith("        ingest: cached, ")
    assert lines[2] == "[ 2/2] trainer ..."
    assert lines[3].startswith("        trainer: done, ")
    assert len(lines) == 4


def test_the_step_that_was_running_is_the_failed_one() -> None:
    screen = io.StringIO()
    steps = StepLines(["ingest"], screen)
    _say(steps, "Component ingest is running.")
    assert steps.current == "ingest"
    steps.fail()
    assert "ingest: FAILED" in screen.getvalue()
    assert steps.current is None


def test_logs_and_native_errors_go_to_the_file_and_come_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log_file = tmp_path / "logs" / "run.log"
    level = logging.getLogger().level
    with captured(log_file, ["ingest"]):
        logging.getLogger("tfx").info("from python")
        os.write(2, b"from native code\n")
        logging.getLogger().info("Component ingest is running.")
    print("after", file=sys.stderr)
    out, err = capfd.readouterr()
    assert "[ 1/1] ingest ..." in out
    assert err == "after\n"
    assert "from python" in log_file.read_text()
    assert "from native code" in log_file.read_text()
    assert logging.getLogger().level == level
