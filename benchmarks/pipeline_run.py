"""Measures one whole run: wall time and cached steps, peak memory, time and result of each step.

    .venv/bin/python -m benchmarks.pipeline_run --workspace /tmp/ml-1m -- --dataset ml-1m

The workspace should be new for a cold run. Peak memory is the sum of the resident memory of the
command and its children, sampled five times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.results import write_result
from pipeline.lineage import Lineage
from pipeline.workspace import Workspace

SAMPLES_A_SECOND = 5


def tree_resident_bytes(process: psutil.Process) -> int:
    """Returns the resident memory of a process and its descendants, in bytes."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def measure(arguments: list[str], workspace: Path) -> dict[str, Any]:
    """Runs `pocketrec run` and returns what it took.

    Args:
        arguments: Further arguments of `pocketrec run`.
        workspace: Its `--workspace`.
    """
    command = [
        sys.executable, "-m", "pipeline.cli.main", "run", "--workspace", str(workspace), *arguments
    ]  # fmt: skip
    started = time.monotonic()
    child = subprocess.Popen(command)
    watched = psutil.Process(child.pid)
    peak = 0
    while child.poll() is None:
        try:
            peak = max(peak, tree_resident_bytes(watched))
        except psutil.NoSuchProcess:
            break
        time.sleep(1 / SAMPLES_A_SECOND)
    status = child.wait()
    run = Lineage(Workspace.at(workspace).metadata_db).read()
    return {
        "arguments": arguments,
        "exit_status": status,
        "seconds": round(time.monotonic() - started, 1),
        "peak_resident_gib": round(peak / 2**30, 2),
        "steps": [
            {"step": step.node_id, "state": step.state, "seconds": round(step.seconds, 1)}
            for step in run.steps
        ],
        "processors": len(os.sched_getaffinity(0)),
    }


def main() -> int:
    """Measures one run and writes `results/pipeline_run_<name>.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--name", default="sample", help="names the result file")
    parser.add_argument("arguments", nargs="*", help="after --: arguments of `pocketrec run`")
    args = parser.parse_args()
    result = measure(args.arguments, args.workspace)
    write_result(f"pipeline_run_{args.name}", result)
    print(json.dumps(result, indent=2))
    return int(result["exit_status"])


if __name__ == "__main__":
    sys.exit(main())
