"""Renders `docs/benchmarks.md` from the JSON in `results/`.

.venv/bin/python -m benchmarks.render
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

TARGET = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
HEADER = """\
# Benchmarks

Rendered by `.venv/bin/python -m benchmarks.render` from `benchmarks/results/*.json`; do not edit.
Two virtual cores, shared with other work, unless a table says otherwise: compare figures within a
table.
"""


def pipeline_runs(results: Iterable[tuple[str, Any]]) -> str:
    """Returns one table for each measured run: its steps, their seconds, and the whole."""
    parts = []
    for name, result in results:
        rows = [[step["step"], step["state"], step["seconds"]] for step in result["steps"]]
        rows.append(["whole command", f"exit {result['exit_status']}", result["seconds"]])
        parts.append(
            f"### {name}\n\n"
            f"`pocketrec run {' '.join(result['arguments'])}`; peak resident memory of the process "
            f"tree {result['peak_resident_gib']} GiB.\n\n"
            + tabulate(rows, ["step", "state", "seconds"], tablefmt="github")
        )
    return "\n\n".join(parts)


def records(rows: Sequence[dict[str, Any]]) -> str:
    """Returns a table of records that share their keys, in the first one's order."""
    keys = list(rows[0])
    return tabulate([[row[key] for key in keys] for row in rows], keys, tablefmt="github")
