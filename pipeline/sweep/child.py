"""Work in child processes: a crash, a hang or a leak there is one failed trial and no more."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_TAIL_LINES = 15
_TAIL_CHARACTERS = 4000


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        problem: What went wrong, None where nothing did.
        tail: The end of what it said.
    """

    problem: str | None
    tail: str


class Children:
    """Child processes that end with this one, whichever way this one ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Prepares; nothing is started yet.

        Args:
            environment: Of the children.
        """
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self.stopped = False

    def run(
        self,
        command: Sequence[str],
        log: Path,
        *,
        timeout_seconds: float | None,
        said: Callable[[str], None],
    ) -> Ended:
        """Runs a command to its end.

        Args:
            command: Program and arguments; the program calls `end_with_parent`.
            log: Gets all that it says, appended.
            timeout_seconds: After these it is killed; None: never.
            said: Told each line.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if self.stopped:
                return Ended("was stopped", "")
            # A group of its own: a Ctrl-C reaches this process alone, which ends the others. The
            # open pipe to its input tells it that this process is alive.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=self._environment,
                start_new_session=True,
            )
            self._processes.add(process)
        timed_out = threading.Event()

        def end() -> None:
            timed_out.set()
            _kill(process)

        timer = threading.Timer(timeout_seconds or threading.TIMEOUT_MAX, end)
        timer.daemon = True
        timer.start()
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        try:
            assert process.stdout is not None
            with log.open("a", encoding="utf-8") as file:
                for line in process.stdout:
                    file.write(line)
                    file.flush()
                    tail.append(line.rstrip("\n"))
                    said(line.rstrip("\n"))
            status = process.wait()
        finally:
            timer.cancel()
            _kill(process)
            with self._lock:
                self._processes.discard(process)
        text = "\n".join(tail)[-_TAIL_CHARACTERS:]
        if timed_out.is_set():
            return Ended(f"took longer than {timeout_seconds:g} seconds and was ended", text)
        if status < 0:
            return Ended(f"was ended by {signal.Signals(-status).name}", text)
        return Ended(f"failed with exit status {status}" if status else None, text)

    def stop(self) -> None:
        """Kills all that run, and starts no more."""
        with self._lock:
            self.stopped = True
            for process in self._processes:
                _kill(process)


def end_with_parent() -> None:
    """Makes this process end as soon as the one that started it is gone."""

    def watch() -> None:
        # Past Python's own stream, whose lock would be missed when the process ends by itself.
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
