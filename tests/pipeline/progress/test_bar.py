"""A bar on a terminal; elsewhere nothing."""

import sys

import pytest

from pipeline.progress.bar import bar
from tests.pipeline.progress.terminal import on_terminal, screen

PROGRAM = """
from pipeline.progress.bar import BYTES, bar
with bar("ml-1m", 4_000_000, BYTES, done=1_000_000) as advance:
    advance(2_000_000)
with bar("evaluating", 600, "users") as advance:
    advance(600)
"""


def test_what_is_done_of_how_much() -> None:
    sent, status = on_terminal(PROGRAM, 80)
    assert status == 0
    download, evaluation = (line.split() for line in screen(sent) if line)
    assert download[0] == "ml-1m"
    assert download[2:4] == ["3.0/4.0", "MB"]
    assert evaluation[0] == "evaluating"
    assert evaluation[2:4] == ["600/600", "users"]


def test_a_log_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    with bar("ml-1m", 4, "files") as advance:
        advance(4)
    assert capsys.readouterr() == ("", "")
