"""Runs `pocketrec` as a user does: another process, the console script's entry point."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SMALL = (
    "sample.users=300",
    "sample.movies=400",
    "sample.ratings=15000",
    "model.dim=32",
    "training.max_epochs=6",
    "training.optimizer.learning_rate=0.003",
    "conversion.parity_windows=200",
    "gate.min_margin_over_popularity=0.01",
)
"""Settings of a pipeline that learns enough to be blessed in under two minutes."""

PROJECT = Path(__file__).resolve().parents[2]


def command_line(*arguments: str) -> list[str]:
    """Returns the words that start `pocketrec`."""
    return [sys.executable, "-m", "pipeline.cli.main", *arguments]


def pocketrec(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end and checks its exit status."""
    done = subprocess.run(
        command_line(*arguments), cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def as_json(*arguments: str) -> Any:
    """Runs a command with `--json` and returns what it printed."""
    return json.loads(pocketrec(*arguments, "--json").stdout)


def run_arguments(workspace: Path, *overrides: str, settings: Sequence[str] = SMALL) -> list[str]:
    """Returns the words of `run` on small generated data."""
    words = ["run", "--dataset", "sample", "--workspace", str(workspace)]
    for override in (*settings, *overrides):
        words += ["--set", override]
    return words
