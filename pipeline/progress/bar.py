"""A bar on standard error, for what one command does by itself."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from pipeline.progress.screens import is_terminal

BYTES = "bytes"
"""A unit that is told in kB, MB and so on."""


@contextlib.contextmanager
def bar(
    what: str, total: int | None, unit: str, *, done: int = 0, shown: bool = True
) -> Iterator[Callable[[int], object]]:
    """Shows how far something is, on a terminal; elsewhere nothing.

    Args:
        what: Before the bar.
        total: Of the unit; None where it is not known.
        unit: In the plural, or `BYTES`.
        done: What was done before.
        shown: Whether to show anything.

    Yields:
        What to call with each further amount.
    """
    if not shown or not is_terminal(sys.stderr):
        yield _nothing
        return
    # Late: Rich is of use on a terminal alone.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    figures = (
        (DownloadColumn(), TransferSpeedColumn())
        if unit == BYTES
        else (MofNCompleteColumn(), TextColumn(unit))
    )
    columns = (TextColumn(what), BarColumn(), *figures, TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda amount: progress.advance(task, amount)


def _nothing(_amount: int) -> None:
    pass
