"""Where measured figures are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.text_file import write_text

RESULTS_DIR = Path(__file__).resolve().parent / "results"


def write_result(name: str, result: Any) -> Path:
    """Writes `results/<name>.json`, whole or not at all, and returns its path."""
    target = RESULTS_DIR / f"{name}.json"
    write_text(target, json.dumps(result, indent=2) + "\n")
    return target


def read_results(pattern: str) -> dict[str, Any]:
    """Returns what `write_result` wrote, by name, for the names that match a glob pattern."""
    return {
        source.stem: json.loads(source.read_text(encoding="utf-8"))
        for source in sorted(RESULTS_DIR.glob(f"{pattern}.json"))
    }
