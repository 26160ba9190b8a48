"""The command line that this process was started with, to be given again."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.paths import from_here


def program() -> str:
    """Returns how `pocketrec` is started from the current folder: as short as it works."""
    started = Path(sys.argv[0])
    if started.name != "pocketrec":
        return f"{_short(Path(sys.executable))} -m pipeline.cli.main"
    found = shutil.which("pocketrec")
    if found is not None and Path(found).resolve() == started.resolve():
        return "pocketrec"
    return _short(started)


def command(arguments: Sequence[str]) -> str:
    """Returns a line for a shell.

    Args:
        arguments: Behind the program's name.
    """
    return f"{program()} {shlex.join(arguments)}".rstrip()


def _short(path: Path) -> str:
    return shlex.quote(str(from_here(path)))
