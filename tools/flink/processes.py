"""Processes that outlive the command that starts them, known by files that name them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from pipeline.text_file import write_text

STOP_SECONDS = 15.0


@dataclasses.dataclass(frozen=True)
class Command:
    """What to start.

    Attributes:
        name: Of the process, its file and its log.
        words: Program and arguments.
        environment: On top of this process's own.
    """

    name: str
    words: Sequence[str]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Processes:
    """The processes of one cluster."""

    def __init__(self, state: Path) -> None:
        """Opens the folder; nothing is started.

        Args:
            state: The cluster's folder; holds `processes/NAME.json` and `logs/NAME.log`.
        """
        self._records = state / "processes"
        self.logs = state / "logs"

    def start(self, command: Command) -> psutil.Process:
        """Starts a process in a session of its own: a Ctrl-C of this one does not reach it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log(command.name).open("wb") as log:
            child = subprocess.Popen(
                command.words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **command.environment},
                start_new_session=True,
            )
        process = psutil.Process(child.pid)
        # A process id is given again some time; with the time of its start it is not.
        record = {"pid": child.pid, "created": process.create_time()}
        write_text(self._records / f"{command.name}.json", json.dumps(record))
        return process

    def running(self) -> dict[str, psutil.Process]:
        """Returns the processes that were started and run on, by name."""
        found = {}
        for file in sorted(self._records.glob("*.json")):
            process = _find(json.loads(file.read_text(encoding="utf-8")))
            if process is not None:
                found[file.stem] = process
        return found

    def stop(self, names: Sequence[str] | None = None) -> list[str]:
        """Ends processes and all that they started.

        Args:
            names: Which; None: all.

        Returns:
            Those that ran.
        """
        running = {
            name: process
            for name, process in self.running().items()
            if names is None or name in names
        }
        members: list[psutil.Process] = []
        for process in running.values():
            # Now: children of a process that ended are nobody's.
            with contextlib.suppress(psutil.NoSuchProcess):
                members += [*process.children(recursive=True), process]
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.terminate()
        for member in psutil.wait_procs(members, timeout=STOP_SECONDS)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        for file in self._records.glob("*.json"):
            if names is None or file.stem in names:
                file.unlink()
        return list(running)

    def log(self, name: str) -> Path:
        """Returns the file that holds what a process says."""
        return self.logs / f"{name}.log"


def _find(record: Mapping[str, float]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(record["pid"]))
        same = abs(process.create_time() - record["created"]) < 1
        alive = same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if alive else None
