"""Where measured figures are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS_DIR = Path(__file__).resolve().parent / "results"


def write_result(name: str, result: Any) -> Path:
    """Writes `results/<name>.json`, whole or not at all, and returns its path."""
    RESULTS_DIR.mkdir(exist_ok=True)
    target = RESULTS_DIR / f"{name}.json"
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    partial.replace(target)
    return target


def read_results(pattern: str) -> dict[str, Any]:
    """Returns what `write_result` wrote, by name, for the names that match a glob pattern."""
    return {
        source.stem: json.loads(source.read_text(encoding="utf-8"))
        for source in sorted(RESULTS_DIR.glob(f"{pattern}.json"))
    }
