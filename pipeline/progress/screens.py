"""Which way a run is shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO

from pipeline.progress.events import Screen
from pipeline.progress.lines import JsonScreen, PlainScreen

_CANNOT_MOVE = ("dumb", "unknown", "")


def is_terminal(stream: IO[str]) -> bool:
    """Returns whether a stream is a terminal that can be written to anywhere."""
    return stream.isatty() and os.environ.get("TERM", "") not in _CANNOT_MOVE


def screen_for(*, as_json: bool = False) -> Callable[[IO[str]], Screen]:
    """Returns what makes the screen of a run for a stream: live, plain lines, or JSON lines."""
    if as_json:
        return JsonScreen
    return _for_people


def _for_people(stream: IO[str]) -> Screen:
    if not is_terminal(stream):
        return PlainScreen(stream)
    # Late: Rich is of use on a terminal alone.
    from pipeline.progress.live import LiveScreen

    return LiveScreen(stream)
