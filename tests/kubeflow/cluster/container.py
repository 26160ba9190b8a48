"""Runs a step's container as a process of its own, which shares the pipeline's root and no more."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PLACEHOLDER = "{{$}}"
"""Where a container's arguments want the ExecutorInput."""


class FailedError(Exception):
    """A container ended with another status than 0."""


@dataclasses.dataclass(frozen=True)
class Image:
    """What stands for the container image.

    Attributes:
        home: The folder of the checkout inside the image.
        checkout: The folder that it stands for here; only read.
        environment: What the cluster gives all containers.
        secrets: Values by key, by the name of the secret.
    """

    home: str
    checkout: Path
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Kill:
    """Kills a container once its log says something, as a node that is lost would."""

    task: str
    once_it_says: str


def run(
    spec: Mapping[str, Any],
    executor_input: Mapping[str, Any],
    *,
    image: Image,
    pod: Path,
    secrets: Mapping[str, str],
    kill: Kill | None = None,
) -> None:
    """Runs a container to its end.

    Args:
        spec: Command and arguments, as the pipeline spec has them.
        executor_input: What is put in for the placeholder.
        image: Where it runs.
        pod: A new folder: the container's own disk. Its log is `pod/log`.
        secrets: Variables from secrets.
        kill: Kill it on the way.

    Raises:
        FailedError: It failed, or was killed; with the end of its log.
    """
    (pod / "work" / "checkpoints").mkdir(parents=True)
    (pod / "tmp").mkdir()
    words = [
        _inside(word.replace(PLACEHOLDER, json.dumps(executor_input)), image, pod)
        for word in [*spec["command"], *spec.get("args", [])]
    ]
    python = Path(sys.executable).parent
    environment = {
        "PATH": f"{python}:/usr/bin:/bin",
        "HOME": str(pod / "work"),
        "TMPDIR": str(pod / "tmp"),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **image.environment,
        **{entry["name"]: entry["value"] for entry in spec.get("env", [])},
        **secrets,
    }
    with (pod / "log").open("wb") as log:
        process = subprocess.Popen(
            words,
            cwd=pod / "work",
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if kill is not None:
        _kill_when(process, pod / "log", kill.once_it_says)
    status = process.wait()
    if status != 0:
        raise FailedError(f"{words[:4]}: exit status {status}\n{tail(pod / 'log')}")


def tail(log: Path, characters: int = 4000) -> str:
    """Returns the end of a log."""
    return log.read_text(errors="replace")[-characters:]


def _inside(word: str, image: Image, pod: Path) -> str:
    """Puts the folders of this machine in for those of the image."""
    own = word.replace(f"{image.home}/checkpoints", str(pod / "work" / "checkpoints"))
    return own.replace(image.home, str(image.checkout))


def _kill_when(process: subprocess.Popen[bytes], log: Path, text: str) -> None:
    while process.poll() is None:
        if text in log.read_text(errors="replace"):
            os.killpg(process.pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def reported(file: str) -> dict[str, Any]:
    """Reads what an executor reports; one that reports nothing leaves no file."""
    path = Path(file)
    tree: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return tree


def words_of(spec: Mapping[str, Any]) -> Sequence[str]:
    """Command and arguments, which are part of what a cache goes by."""
    return [*spec["command"], *spec.get("args", [])]
