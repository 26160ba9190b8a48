"""A run as a list of stages: what is to be seen of it at this moment."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from pipeline.progress.events import (
    Advanced,
    EpochEnded,
    Event,
    Message,
    RunStarted,
    StageEnded,
    StageStarted,
)

WAITING = "waiting"
RUNNING = "running"


@dataclasses.dataclass
class Row:
    """One stage.

    Attributes:
        stage: The node's id.
        state: `WAITING`, `RUNNING`, or that of `StageEnded`.
        started: On the board's clock.
        seconds: Of a stage that is over.
        figures: What it has come to, in a few words.
    """

    stage: str
    state: str = WAITING
    started: float = 0.0
    seconds: float = 0.0
    figures: str = ""


@dataclasses.dataclass(frozen=True)
class Share:
    """How much of a stage, or of an epoch, is done.

    Attributes:
        done: Of the total.
        total: At least 1.
        left: What to say of the time that is left; may be empty.
    """

    done: float
    total: float
    left: str = ""


class Board:
    """Folds events into rows."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Opens an empty board.

        Args:
            clock: Seconds.
        """
        self.clock = clock
        self.began = clock()
        self.title = ""
        self.log = ""
        self.message = ""
        self.rows: list[Row] = []
        self.share: Share | None = None
        self._epoch: EpochEnded | None = None
        self._epoch_ended = self.began

    @property
    def current(self) -> Row | None:
        """The stage that runs."""
        return next((row for row in self.rows if row.state == RUNNING), None)

    def take(self, event: Event) -> None:
        """Takes an event in."""
        if isinstance(event, RunStarted):
            self.title, self.log = f"{event.dataset}  run {event.run_id}", event.log
            self.rows = [Row(stage) for stage in event.stages]
        elif isinstance(event, StageStarted):
            self._start(event.stage)
        elif isinstance(event, StageEnded):
            row = self._row(event.stage)
            row.state, row.seconds = event.state, event.seconds
            self.share, self.message = None, ""
        elif isinstance(event, Message):
            self.message = event.text
        elif isinstance(event, EpochEnded):
            self._end_epoch(event)
        else:
            self._advance(event)

    def _row(self, stage: str) -> Row:
        known = next((row for row in self.rows if row.stage == stage), None)
        if known is None:
            known = Row(stage)
            self.rows.append(known)
        return known

    def _start(self, stage: str) -> None:
        row = self._row(stage)
        row.state, row.started, row.figures = RUNNING, self.clock(), ""
        self.share, self.message, self._epoch = None, "", None

    def _end_epoch(self, event: EpochEnded) -> None:
        self._epoch, self._epoch_ended = event, self.clock()
        row = self.current
        if row is None:
            return
        words = [f"{event.whose}epoch {event.epoch}/{event.most_epochs}"]
        words.append(f"loss {event.figures['loss']:.4f}")
        if "recall_at_10" in event.figures:
            words.append(f"recall@10 {event.figures['recall_at_10']:.4f}")
        row.figures = "  ".join(words)
        self.share = Share(event.epoch, event.most_epochs, _left(event.seconds_left))

    def _advance(self, event: Advanced) -> None:
        row = self.current
        if row is None:
            return
        left = ""
        if self._epoch is None:
            of = f" of {event.total:,}" if event.total else ""
            row.figures = f"{event.done:,}{of} {event.what}"
        else:
            left = _left(self._epoch.seconds_left - (self.clock() - self._epoch_ended))
        self.share = Share(event.done, event.total, left) if event.total else None


def _left(seconds: float) -> str:
    return f"at most {clock_time(max(0.0, seconds))} left"


def clock_time(seconds: float) -> str:
    """Returns minutes and seconds, with hours where there are any: `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
