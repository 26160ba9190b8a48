"""Converts one variant in a child process that may crash, abort or hang.

TensorFlow's converter ends the whole process on some graphs, which nothing inside it can catch.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import PocketRecError

WORKER = (sys.executable, "-m", "components.tflite_converter.worker")

_TAIL_LINES = 15


class ConversionError(PocketRecError):
    """A variant that could not be made, or that does not do what it should."""


def convert(
    saved_model: str,
    variant: str,
    *,
    timeout_seconds: float,
    worker: Sequence[str] = WORKER,
) -> bytes:
    """Converts a SavedModel.

    Args:
        saved_model: Folder of the SavedModel.
        variant: A `VariantName`.
        timeout_seconds: After these the child process is ended.
        worker: Command of the child process; gets the SavedModel's folder, the variant and the
            file to write.

    Returns:
        Content of the `.tflite` file.

    Raises:
        ConversionError: The child process crashed, failed, wrote nothing or took too long; with
            the end of what it said.
    """
    with tempfile.TemporaryDirectory(prefix="pocketrec-convert-") as folder:
        output, log = Path(folder, f"{variant}.tflite"), Path(folder, "log")
        outcome = _run([*worker, saved_model, variant, str(output)], log, timeout_seconds)
        if outcome is None and output.is_file():
            return output.read_bytes()
        raise ConversionError(
            f"variant {variant} of {saved_model}: the conversion "
            f"{outcome or 'ended without writing a file'}. Leave {variant!r} out of "
            f"conversion.variants, or see the end of its log:\n{_tail(log)}"
        )


def _run(command: Sequence[str], log: Path, timeout_seconds: float) -> str | None:
    """Runs a command; returns what went wrong with it, or None."""
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


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:]) or "  (it said nothing)"
