"""Libraries go to the log, the runner's and the steps' records to the screen."""

import logging
import os
import sys
from pathlib import Path

import pytest

from pipeline.progress import report
from pipeline.progress.capture import captured
from pipeline.progress.lines import PlainScreen


def test_what_everybody_says_goes_to_the_log_and_what_steps_tell_to_the_screen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log_file = tmp_path / "logs" / "run.log"
    root, steps = logging.getLogger(), logging.getLogger(report.LOGGER)
    before = root.level, root.handlers[:]
    with captured(log_file, PlainScreen):
        logging.getLogger("tfx").info("from python")
        os.write(2, b"from native code\n")
        os.write(1, b"native code on standard output\n")
        root.info("Component ingest is running.")
        root.info("A cached execution 12 is used.")
        report.say("training cnn")
        report.reach("updates", 3, 9)
        root.info("Component ingest is finished.")
    print("after", file=sys.stderr)
    out, err = capfd.readouterr()
    started, said, ended = out.splitlines()
    assert started == "[ 0/0] ingest ..."
    assert said == "training cnn"
    assert ended.startswith("        ingest: cached, ")
    assert err == "after\n"
    log = log_file.read_text()
    for line in ("from python", "from native code", "native code on standard output", "training"):
        assert line in log
    assert "updates" not in log
    assert (root.level, root.handlers) == before
    assert steps.handlers == []


def test_the_streams_come_back_after_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError), captured(tmp_path / "run.log", PlainScreen):
        raise ZeroDivisionError
    os.write(1, b"out\n")
    os.write(2, b"err\n")
    assert capfd.readouterr() == ("out\n", "err\n")
