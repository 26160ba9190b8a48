"""The installed packages, against what the project pins."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.doctor.check import Check, ok, problem, warning

PROJECT = Path(__file__).resolve().parents[2]
LOCK = "requirements.lock"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^\s;\\]+)")
_MOST_NAMED = 4
_WAY_OUT = "`make setup` installs what the lock says"


def checks() -> list[Check]:
    """Looks at this environment."""
    try:
        requirements = importlib.metadata.requires("pocketrec") or []
    except importlib.metadata.PackageNotFoundError:
        return [problem("packages", "pocketrec itself is not installed", _WAY_OUT)]
    needed = pins(line for line in requirements if "extra ==" not in line)
    lock = PROJECT / LOCK
    locked = pins(lock.read_text(encoding="utf-8").splitlines()) if lock.is_file() else {}
    return [versions(installed(sys.path), needed, locked), litert()]


def pins(lines: Iterable[str]) -> dict[str, str]:
    """Returns versions by normalised name of all lines that pin one.

    Args:
        lines: Of a lock, or requirements as a distribution's metadata have them.
    """
    found = {}
    for line in lines:
        match = _PIN.match(line)
        if match is not None:
            found[_normalised(match["name"])] = match["version"]
    return found


def installed(path: Sequence[str]) -> dict[str, str]:
    """Returns versions by normalised name, from the names of the folders that describe them.

    To read what is in these folders would take longer than all other checks together.
    """
    found: dict[str, str] = {}
    for entry in path:
        for folder in Path(entry).glob("*.dist-info"):
            name, _, version = folder.name.removesuffix(".dist-info").partition("-")
            # The first one on the path is what is imported.
            found.setdefault(_normalised(name), version)
    return found


def versions(
    present: Mapping[str, str], needed: Mapping[str, str], locked: Mapping[str, str]
) -> Check:
    """Judges what is installed.

    Args:
        present: Versions by name.
        needed: What the pipeline imports, as the project pins it.
        locked: All packages with those of development; empty outside of a checkout.
    """
    wanted = {**needed, **locked}
    missing = [name for name in wanted if name not in present]
    other = [name for name in wanted if name in present and present[name] != wanted[name]]
    told = [f"{name} is missing" for name in missing]
    told += [f"{name} is {present[name]}, not {wanted[name]}" for name in other]
    if not told:
        against = LOCK if locked else "the project's pins"
        return ok("packages", f"{len(wanted)} as in {against}")
    rest = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
    found = f"{'; '.join(told[:_MOST_NAMED])}{rest}"
    if any(name in needed for name in missing):
        return problem("packages", found, _WAY_OUT)
    return warning("packages", found, f"{_WAY_OUT}; what was tested are its versions")


def litert() -> Check:
    """Loads the device's interpreter, which is native code."""
    try:
        # Late: a third of a second.
        from ai_edge_litert.interpreter import Interpreter
    except (ImportError, OSError) as error:
        return problem("LiteRT", f"cannot be loaded ({error})", _WAY_OUT)
    version = importlib.metadata.version("ai-edge-litert")
    return ok("LiteRT", f"{Interpreter.__name__} of {version} loads")


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
