"""Ctrl-C and SIGTERM: an orderly end if there is time, the end at any rate."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

GRACE_SECONDS = 10.0
"""How long an orderly end may take."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Says whether the user, or the system, asked for the end.

    Attributes:
        signal: The signal that came; None while none has.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def exit_status(self) -> int:
        """What shells expect of a process that a signal ended: 130 for Ctrl-C."""
        return 128 + (self.signal or 0)


@contextlib.contextmanager
def interruptible(
    at_once: Callable[[], None],
    give_up: Callable[[], None],
    *,
    grace_seconds: float = GRACE_SECONDS,
) -> Iterator[Interruption]:
    """Makes SIGINT and SIGTERM raise `KeyboardInterrupt` in the main thread, and ends the process.

    Native code may keep the main thread busy for long, or swallow what is raised in it; threads of
    libraries may outlive it. So a thread of its own hears the signal the moment it comes. A second
    signal, or the end of the grace, ends the process with `exit_status`.

    Args:
        at_once: Called by that thread when the first signal comes; ends child processes.
        give_up: Called by that thread before it ends the process.
        grace_seconds: How long an orderly end may take after the first signal.
    """
    interruption, told = Interruption(), threading.Event()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    # A process that is told to ignore a signal, as by nohup, goes on ignoring it.
    heard = [number for number in _SIGNALS if before[number] != signal.SIG_IGN]

    def raise_it(number: int, _frame: FrameType | None) -> None:
        # The first one alone: a second one would break off the tidying.
        if interruption.signal is None:
            interruption.signal = number
            raise KeyboardInterrupt

    def watch() -> None:
        first = os.read(reader, 1)
        if not first:
            return
        try:
            at_once()
        finally:
            told.set()
        select.select([reader], [], [], grace_seconds)
        try:
            give_up()
        finally:
            os._exit(128 + first[0])

    for number in heard:
        signal.signal(number, raise_it)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=watch, daemon=True, name="interruption").start()
    try:
        yield interruption
    finally:
        if interruption.signal is None:
            signal.set_wakeup_fd(wakeup)
            for number in heard:
                signal.signal(number, before[number])
            os.close(writer)
        else:
            # The watch goes on until the process has ended, which must not be before its children.
            told.wait(grace_seconds)


def end_children() -> None:
    """Kills all processes that this one has started, and theirs."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
