"""One line a step on the screen while everything else goes to the run's log file."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from absl import logging as absl_logging

LOG_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"


class StepLines(logging.Handler):
    """Turns the local runner's log records into one line a step.

    The runner says "Component X is running." and "Component X is finished.", and in between
    whether a cached execution was used; it offers no other hook.
    """

    def __init__(self, node_ids: Sequence[str], screen: IO[str]):
        """Prepares for a pipeline.

        Args:
            node_ids: The steps in the order in which they run.
            screen: Where the lines go.
        """
        super().__init__(logging.INFO)
        self._node_ids = list(node_ids)
        self._screen = screen
        self._started = time.monotonic()
        self._cached = False
        self.current: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a line where the record opens or closes a step."""
        message = record.getMessage()
        if message.startswith("A cached execution ") and message.endswith(" is used."):
            self._cached = True
        elif message.startswith("Component ") and message.endswith(" is running."):
            self._start(message.removeprefix("Component ").removesuffix(" is running."))
        elif message.startswith("Component ") and message.endswith(" is finished."):
            self._finish("cached" if self._cached else "done")

    def fail(self) -> None:
        """Marks the step that was running as failed."""
        if self.current is not None:
            self._finish("FAILED")

    def _start(self, node_id: str) -> None:
        self.current = node_id
        self._started = time.monotonic()
        self._cached = False
        place = self._node_ids.index(node_id) + 1 if node_id in self._node_ids else 0
        self._say(f"[{place:>2}/{len(self._node_ids)}] {node_id} ...")

    def _finish(self, verdict: str) -> None:
        seconds = time.monotonic() - self._started
        self._say(f"        {self.current}: {verdict}, {seconds:.1f} s")
        self.current = None

    def _say(self, line: str) -> None:
        print(line, file=self._screen, flush=True)


@contextlib.contextmanager
def captured(log_file: Path, node_ids: Sequence[str]) -> Iterator[StepLines]:
    """Sends logging, warnings and the standard error of native code to a file.

    Args:
        log_file: Appended to; its folder is made.
        node_ids: The pipeline's steps, for the lines on the screen.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    verbosity = absl_logging.get_verbosity()
    steps = StepLines(node_ids, sys.stdout)
    sys.stderr.flush()
    screen_error = os.dup(2)
    with log_file.open("a", encoding="utf-8") as log:
        # Native libraries write to the descriptor, past Python's own streams.
        os.dup2(log.fileno(), 2)
        to_file = logging.StreamHandler(log)
        to_file.setFormatter(logging.Formatter(LOG_FORMAT))
        root.handlers[:] = [to_file, steps]
        root.setLevel(logging.INFO)
        logging.captureWarnings(True)
        absl_logging.set_verbosity(absl_logging.INFO)
        try:
            with warnings.catch_warnings():
                yield steps
        finally:
            logging.captureWarnings(False)
            root.handlers[:] = handlers
            root.setLevel(level)
            absl_logging.set_verbosity(verbosity)
            sys.stderr.flush()
            os.dup2(screen_error, 2)
            os.close(screen_error)
