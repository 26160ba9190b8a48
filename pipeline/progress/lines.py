"""A run as lines: for people and `grep`, or one JSON object each for machines."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import IO, Any

from pipeline.progress.events import (
    Advanced,
    EpochEnded,
    Event,
    Message,
    RunStarted,
    StageEnded,
    StageStarted,
    as_json,
)

_VERDICTS = {
    "finished": "done",
    "cached": "cached",
    "failed": "FAILED",
    "interrupted": "interrupted",
}


class _Lines:
    """Writes lines; goes silent where nobody reads them any more, as after `| head`."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream: IO[str] | None = stream

    def say(self, line: str) -> None:
        if self._stream is None or self._stream.closed:
            return
        try:
            print(line, file=self._stream, flush=True)
        except BrokenPipeError:
            self._stream = None

    def close(self) -> None:
        """Has nothing to do: each line is written at once."""

    def abandon(self, last_words: str) -> None:
        """Says the last words, unless the screen is closed."""
        self.say(last_words)


class PlainScreen(_Lines):
    """A line when a stage starts, one when it ends, and what the stages say."""

    def show(self, event: Event) -> None:
        """Prints the event, if it is worth a line."""
        if isinstance(event, StageStarted):
            self.say(f"[{event.number:>2}/{event.of}] {event.stage} ...")
        elif isinstance(event, StageEnded):
            self.say(f"        {event.stage}: {_VERDICTS[event.state]}, {event.seconds:.1f} s")
        elif isinstance(event, Message | EpochEnded):
            self.say(event.text)
        else:
            assert isinstance(event, RunStarted | Advanced)


class JsonScreen(_Lines):
    """One JSON object a line, with the time under `time`; amounts are left out."""

    def abandon(self, last_words: str) -> None:
        """Says nothing: last words are no JSON."""

    def show(self, event: Event) -> None:
        """Prints the event."""
        if not isinstance(event, Advanced):
            self.write(as_json(event))

    def write(self, tree: Mapping[str, Any]) -> None:
        """Prints an object that has its name under `event`."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        rest = {key: value for key, value in tree.items() if key != "event"}
        self.say(json.dumps({"event": tree["event"], "time": now, **rest}, ensure_ascii=False))
