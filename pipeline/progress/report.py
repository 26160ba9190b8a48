"""What a long step tells about itself, wherever it runs.

Steps know neither a terminal nor a run. They tell the logger `pocketrec.progress`; whoever shows a
run listens there. Where nobody does, as in a pod, lines go to standard output and amounts nowhere.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

LOGGER = "pocketrec.progress"
ATTRIBUTE = "progress"
"""Of a log record: what was told."""


@dataclasses.dataclass(frozen=True)
class Line:
    """Something to read."""

    text: str


@dataclasses.dataclass(frozen=True)
class Epoch:
    """An epoch that is over.

    Attributes:
        text: The same as a line.
        number: From 1.
        most: Epochs of the longest run.
        figures: `loss`, `seconds` and so on, with the metrics of the eval split.
        seconds_left: At most, as stopping early is not foreseen.
        whose: Which of several models; empty if there is one.
    """

    text: str
    number: int
    most: int
    figures: Mapping[str, float]
    seconds_left: float
    whose: str = ""


@dataclasses.dataclass(frozen=True)
class Amount:
    """So much of something.

    Attributes:
        what: In the plural: `ratings`.
        count: How many.
        adds: Whether these are more, rather than all so far.
        total: How many there will be; None where that is not known.
    """

    what: str
    count: int
    adds: bool
    total: int | None = None


Told = Line | Epoch | Amount


def say(text: str) -> None:
    """Tells a line."""
    _tell(Line(text), text)


def epoch(told: Epoch) -> None:
    """Tells of an epoch that is over."""
    _tell(told, told.text)


def advance(what: str, by: int, total: int | None = None) -> None:
    """Tells that `by` more of `what` are done; from any thread."""
    _count(Amount(what, by, True, total))


def reach(what: str, done: int, total: int | None = None) -> None:
    """Tells that `done` of `what` are done by now."""
    _count(Amount(what, done, False, total))


def _tell(told: Told, text: str) -> None:
    logger = logging.getLogger(LOGGER)
    if logger.handlers:
        logger.info(text, extra={ATTRIBUTE: told})
    else:
        print(text, flush=True)


def _count(amount: Amount) -> None:
    logger = logging.getLogger(LOGGER)
    if logger.handlers:
        logger.debug("%s: %d", amount.what, amount.count, extra={ATTRIBUTE: amount})
