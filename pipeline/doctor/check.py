"""What a check comes to."""

from __future__ import annotations

import dataclasses

OK = "ok"
WARNING = "warning"
PROBLEM = "problem"


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at, in a word or two.
        state: `OK`; `WARNING`, where something may fail or is slow; `PROBLEM`, where a run fails.
        found: What is there.
        way_out: What to do; empty if nothing is to be done.
    """

    name: str
    state: str
    found: str
    way_out: str = ""


def ok(name: str, found: str) -> Check:
    """Returns a check that found nothing wrong."""
    return Check(name, OK, found)


def warning(name: str, found: str, way_out: str) -> Check:
    """Returns a check that found what may fail or is slow."""
    return Check(name, WARNING, found, way_out)


def problem(name: str, found: str, way_out: str) -> Check:
    """Returns a check that found what a run would fail of."""
    return Check(name, PROBLEM, found, way_out)
