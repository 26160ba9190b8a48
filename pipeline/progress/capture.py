"""Everything that libraries say goes to the run's log; what the run tells goes to its screen."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from absl import logging as absl_logging

from pipeline.progress import report
from pipeline.progress.events import Screen
from pipeline.progress.journal import Journal

LOG_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"
_STREAMS = (1, 2)


class RunnerRecords(logging.Handler):
    """Hears the local runner's log records.

    The runner says "Component X is running." and "Component X is finished.", and in between
    whether a cached execution was used; it offers no other hook.
    """

    def __init__(self, journal: Journal) -> None:
        """Prepares; the journal is told."""
        super().__init__(logging.INFO)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Tells the journal where the record opens or closes a stage."""
        message = record.getMessage()
        if message.startswith("A cached execution ") and message.endswith(" is used."):
            self._journal.take_from_cache()
        elif message.startswith("Component ") and message.endswith(" is running."):
            self._journal.start(message.removeprefix("Component ").removesuffix(" is running."))
        elif message.startswith("Component ") and message.endswith(" is finished."):
            self._journal.finish()


class StepRecords(logging.Handler):
    """Hears what steps tell through `report`."""

    def __init__(self, journal: Journal) -> None:
        """Prepares; the journal is told."""
        super().__init__(logging.DEBUG)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Tells the journal."""
        self._journal.told(getattr(record, report.ATTRIBUTE))


@contextlib.contextmanager
def captured(log_file: Path, make_screen: Callable[[IO[str]], Screen]) -> Iterator[Journal]:
    """Sends logging, warnings and both standard streams, native code's too, to a file.

    Args:
        log_file: Appended to; its folder is made.
        make_screen: Gets what was standard output, open for the time of the block.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(log_file.open("a", encoding="utf-8"))
        screen = stack.enter_context(_redirected(log))
        journal = Journal(make_screen(screen))
        stack.callback(journal.close)
        stack.enter_context(_heard(journal, log))
        yield journal


@contextlib.contextmanager
def _redirected(log: IO[str]) -> Iterator[IO[str]]:
    """Sends both streams to the log; yields what was standard output."""
    # Native libraries write to the descriptors, past Python's own streams.
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in _STREAMS]
    # What is on the screen is text in any locale.
    screen = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", buffering=1)
    for number in _STREAMS:
        os.dup2(log.fileno(), number)
    try:
        yield screen
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, before in zip(_STREAMS, kept, strict=True):
            os.dup2(before, number)
            os.close(before)
        with contextlib.suppress(BrokenPipeError):
            screen.close()


@contextlib.contextmanager
def _heard(journal: Journal, log: IO[str]) -> Iterator[None]:
    root, steps = logging.getLogger(), logging.getLogger(report.LOGGER)
    handlers, level = root.handlers[:], root.level
    verbosity = absl_logging.get_verbosity()
    # Amounts, which come by the dozen, stay out of the log.
    to_file = logging.StreamHandler(log)
    to_file.setLevel(logging.INFO)
    to_file.setFormatter(logging.Formatter(LOG_FORMAT))
    root.handlers[:] = [to_file, RunnerRecords(journal)]
    root.setLevel(logging.INFO)
    steps.handlers[:] = [StepRecords(journal)]
    steps.setLevel(logging.DEBUG)
    logging.captureWarnings(True)
    absl_logging.set_verbosity(absl_logging.INFO)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(level)
        steps.handlers[:] = []
        steps.setLevel(logging.NOTSET)
        absl_logging.set_verbosity(verbosity)
