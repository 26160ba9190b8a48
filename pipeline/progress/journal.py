"""Keeps where a run is, and turns what is told into events."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence

from pipeline.progress import report
from pipeline.progress.events import (
    Advanced,
    EpochEnded,
    Event,
    Message,
    RunStarted,
    Screen,
    StageEnded,
    StageStarted,
)


@dataclasses.dataclass(frozen=True)
class Reached:
    """Where a run is.

    Attributes:
        stages: How many the run has; 0 while that is not known.
        over: Stages that finished or came from the cache.
        current: The stage that runs.
        epoch: The last epoch that ended in it, 0 if none did.
        whose: Which of several models that epoch was of.
    """

    stages: int = 0
    over: tuple[str, ...] = ()
    current: str | None = None
    epoch: int = 0
    whose: str = ""


class Journal:
    """What a run has told so far; may be told from any thread."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        """Opens a journal.

        Args:
            screen: Is shown each event.
            clock: Seconds.
        """
        self._screen = screen
        self._clock = clock
        self._lock = threading.RLock()
        self._stages: Sequence[str] = ()
        self._started = clock()
        self._cached = False
        self._amounts: dict[str, int] = {}
        self.reached = Reached()

    def begin(self, run_id: str, dataset: str, stages: Sequence[str], log: str) -> None:
        """Announces the stages."""
        with self._lock:
            self._stages = list(stages)
            self.reached = Reached(len(stages))
            self._show(RunStarted(run_id, dataset, tuple(stages), log))

    def start(self, stage: str) -> None:
        """Opens a stage."""
        with self._lock:
            self._started, self._cached, self._amounts = self._clock(), False, {}
            self.reached = dataclasses.replace(self.reached, current=stage, epoch=0, whose="")
            place = self._stages.index(stage) + 1 if stage in self._stages else 0
            self._show(StageStarted(stage, place, len(self._stages)))

    def take_from_cache(self) -> None:
        """Notes that the stage under way comes from the cache."""
        self._cached = True

    def finish(self) -> None:
        """Closes the stage under way."""
        self._end("cached" if self._cached else "finished")

    def fail(self) -> None:
        """Closes the stage under way, if there is one, as one that failed."""
        self._end("failed")

    def say(self, text: str) -> None:
        """Tells a line of the run's own."""
        self.told(report.Line(text))

    def told(self, told: report.Told) -> None:
        """Takes what a step told."""
        with self._lock:
            stage = self.reached.current
            if isinstance(told, report.Line):
                self._show(Message(told.text, stage))
            elif isinstance(told, report.Epoch):
                self.reached = dataclasses.replace(
                    self.reached, epoch=told.number, whose=told.whose
                )
                self._amounts = {}
                self._show(
                    EpochEnded(
                        stage,
                        told.text,
                        told.number,
                        told.most,
                        told.figures,
                        told.seconds_left,
                        told.whose,
                    )
                )
            else:
                before = self._amounts.get(told.what, 0) if told.adds else 0
                self._amounts[told.what] = before + told.count
                self._show(Advanced(stage, told.what, before + told.count, told.total))

    def interrupt(self) -> None:
        """Closes the stage under way, if there is one, as one that was interrupted."""
        self._end("interrupted")

    def close(self) -> None:
        """Closes the screen."""
        with self._lock:
            self._screen.close()

    def abandon(self, last_words: str) -> None:
        """Gives the screen back at once, without waiting for whoever shows something."""
        self._screen.abandon(last_words)

    def _end(self, state: str) -> None:
        with self._lock:
            stage = self.reached.current
            if stage is None:
                return
            over = (*self.reached.over, *([stage] if state in ("finished", "cached") else []))
            self.reached = dataclasses.replace(self.reached, over=over, current=None)
            self._show(StageEnded(stage, state, self._clock() - self._started))

    def _show(self, event: Event) -> None:
        self._screen.show(event)
