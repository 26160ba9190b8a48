"""The search itself: Optuna draws the trials and remembers them in sqlite.

A trial that was being trained when its process died is found by its state: nobody else writes
here, so what is still running when a search is opened is dead. It is queued once more.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from pipeline.config.parameters import Parameter, RangeConfig
from pipeline.config.sweep import SweepConfig
from pipeline.sweep.space import grid

MOST_ATTEMPTS = 2
KILLED = {"error": f"its process was killed, {MOST_ATTEMPTS} times"}
_PLACE, _ATTEMPT, _OUTCOME = "place", "attempt", "outcome"


@dataclasses.dataclass(frozen=True)
class Draw:
    """A trial to be run.

    Attributes:
        place: Its number among all combinations of the study, from 1; the same in each attempt.
        values: By key path, as in the study's file.
        number: Optuna's number of this attempt.
        attempt: From 1.
    """

    place: int
    values: Mapping[str, Any]
    number: int
    attempt: int


@dataclasses.dataclass(frozen=True)
class Finished:
    """A trial that is over.

    Attributes:
        place: See `Draw`.
        values: See `Draw`.
        outcome: What `finish` or `fail` was given; JSON.
        failed: Whether it failed.
    """

    place: int
    values: Mapping[str, Any]
    outcome: Mapping[str, Any]
    failed: bool


class Search:
    """The trials of one study. Its methods may be called from several threads."""

    def __init__(self, study: SweepConfig, definition: str, database: Path) -> None:
        """Opens or makes the study.

        Args:
            study: What is searched.
            definition: Name of all that decides which trials there are.
            database: The sqlite file; its folder is there.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._config = study
        self._distributions = {
            key: _distribution(parameter) for key, parameter in study.varied.items()
        }
        self._cells = grid(study.varied) if study.search == "grid" else []
        self._lock = threading.Lock()
        self._running: dict[int, optuna.Trial] = {}
        self._study = optuna.create_study(
            storage=f"sqlite:///{database}",
            study_name=f"{study.name}-{definition}",
            direction="maximize",
            load_if_exists=True,
            sampler=optuna.samplers.RandomSampler(seed=study.search_seed),
        )

    @property
    def total(self) -> int:
        """How many trials the study has when it is done."""
        return self._config.trials or len(self._cells)

    def recover(self) -> tuple[list[int], list[int]]:
        """Takes care of trials that were running when their process died.

        Returns:
            Places of those that are queued again, and of those that died for the second time and
            have failed.
        """
        again, failed = [], []
        newest = self._newest()
        for trial in self._trials(TrialState.RUNNING):
            place, attempt = trial.user_attrs[_PLACE], trial.user_attrs[_ATTEMPT]
            if newest[place].number > trial.number:
                # Queued already, by a process that died before it could close this one.
                self._study.tell(trial.number, state=TrialState.FAIL)
            elif attempt < MOST_ATTEMPTS:
                self._queue(place, trial, attempt + 1)
                again.append(place)
            else:
                self._study.tell(trial.number, state=TrialState.FAIL)
                failed.append(place)
        return again, failed

    def retry_failed(self) -> list[int]:
        """Queues all failed trials again, as if they had never run; returns their places."""
        failed = [t for t in self._newest().values() if t.state == TrialState.FAIL]
        for trial in failed:
            self._queue(trial.user_attrs[_PLACE], trial, 1)
        return sorted(trial.user_attrs[_PLACE] for trial in failed)

    def next(self) -> Draw | None:
        """Draws the next trial; None where there are no more.

        What is drawn depends on the study, the trial's place and, with tpe, on the results so far,
        but not on how often the search was interrupted.
        """
        with self._lock:
            if not self._trials(TrialState.WAITING):
                place = 1 + len(self._newest())
                if place > self.total:
                    return None
                fixed: dict[str, Any] = {}
                if self._config.search == "grid":
                    cell = self._cells[place - 1]
                    fixed = {key: encode(value) for key, value in cell.items()}
                self._study.enqueue_trial(fixed, user_attrs={_PLACE: place, _ATTEMPT: 1})
            waiting = self._trials(TrialState.WAITING)[0]
            self._study.sampler = self._sampler(waiting.user_attrs[_PLACE])
            trial = self._study.ask(self._distributions)
            self._running[trial.number] = trial
            attributes = trial.user_attrs
            return Draw(
                attributes[_PLACE], self._decode(trial.params), trial.number, attributes[_ATTEMPT]
            )

    def finish(self, draw: Draw, value: float, outcome: Mapping[str, Any]) -> None:
        """Records a trial that went well.

        Args:
            draw: The trial.
            value: The objective.
            outcome: What to remember; JSON.
        """
        with self._lock:
            self._running.pop(draw.number).set_user_attr(_OUTCOME, dict(outcome))
            self._study.tell(draw.number, value)

    def fail(self, draw: Draw, outcome: Mapping[str, Any]) -> None:
        """Records a trial that failed; it is not run again unless it is asked for.

        Args:
            draw: The trial.
            outcome: What to remember; JSON.
        """
        with self._lock:
            self._running.pop(draw.number).set_user_attr(_OUTCOME, dict(outcome))
            self._study.tell(draw.number, state=TrialState.FAIL)

    def interrupt(self, draw: Draw) -> None:
        """Puts a trial back that was stopped by the user; that counts as no attempt."""
        with self._lock:
            self._running.pop(draw.number)
            self._queue(draw.place, self._newest()[draw.place], draw.attempt)

    def finished(self) -> list[Finished]:
        """Returns all trials that are over, by place."""
        return [
            Finished(
                place,
                self._decode(trial.params),
                trial.user_attrs.get(_OUTCOME, KILLED),
                trial.state == TrialState.FAIL,
            )
            for place, trial in sorted(self._newest().items())
            if trial.state.is_finished()
        ]

    def _newest(self) -> dict[int, FrozenTrial]:
        """Returns the last attempt at each place."""
        return {trial.user_attrs[_PLACE]: trial for trial in self._trials()}

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states or None)

    def _sampler(self, place: int) -> optuna.samplers.BaseSampler:
        # A sampler of its own for each place: what one draws must not depend on how many draws
        # this process has made before.
        state = np.random.SeedSequence([self._config.search_seed, place]).generate_state(1)
        seed = int(state[0])
        if self._config.search == "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        return optuna.samplers.RandomSampler(seed=seed)

    def _queue(self, place: int, trial: FrozenTrial, attempt: int) -> None:
        # A crash after the first line is found by the next `recover`.
        fixed = trial.params or trial.system_attrs.get("fixed_params", {})
        self._study.enqueue_trial(fixed, user_attrs={_PLACE: place, _ATTEMPT: attempt})
        if not trial.state.is_finished():
            self._study.tell(trial.number, state=TrialState.FAIL)

    def _decode(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: drawn[key]
            if isinstance(parameter, RangeConfig)
            else next(value for value in parameter if encode(value) == drawn[key])
            for key, parameter in self._config.varied.items()
            if key in drawn
        }


def encode(value: Any) -> str:
    """Returns a listed value as Optuna keeps it: JSON, as it knows no sections."""
    return json.dumps(value, sort_keys=True)


def _distribution(parameter: Parameter) -> BaseDistribution:
    if not isinstance(parameter, RangeConfig):
        return CategoricalDistribution([encode(value) for value in parameter])
    if parameter.whole:
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
