"""Programs that parts of the project use: a browser, Node.js, Java."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.doctor.check import Check, ok, warning
from pipeline.doctor.packages import PROJECT

_SECONDS = 5


def checks() -> list[Check]:
    """Looks for the programs; a run needs none of them."""
    return [browser(PROJECT / "tools" / "chromium.py"), node(), java(shutil.which("java"))]


def browser(finder: Path) -> Check:
    """Judges whether a Chromium is there, as the tests and pictures look for it.

    Args:
        finder: The checkout's module for that.
    """
    name = "Chromium"
    spec = importlib.util.spec_from_file_location("chromium_finder", finder)
    if not finder.is_file() or spec is None or spec.loader is None:
        return ok(name, "needed in a checkout alone")
    chromium = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chromium)
    try:
        return ok(name, chromium.executable())
    except chromium.NoChromiumError as error:
        return warning(name, str(error), "only tests of what runs in a browser, and pictures")


def node() -> Check:
    """Judges whether Node.js is there, which builds what runs in a browser."""
    beside = Path(sys.executable).parent / "node"
    found = str(beside) if beside.is_file() else shutil.which("node")
    if found is None:
        return warning("Node.js", "not found", "only to build the demo; `make setup` brings it")
    return ok("Node.js", _version([found, "--version"]))


def java(found: str | None) -> Check:
    """Tells of Java, which a local Flink cluster runs on."""
    if found is None:
        return ok("Java", "not found; only the tests with a local Flink cluster use it")
    return ok("Java", found)


def _version(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown version"
    return done.stdout.strip() or "unknown version"
