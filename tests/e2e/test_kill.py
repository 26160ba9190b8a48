"""SIGKILL during each step, then the same command again: whole, once, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.lineage import Lineage
from pipeline.workspace import Workspace
from tests.e2e.command import PROJECT, as_json, command_line, pocketrec, run_arguments

pytestmark = pytest.mark.slow

SECONDS_INTO_STEP = {
    "movielens_example_gen": 0.5,
    "statistics_gen": 1.0,
    "schema_importer": 0.0,
    "example_validator": 0.0,
    "data_gate": 0.0,
    "transform": 3.0,
    "trainer": 2.0,
    "tflite_converter": 3.0,
    "latest_blessed_model": 0.0,
    "reference_ranks": 0.1,
    "evaluator": 2.0,
    "registry_pusher": 1.5,
}
"""Every step, and when the kill falls: in the midst of those that take long enough."""


def _run_until(step: str, workspace: Path) -> bool:
    """Starts a run and kills its process group a while after a step has begun.

    Returns:
        Whether the step began.
    """
    process = subprocess.Popen(
        command_line(*run_arguments(workspace)),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    began = False
    for line in process.stdout:
        if line.rstrip().endswith(f"] {step} ..."):
            began = True
            time.sleep(SECONDS_INTO_STEP[step])
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    return began


def test_killed_in_each_step_and_run_again(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    for step in SECONDS_INTO_STEP:
        assert _run_until(step, workspace), step

    done = pocketrec(*run_arguments(workspace))

    assert "registered  pocketrec version 1, alias champion" in done.stdout
    versions = as_json("registry", "list", "--workspace", str(workspace))
    assert [v["version"] for v in versions] == [1]
    bundle = as_json("evaluate", "champion", "--data", "sample", "--workspace", str(workspace))
    assert bundle["metrics"]["recall_at_10"]["value"] > 0
    run = Lineage(Workspace.at(workspace).metadata_db).read()
    assert {step.state for step in run.steps} <= {"done", "cached"}
    known = {
        str(artifact.path)
        for run_id in Lineage(Workspace.at(workspace).metadata_db).run_ids()
        for step in Lineage(Workspace.at(workspace).metadata_db).read(run_id).steps
        if step.state in ("done", "cached")
        for group in step.outputs.values()
        for artifact in group
    }
    root = Workspace.at(workspace).pipeline_root
    left = {str(p) for p in root.glob("*/*/*/*") if p.is_dir() and p.name.isdigit()}
    assert left <= known
    assert not list((workspace / "checkpoints").rglob("*.*"))
