"""A study: which settings are tried, how they are chosen, and what they are judged by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.base import Section
from pipeline.config.budgets import budget_bytes
from pipeline.config.delivery import VariantName
from pipeline.config.parameters import Parameter, check_parameters
from pipeline.config.root import CONFIGS_DIR, apply_override, read_yaml, set_key, validated
from pipeline.errors import ConfigError

CASE = "case"
"""What stands for the key path of a combination's case."""

Objective = Literal["recall_at_10", "ndcg_at_10"]


class SweepConfig(Section):
    """All settings of a study."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]*$", description="of its folder and of the MLflow experiment"
    )
    base: str | dict[str, Any] = Field(
        description="settings that all trials share: a file, or one of pipeline/configs, or inline"
    )
    settings: dict[str, Any] = Field({}, description="key paths and values laid over the base")
    search: Literal["grid", "random", "tpe"] = Field(
        "grid", description="grid: every combination, in the file's order, the last key fastest"
    )
    trials: int | None = Field(None, ge=1, description="how many; null: all of the grid")
    search_seed: int = Field(0, ge=0, description="random, tpe: of what is drawn")
    cases: dict[str, dict[str, Any]] = Field(
        {},
        description=(
            "by a name for the tables: key paths and values or sections that go together; each "
            "case is tried with every combination of the parameters"
        ),
    )
    parameters: dict[str, Parameter] = Field(
        {}, description="by key path: a list of values or sections, or a range"
    )
    seeds: tuple[int, ...] = Field((42,), min_length=1, description="each trains every trial once")
    objective: Objective = Field("recall_at_10", description="on eval, the mean over the seeds")
    report_test: bool = Field(False, description="report figures on test too; never chosen by")
    variants: tuple[VariantName, ...] = Field(
        ("int8",), min_length=1, description="files that are converted, judged and timed"
    )
    budgets: tuple[str, ...] = Field(
        (),
        description=(
            "sizes of files, such as 64KB, that the best of each kind of item table is told for; "
            "files of elastic tables are cut for them"
        ),
    )
    minutes_per_training: float | None = Field(
        None, gt=0, description="a training that takes longer is ended, its trial has failed"
    )
    latency_invocations: int = Field(1000, ge=1, description="recommendations that are timed")

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds) or min(seeds) < 0:
            raise ValueError(f"seeds must differ and not be negative, got {list(seeds)}")
        return seeds

    @field_validator("budgets")
    @classmethod
    def _are_sizes(cls, budgets: tuple[str, ...]) -> tuple[str, ...]:
        for budget in budgets:
            budget_bytes(budget)
        return budgets

    @field_validator("variants")
    @classmethod
    def _named_once(cls, variants: tuple[VariantName, ...]) -> tuple[VariantName, ...]:
        if len(set(variants)) < len(variants):
            raise ValueError(f"variants must differ, got {list(variants)}")
        return variants

    @model_validator(mode="after")
    def _can_be_searched(self) -> SweepConfig:
        keys = [key for case in self.cases.values() for key in case]
        if "seed" in [*self.parameters, *keys]:
            raise ValueError("give the seeds as `seeds`, neither as a parameter nor in a case")
        if CASE in self.parameters:
            raise ValueError(f"parameters: {CASE!r} is no setting; give cases as `cases`")
        if not self.varied:
            raise ValueError("parameters: name some, or `cases`: nothing is varied")
        check_parameters(self.parameters, ranges=self.search != "grid")
        if self.search != "grid" and self.trials is None:
            raise ValueError(f"trials: {self.search} has no end of its own, say how many")
        return self

    @property
    def varied(self) -> dict[str, Parameter]:
        """All that differs between trials: the names of the cases, below `case`, and parameters."""
        return {**({CASE: tuple(self.cases)} if self.cases else {}), **self.parameters}

    def settings_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings that a combination means, by key path; parameters go before cases.

        Args:
            values: One of each of `varied`, or of some of them.
        """
        own = {key: value for key, value in values.items() if key != CASE}
        return {**(self.cases[values[CASE]] if CASE in values else {}), **own}


def load_sweep(path: Path) -> SweepConfig:
    """Reads a study's file.

    Raises:
        ConfigError: It cannot be used; names file, key, value and what is allowed.
    """
    return validated(SweepConfig, read_yaml(path), str(path))


def base_tree(study: SweepConfig, folder: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the settings that all trials of a study share, not yet validated.

    Args:
        study: The study.
        folder: Where its file is: a base may be named relative to it.
        overrides: `a.b=value` strings that go before everything in the study but its parameters.

    Raises:
        ConfigError: There is no such file, or a key path leads through a value.
    """
    if isinstance(study.base, str):
        candidates = (folder / study.base, CONFIGS_DIR / study.base)
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            known = ", ".join(sorted(path.name for path in CONFIGS_DIR.glob("*.yaml")))
            raise ConfigError(
                f"{study.name}: base: {study.base!r} is neither a file beside the study nor one of "
                f"pipeline/configs ({known})"
            )
        tree = read_yaml(found)
    else:
        tree = json.loads(json.dumps(study.base))
    for key, value in study.settings.items():
        set_key(tree, key.split("."), value, f"{study.name}: settings")
    for override in overrides:
        apply_override(tree, override)
    return tree
