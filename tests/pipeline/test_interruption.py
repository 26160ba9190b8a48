"""Signals to a process that may be interrupted: its status, its children, how soon it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil
import pytest

START = """
import os, signal, subprocess, sys, threading, time
from pipeline.interruption import end_children, interruptible
def give_up():
    os.write(1, b"gave up\\n")
"""
ORDERLY = """
with interruptible(end_children, give_up, grace_seconds=20) as interruption:
    # As the converter does: a session of its own, which no Ctrl-C of a terminal reaches.
    child = subprocess.Popen(["sleep", "100"], start_new_session=True)
    try:
        print(child.pid, flush=True)
        time.sleep(100)
    except KeyboardInterrupt:
        print("ended", child.wait(), interruption.exit_status, flush=True)
        sys.exit(interruption.exit_status)
"""
DEAF = """
with interruptible(end_children, give_up, grace_seconds={grace}):
    begun = False
    while True:
        try:
            if not begun:
                begun = True
                print("0", flush=True)
            time.sleep(100)
        except KeyboardInterrupt:
            print("swallowed", flush=True)
"""
THREAD_THAT_STAYS = """
with interruptible(end_children, give_up, grace_seconds=0.3) as interruption:
    threading.Thread(target=time.sleep, args=(100,)).start()
    try:
        print("0", flush=True)
        time.sleep(100)
    except KeyboardInterrupt:
        sys.exit(interruption.exit_status)
"""


def _signalled(
    program: str, signals: Sequence[signal.Signals], pause: float = 0.0
) -> tuple[int, int, str, float]:
    """Returns the exit status, the number that was printed first, the rest, and the seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", START + program], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    number = int(process.stdout.readline())
    began = time.monotonic()
    for sent in signals:
        os.kill(process.pid, sent)
        time.sleep(pause)
    out, _ = process.communicate(timeout=30)
    return process.returncode, number, out, time.monotonic() - began


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_children_and_leaves_time_to_tidy_up(
    sent: signal.Signals, status: int
) -> None:
    found, child, out, seconds = _signalled(ORDERLY, [sent])
    assert found == status
    assert out == f"ended {-signal.SIGKILL} {status}\n"
    assert not psutil.pid_exists(child)
    assert seconds < 5


def test_a_second_signal_ends_at_once_what_swallows_the_first() -> None:
    status, _, out, seconds = _signalled(DEAF.format(grace=20), [signal.SIGINT] * 2, pause=0.3)
    assert status == 130
    assert out == "swallowed\ngave up\n"
    assert seconds < 5


def test_the_end_of_the_grace_ends_what_goes_on() -> None:
    status, _, out, _ = _signalled(DEAF.format(grace=0.3), [signal.SIGTERM])
    assert status == 143
    assert out == "swallowed\ngave up\n"


def test_a_thread_of_a_library_does_not_keep_the_process() -> None:
    status, _, _, seconds = _signalled(THREAD_THAT_STAYS, [signal.SIGINT])
    assert status == 130
    assert seconds < 5
