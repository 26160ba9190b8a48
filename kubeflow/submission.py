"""A compiled pipeline and the values of one run of it; imports no client of any backend."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from pipeline.errors import ConfigError, PocketRecError

_MEANT = {"NUMBER_INTEGER": "a whole number", "NUMBER_DOUBLE": "a number", "BOOLEAN": "true, false"}


_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,-]+")


class SubmissionError(PocketRecError):
    """A backend that cannot be reached, or that refuses a pipeline."""


@dataclasses.dataclass(frozen=True)
class Submitted:
    """A run, or a schedule of runs, that a backend has taken.

    Attributes:
        kind: `run` or `schedule`.
        name: Its name or number there.
        link: Where to watch it.
    """

    kind: Literal["run", "schedule"]
    name: str
    link: str


@dataclasses.dataclass(frozen=True)
class Submission:
    """What is to be run.

    Attributes:
        path: The compiled file.
        spec: The PipelineSpec in it.
        parameters: The runtime parameters that the run sets.
    """

    path: Path
    spec: Mapping[str, Any]
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.spec["pipelineInfo"]["name"])


def read_submission(path: Path, values: Sequence[str]) -> Submission:
    """Reads a compiled pipeline, and checks the values of a run against it.

    Args:
        path: What `pocketrec compile` wrote.
        values: `NAME=VALUE` strings.

    Raises:
        ConfigError: The file is no compiled pipeline, or a value is not one of its parameters'.
    """
    tree = _first_document(path)
    spec = tree.get("pipelineSpec", tree)
    if "pipelineInfo" not in spec or "root" not in spec:
        raise ConfigError(f"{path}: not a compiled pipeline; `pocketrec compile` writes one")
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    return Submission(path, spec, dict(_parsed(value, declared, path) for value in values))


def _first_document(path: Path) -> dict[str, Any]:
    """Reads a compiled file, of which a second document is Kubernetes' part.

    Raises:
        ConfigError: It cannot be read, or holds something else.
    """
    try:
        # JSON is YAML too.
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    first = documents[0] if documents else None
    if not isinstance(first, dict):
        raise ConfigError(f"{path}: not a compiled pipeline; `pocketrec compile` writes one")
    return first


def check_cron(cron: str) -> str:
    """Checks that a schedule looks like cron's: minute, hour, day, month, day of the week.

    Returns:
        The five fields, single spaces between them.

    Raises:
        ConfigError: It does not.
    """
    fields = cron.split()
    if len(fields) != 5 or not all(_CRON_FIELD.fullmatch(field) for field in fields):
        raise ConfigError(
            f"--schedule {cron!r}: must be cron's five fields, minute, hour, day of the month, "
            "month and day of the week, in UTC: '0 3 * * 1' is Mondays at three"
        )
    return " ".join(fields)


def _parsed(text: str, declared: Mapping[str, Any], path: Path) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--parameter {text!r}: must look like NAME=VALUE")
    if name not in declared:
        known = ", ".join(sorted(declared)) or "none"
        raise ConfigError(f"--parameter {name}: {path} has no such parameter, there are: {known}")
    kind = declared[name]["parameterType"]
    if kind == "STRING":
        return name, value
    try:
        number = json.loads(value)
    except json.JSONDecodeError:
        number = None
    fits = {
        "NUMBER_INTEGER": isinstance(number, int) and not isinstance(number, bool),
        "NUMBER_DOUBLE": isinstance(number, int | float) and not isinstance(number, bool),
        "BOOLEAN": isinstance(number, bool),
    }
    if not fits.get(kind, False):
        raise ConfigError(f"--parameter {name}={value}: must be {_MEANT.get(kind, kind)}")
    return name, number
