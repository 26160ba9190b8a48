"""Child processes that fail, hang, or lose their parent."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from pipeline.sweep.child import Children

PYTHON = [sys.executable, "-c"]


def test_a_failure_is_told_with_the_end_of_the_log(tmp_path: Path) -> None:
    said: list[str] = []
    script = "print('first'); print('last words', flush=True); raise SystemExit(3)"
    ended = Children(os.environ).run(
        [*PYTHON, script], tmp_path / "log", timeout_seconds=None, said=said.append
    )
    assert ended.problem == "failed with exit status 3"
    assert ended.tail == "first\nlast words"
    assert said == ["first", "last words"]
    assert (tmp_path / "log").read_text() == "first\nlast words\n"


def test_a_crash_is_told_by_its_signal_and_success_by_nothing(tmp_path: Path) -> None:
    children = Children(os.environ)
    for script, problem in (
        ("import os; os.abort()", "was ended by SIGABRT"),
        ("pass", None),
    ):
        ended = children.run(
            [*PYTHON, script], tmp_path / "log", timeout_seconds=60, said=lambda _: None
        )
        assert ended.problem == problem


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = Children(os.environ).run(
        [*PYTHON, "import time; time.sleep(600)"],
        tmp_path / "log",
        timeout_seconds=0.5,
        said=lambda _: None,
    )
    assert ended.problem == "took longer than 0.5 seconds and was ended"
    assert time.monotonic() - began < 60


def test_nothing_starts_after_a_stop(tmp_path: Path) -> None:
    children = Children(os.environ)
    children.stop()
    ended = children.run(
        [*PYTHON, "raise SystemExit"], tmp_path / "log", timeout_seconds=None, said=print
    )
    assert ended.problem == "was stopped"
    assert not (tmp_path / "log").exists()


def test_a_child_ends_with_a_killed_parent(tmp_path: Path) -> None:
    child = textwrap.dedent(
        """
        import os, pathlib, sys, time
        from pipeline.sweep.child import end_with_parent
        end_with_parent()
        pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
        time.sleep(600)
        """
    )
    parent = textwrap.dedent(
        f"""
        import os, pathlib, sys
        from pipeline.sweep.child import Children
        command = [sys.executable, "-c", {child!r}, sys.argv[1]]
        Children(os.environ).run(
            command, pathlib.Path(sys.argv[2]), timeout_seconds=None, said=print
        )
        """
    )
    pid_file = tmp_path / "pid"
    process = subprocess.Popen([*PYTHON, parent, str(pid_file), str(tmp_path / "log")])
    _wait(lambda: pid_file.exists() and pid_file.read_text() != "")
    pid = int(pid_file.read_text())
    process.send_signal(signal.SIGKILL)
    process.wait()
    _wait(lambda: not Path(f"/proc/{pid}/cmdline").exists() or _is_zombie(pid))


def _wait(condition: object, seconds: float = 60) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_zombie(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()
