"""Ratings and times through the whole pipeline, and on to a runtime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modules.evaluation.results import OVERALL, load_metrics
from pipeline.lineage import Lineage
from pipeline.workspace import Workspace
from tests.e2e.command import as_json, pocketrec, run_arguments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FEATURES = [f"model.event_features.{name}=true" for name in ("rating", "gap", "age")]
OTHER_INPUTS = ["context_rating", "context_timestamp", "request_timestamp"]


def _overall(workspace: Path) -> dict[str, float]:
    artifact = Lineage(Workspace.at(workspace).metadata_db).read().output("evaluator", "evaluation")
    assert artifact is not None
    return load_metrics(str(artifact.path))[OVERALL]


def test_models_with_other_inputs_are_gated_registered_and_compared(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    done = pocketrec(*run_arguments(workspace, *FEATURES))
    assert "registered  pocketrec version 1, alias champion" in done.stdout
    (version,) = as_json("registry", "list", "--workspace", str(workspace))
    first = _overall(workspace)

    # The device runtime builds histories, ratings and times by itself.
    second = as_json("evaluate", "champion", "--data", "sample", "--workspace", str(workspace))
    for name in ("recall_at_10", "ndcg_at_10", "mrr"):
        assert second["metrics"][name]["value"] == pytest.approx(first[name], abs=5e-5), name
    (bundle,) = {path.parent for path in workspace.rglob("bundle/manifest.json")} & {
        Path(second["bundle"])
    }
    manifest = json.loads((bundle / "manifest.json").read_text())
    names = [entry["name"] for entry in manifest["signature"]["inputs"]]
    assert names == ["context_movie_id", *OTHER_INPUTS]
    assert version["version"] == 1

    # A candidate of ids alone is compared with the blessed model, which gets what it reads.
    pocketrec(*run_arguments(workspace, "gate.max_drop_from_blessed=1"))
    again = _overall(workspace)
    assert again["recall_at_10_blessed"] == pytest.approx(first["recall_at_10"], abs=5e-5)
