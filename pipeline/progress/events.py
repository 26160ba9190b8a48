"""What happens in a run, for whoever shows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True)
class RunStarted:
    """All stages are known, the first one is about to start."""

    run_id: str
    dataset: str
    stages: Sequence[str]
    log: str


@dataclasses.dataclass(frozen=True)
class StageStarted:
    """A stage runs.

    Attributes:
        stage: The node's id in the pipeline.
        number: Its place, from 1; 0 for one that was not announced.
        of: How many stages there are.
    """

    stage: str
    number: int
    of: int


@dataclasses.dataclass(frozen=True)
class StageEnded:
    """A stage is over.

    Attributes:
        stage: The node's id in the pipeline.
        state: `finished`, `cached`, `failed` or `interrupted`.
        seconds: Since it started.
    """

    stage: str
    state: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Message:
    """A line for people; `stage` is None between stages."""

    text: str
    stage: str | None


@dataclasses.dataclass(frozen=True)
class EpochEnded:
    """Training has got on by an epoch; see `report.Epoch`."""

    stage: str | None
    text: str
    epoch: int
    most_epochs: int
    figures: Mapping[str, float]
    seconds_left: float
    whose: str = ""


@dataclasses.dataclass(frozen=True)
class Advanced:
    """So many of something are done in a stage; for those alone who show it at once."""

    stage: str | None
    what: str
    done: int
    total: int | None


Event = RunStarted | StageStarted | StageEnded | Message | EpochEnded | Advanced


class Screen(Protocol):
    """Shows events; is never called from two threads at one time."""

    def show(self, event: Event) -> None:
        """Shows one event."""

    def close(self) -> None:
        """Leaves the last state as it is to stay; nothing is shown after it."""

    def abandon(self, last_words: str) -> None:
        """Gives the screen back at once, from any thread: the process is about to end.

        Does nothing once the screen is closed.
        """


def as_json(event: Event) -> dict[str, Any]:
    """Returns an event as one flat object, its name under `event`."""
    tree = dataclasses.asdict(event)
    if isinstance(event, StageEnded):
        return {"event": f"stage_{tree.pop('state')}", **tree}
    if isinstance(event, EpochEnded):
        figures = tree.pop("figures")
        tree.pop("text")
        return {"event": "epoch", **tree, **{k: v for k, v in figures.items() if k != "epoch"}}
    names = {RunStarted: "run_started", StageStarted: "stage_started", Message: "message"}
    return {"event": names.get(type(event), "advanced"), **tree}
