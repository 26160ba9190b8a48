"""The whole pipeline on small generated data, through the command line, as a user runs it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.lineage import Lineage, Run
from pipeline.workspace import Workspace
from tests.e2e.command import as_json, pocketrec, run_arguments

pytestmark = pytest.mark.slow

FROM_TRAINER_ON = (
    "trainer",
    "tflite_converter",
    "latest_blessed_model",
    "reference_ranks",
    "evaluator",
    "registry_pusher",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "workspace"
    done = pocketrec(*run_arguments(path))
    assert "registered  pocketrec version 1, alias champion" in done.stdout
    return path


def _latest(workspace: Path) -> Run:
    return Lineage(Workspace.at(workspace).metadata_db).read()


def _overall(workspace: Path) -> dict[str, float]:
    from modules.evaluation.results import OVERALL, load_metrics

    artifact = _latest(workspace).output("evaluator", "evaluation")
    assert artifact is not None
    return load_metrics(str(artifact.path))[OVERALL]


def test_all_state_is_in_the_workspace(workspace: Path) -> None:
    assert {p.name for p in workspace.parent.iterdir()} == {"workspace"}
    assert [v["version"] for v in as_json("registry", "list", "--workspace", str(workspace))] == [1]


def test_device_runtime_and_evaluator_agree_to_four_digits(workspace: Path) -> None:
    gate = _overall(workspace)
    second = as_json("evaluate", "champion", "--data", "sample", "--workspace", str(workspace))
    metrics = second["metrics"]
    for name in ("recall_at_1", "recall_at_5", "recall_at_10", "recall_at_50", "ndcg_at_10", "mrr"):
        assert metrics[name]["value"] == pytest.approx(gate[name], abs=5e-5), name


def test_an_identical_second_run_is_cached_whole_and_quick(workspace: Path) -> None:
    started = time.monotonic()
    done = pocketrec(*run_arguments(workspace))
    assert time.monotonic() - started < 90
    assert "11 of 11 steps from the cache" in done.stdout
    assert len(as_json("registry", "list", "--workspace", str(workspace))) == 1


def test_another_model_runs_again_from_the_trainer_on(workspace: Path) -> None:
    settings = ["model.encoder.name=bow", "gate.max_drop_from_blessed=1"]
    settings += ["model.item_features.genres=true", "model.item_features.year=true"]
    pocketrec(*run_arguments(workspace, *settings))
    states = {step.node_id: step.state for step in _latest(workspace).steps}
    again = {node_id for node_id, state in states.items() if state != "cached"}
    assert again == set(FROM_TRAINER_ON)
    versions = as_json("registry", "list", "--workspace", str(workspace))
    assert len(versions) == 2


def test_a_model_worse_than_the_blessed_one_is_not_pushed(workspace: Path) -> None:
    before = as_json("registry", "list", "--workspace", str(workspace))
    done = pocketrec(*run_arguments(workspace, "training.max_epochs=1", "seed=1"), expect=3)
    assert "NOT PUSHED" in done.stdout
    assert "recall_change_from_blessed_at_10" in done.stdout
    assert as_json("registry", "list", "--workspace", str(workspace)) == before


def test_a_data_error_stops_the_run_before_training(workspace: Path, tmp_path: Path) -> None:
    release = tmp_path / "broken"
    pocketrec("data", "generate", str(release), "--users", "50", "--movies", "100",
              "--ratings", "1500")  # fmt: skip
    with (release / "ratings.csv").open("a", encoding="utf-8") as ratings:
        ratings.write("1,1,7.0,1000000000\r\n")
    words = run_arguments(workspace)
    words[words.index("sample")] = str(release)
    done = pocketrec(*words, expect=1)
    assert "FAILED at movielens_example_gen" in done.stdout
    assert "ratings.csv" in done.stdout
    assert "1502" in done.stdout
    assert "7.0" in done.stdout
