"""A registered model teaches the next one: it is fetched, not trained, and cached as it should."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.lineage import Lineage
from pipeline.workspace import Workspace
from tests.e2e.command import pocketrec, run_arguments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LENIENT = ("gate.max_drop_from_blessed=0.5", "gate.min_margin_over_popularity=0")


def taught(teacher: str) -> tuple[str, ...]:
    distillation = f"training.distillation={{weight: 0.5, teachers: [{{{teacher}}}]}}"
    return ("model.dim=16", "training.max_epochs=2", distillation, *LENIENT)


def test_a_registered_model_teaches_the_next_one(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    said = pocketrec(*run_arguments(workspace)).stdout
    assert "registered  pocketrec version 1, alias champion" in said

    said = pocketrec(*run_arguments(workspace, *taught("registered: champion"))).stdout
    assert "teacher 1/1: version 1 of the registry, trained before" in said
    assert "teacher 1/1: epoch" not in said
    assert "registered  pocketrec version 2, alias champion" in said
    step = Lineage(Workspace.at(workspace).metadata_db).read().step("teacher_models")
    assert step is not None
    assert "version 1 of 'pocketrec'" in str(step)

    # The champion is another one by now; who names the version that it was gets the same run.
    said = pocketrec(*run_arguments(workspace, *taught("registered: 1"))).stdout
    assert "12 of 12 steps from the cache" in said

    refused = pocketrec(*run_arguments(workspace, *taught("registered: 7")), expect=2)
    assert "training.distillation.teachers.0.registered=7: no version" in refused.stderr

    # Trained under other settings, it may have learned what is held out now.
    registry = workspace / "registry/artifacts"
    kept = next(registry.glob("*/artifacts/training/settings.json"))
    other = tmp_path / "other"
    shutil.copytree(kept.parent, other)
    text = kept.read_text()
    assert '"split.strategy": "leave_last_out"' in text
    (other / "settings.json").write_text(text.replace("leave_last_out", "by_user"))
    said = pocketrec(*run_arguments(workspace, *taught(f"folder: {other}")), expect=1).stdout
    assert "FAILED at trainer" in said
    assert "split.strategy is 'leave_last_out', was 'by_user', so it may have learned" in said
    assert "epoch 1/" not in said
