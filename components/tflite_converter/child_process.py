"""Runs a command that may crash, abort or hang."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

_TAIL_LINES = 15


def run(command: Sequence[str], log: Path, timeout_seconds: float) -> str | None:
    """Runs a command to its end, or ends it with all that it started.

    Args:
        command: Program and arguments.
        log: File that gets what it says.
        timeout_seconds: After these it is ended.

    Returns:
        What went wrong, as the end of a sentence; None where nothing did.
    """
    with log.open("wb") as output:
        # A session of its own, so that whatever it starts ends with it.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return (
                f"took longer than {timeout_seconds:g} seconds (conversion.timeout_seconds) and "
                "was ended"
            )
        finally:
            # Also where this process is interrupted.
            if child.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"failed with exit status {status}" if status else None


def tail(log: Path) -> str:
    """Returns the end of a log, indented."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:]) or "  (it said nothing)"
