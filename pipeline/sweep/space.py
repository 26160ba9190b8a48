"""What a study's parameters mean: combinations, and the settings that each of them gives."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

from pipeline.config.parameters import Parameter, RangeConfig
from pipeline.config.root import Config, lay_over, validated
from pipeline.config.sweep import CASE, SweepConfig
from pipeline.errors import ConfigError

Values = Mapping[str, Any]
"""One combination: a value, or a section, by key path."""


def grid(parameters: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    """Lists every combination, in the file's order, the last key changing fastest.

    Args:
        parameters: Lists of values by key path.
    """
    lists = [parameter for parameter in parameters.values() if isinstance(parameter, tuple)]
    return [dict(zip(parameters, values, strict=True)) for values in itertools.product(*lists)]


def trial_config(base: Mapping[str, Any], values: Values, source: str) -> Config:
    """Lays one combination over the base, see `lay_over`.

    Args:
        base: The settings that all trials share.
        values: The combination.
        source: Who asks, for the message.

    Raises:
        ConfigError: The settings do not go together.
    """
    tree = copy.deepcopy(dict(base))
    lay_over(tree, values, source)
    return validated(Config, tree, source)


def check(study: SweepConfig, base: Mapping[str, Any]) -> None:
    """Checks what can be known before anything is trained.

    Every combination of a grid must be valid. Of another search, each case with the first values
    of parameters, and the low ends of ranges: further combinations are checked when they are drawn.

    Args:
        study: The study.
        base: The settings that all trials share.

    Raises:
        ConfigError: A combination cannot be used; names it.
    """
    if study.search == "grid":
        cells = grid(study.varied)
        if study.trials is not None and study.trials > len(cells):
            raise ConfigError(
                f"{study.name}: trials: {study.trials} are more than the {len(cells)} combinations "
                "of the grid; lower it or leave it out"
            )
    else:
        first = {
            key: parameter.low if isinstance(parameter, RangeConfig) else parameter[0]
            for key, parameter in study.varied.items()
        }
        cells = [{**first, CASE: name} for name in study.cases] or [first]
    for cell in cells:
        trial_config(base, study.settings_of(cell), f"{study.name}: {describe(cell)}")


def describe(values: Values) -> str:
    """Returns a combination as one line: `model.encoder=cnn layers=3, history=length=5`."""
    return ", ".join(f"{key}={show(value)}" for key, value in values.items())


def show(value: Any) -> str:
    """Returns a value for people: a section that names itself by name first."""
    if not isinstance(value, Mapping):
        return f"{value:.4g}" if isinstance(value, float) else str(value)
    rest = [f"{key}={show(inner)}" for key, inner in value.items() if key != "name"]
    return " ".join([str(value["name"]), *rest] if "name" in value else rest)


def definition(study: SweepConfig, base: Mapping[str, Any]) -> str:
    """Returns a name for all that decides which trials there are and what they report.

    How many of them are run, and for how long, is not part of it: both may change on the way. Nor
    are defaults and code: a study of days outlives them.

    Args:
        study: The study.
        base: The settings that all trials share.
    """
    free = {"base", "settings", "trials", "minutes_per_training", "latency_invocations"}
    if not study.cases:
        free.add("cases")
    parts = {
        "study": study.model_dump(mode="json", exclude=free),
        "base": validated(Config, base, study.name).model_dump(mode="json", exclude_defaults=True),
    }
    # The order of the parameters is the order of a grid.
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
