"""A study from its first trial to its table: real Optuna and MLflow, stand-ins for trainings."""

import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.sweep import SweepConfig
from pipeline.errors import PocketRecError
from pipeline.registry.client_store import mlflow_client
from pipeline.sweep import results
from pipeline.sweep.places import Places
from pipeline.sweep.run import Sweep, open_sweep
from pipeline.workspace import Workspace
from tests.pipeline.registry.mlflow_place import make_workspace

PREPARATION = """
import json, pathlib, sys
config = json.loads(pathlib.Path(sys.argv[1]).read_text())
with open(pathlib.Path(sys.argv[2]) / "prepared.txt", "a") as file:
    print(config["history"]["length"], file=file)
places = {"examples": "e", "transform_graph": "g", "catalogue": "c"}
pathlib.Path(sys.argv[3]).write_text(json.dumps(places))
"""

TRAINING = """
import json, os, pathlib, sys, time
path = pathlib.Path(sys.argv[1])
spec = json.loads(path.read_text())
config = spec["config"]
with open(path.parents[1] / "trained.txt", "a") as file:
    print(path.parent.name, file=file)
print("epoch 1/1  loss 0.5", flush=True)
dim = config["model"]["dim"]
if dim == 13:
    print("Traceback: out of luck", flush=True)
    os.abort()
if dim == 14 and not (path.parent / "tried").exists():
    (path.parent / "tried").touch()
    time.sleep(600)
logs = path.parent / "logs"
logs.mkdir(exist_ok=True)
epoch = {"epoch": 1, "loss": 0.5, "recall_at_10": 0.2, "seconds": 2.0}
(logs / "history.json").write_text(json.dumps([epoch]))
(path.parent / "model.int8.tflite").write_bytes(b"TFL3")
recall = dim / 100 + config["seed"] / 1000
metrics = {"recall_at_10": recall, "ndcg_at_10": recall / 2}
result = {
    "eval": metrics,
    "int8": {"bytes": 1000 * dim, "eval": metrics, "latency_ms": 0.01},
    "epochs": 1, "best_epoch": 1, "parameters": 5, "train_seconds": 2.0,
    "load_average": 1.0, "seconds": 3.0,
}
path.with_name("result.json").write_text(json.dumps(result))
"""


def study(**changes: Any) -> SweepConfig:
    tree = {"name": "s", "base": {}, "parameters": {"model.dim": [8, 16]}, "seeds": [1, 3]}
    return SweepConfig.model_validate({**tree, **changes})


def run(workspace: Workspace, config: SweepConfig, *, jobs: int = 1) -> dict[str, Any]:
    places = Places.of(workspace, config.name, "d")
    with open_sweep(config, {}, workspace, places, jobs=jobs) as opened:
        stand_in = Sweep(
            config,
            {},
            places,
            opened.search,
            opened.tracker,
            jobs=jobs,
            training=[sys.executable, "-c", TRAINING],
            preparation=[sys.executable, "-c", PREPARATION],
        )
        return dict(stand_in.run())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = make_workspace(tmp_path)
    (made.root / "sweeps" / "windows").mkdir(parents=True)
    return made


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_every_seed_of_every_trial_is_trained_and_summed_up(workspace: Workspace) -> None:
    content = run(workspace, study())
    assert [trial["state"] for trial in content["trials"]] == ["done", "done"]
    first, second = content["trials"]
    # Seeds 1 and 3 give 0.081 and 0.083: mean 0.082, deviation of a sample sqrt(2) * 0.001.
    assert first["mean"]["eval.recall_at_10"] == pytest.approx(0.082)
    assert first["spread"]["eval.recall_at_10"] == pytest.approx(0.0014142, rel=1e-4)
    assert first["mean"]["int8.bytes"] == 8000
    assert (first["parameters"], second["parameters"]) == ({"model.dim": 8}, {"model.dim": 16})
    assert content["best"] == 2
    assert results.read(Places.of(workspace, "s", "d").results) == content


def test_every_training_is_a_run_with_settings_curve_figures_and_files(
    workspace: Workspace,
) -> None:
    run(workspace, study(seeds=[1]))
    client = mlflow_client(workspace.tracking_uri)
    experiment = client.get_experiment_by_name("s")
    runs = client.search_runs([experiment.experiment_id], order_by=["tags.trial"])
    assert [tracked.info.run_name for tracked in runs] == ["0001-seed1", "0002-seed1"]
    assert {tracked.info.status for tracked in runs} == {"FINISHED"}
    assert runs[1].data.params["model.dim"] == "16"
    assert runs[1].data.tags["parameter/model.dim"] == "16"
    assert runs[1].data.metrics["eval/recall_at_10"] == pytest.approx(0.161)
    curve = client.get_metric_history(runs[1].info.run_id, "epoch/loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5)]
    files = {file.path for file in client.list_artifacts(runs[1].info.run_id)}
    assert files == {"result.json", "history.json", "model.int8.tflite", "log.txt"}


def test_a_training_whose_run_was_not_closed_is_tracked_but_not_repeated(
    workspace: Workspace,
) -> None:
    config = study(parameters={"model.dim": [8]}, seeds=[1])
    folder = Places.of(workspace, "s", "d").trials / "0001-seed1"
    folder.mkdir(parents=True)
    metrics = {"recall_at_10": 0.5, "ndcg_at_10": 0.25}
    (folder / "result.json").write_text(json.dumps({"eval": metrics}))
    content = run(workspace, config)
    assert content["trials"][0]["mean"]["eval.recall_at_10"] == 0.5
    assert not (folder.parent / "trained.txt").exists()
    client = mlflow_client(workspace.tracking_uri)
    [tracked] = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    assert tracked.data.metrics["eval/recall_at_10"] == 0.5


def test_windows_are_made_once_for_all_trials_that_share_them(workspace: Workspace) -> None:
    histories = [{"length": 5, "stride": 5}, {"length": 9, "stride": 9}]
    run(workspace, study(parameters={"history": histories, "model.dim": [8, 16]}, seeds=[1]))
    assert lines(workspace.root / "sweeps/windows/prepared.txt") == ["5", "9"]


def test_a_trial_that_crashes_is_recorded_and_the_study_goes_on(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    content = run(workspace, study(parameters={"model.dim": [13, 8]}))
    failed, done = content["trials"]
    assert (failed["state"], done["state"]) == ("failed", "done")
    assert failed["error"] == "the training with seed 1 was ended by SIGABRT"
    assert "out of luck" in failed["tail"]
    assert content["best"] == 2
    screen = capsys.readouterr().out
    assert "[1] FAILED: the training with seed 1 was ended by SIGABRT" in screen
    assert "2 of 2 trials are over, best 0.0820 (trial 2)" in screen
    # Given again, nothing is left to do.
    assert run(workspace, study(parameters={"model.dim": [13, 8]})) == content
    trained = lines(Places.of(workspace, "s", "d").trials / "trained.txt")
    assert trained == ["0001-seed1", "0002-seed1", "0002-seed3"]


@pytest.mark.thorough
def test_one_that_takes_too_long_and_one_that_cannot_be_are_failures(workspace: Workspace) -> None:
    config = study(
        parameters={"model.dim": [14, 8], "history.stride": [50, 60]},
        minutes_per_training=0.05,
        seeds=[1],
    )
    content = run(workspace, config)
    assert [trial["state"] for trial in content["trials"]] == ["failed", "failed", "done", "failed"]
    assert "took longer than 3 seconds" in content["trials"][0]["error"]
    assert "stride (60) must not be above length (50)" in content["trials"][1]["error"]


def test_two_jobs_come_to_the_same_figures(workspace: Workspace, tmp_path: Path) -> None:
    config = study(parameters={"model.dim": [8, 16, 24]}, seeds=[1])
    other = make_workspace(tmp_path / "other")
    (other.root / "sweeps" / "windows").mkdir(parents=True)
    figures = [
        [trial["mean"] for trial in run(place, config, jobs=jobs)["trials"]]
        for place, jobs in ((workspace, 1), (other, 2))
    ]
    assert figures[0] == figures[1]


def test_a_registry_in_vertex_leaves_experiments_in_the_workspace(workspace: Workspace) -> None:
    base = {"registry": {"tracking_uri": "vertex://p-1/europe-west4"}}
    with open_sweep(study(), base, workspace, Places.of(workspace, "s", "d"), jobs=1):
        pass
    client = mlflow_client(workspace.tracking_uri)
    assert client.get_experiment_by_name("s") is not None


def test_nobody_else_runs_a_study_meanwhile(workspace: Workspace) -> None:
    places = Places.of(workspace, "s", "d")
    second = open_sweep(study(), {}, workspace, places, jobs=1)
    with (
        open_sweep(study(), {}, workspace, places, jobs=1),
        pytest.raises(PocketRecError, match="another run"),
    ):
        second.__enter__()


@pytest.mark.parametrize(
    "sent", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
@pytest.mark.thorough
def test_stopped_in_the_midst_of_a_training_and_given_again(
    workspace: Workspace, sent: signal.Signals
) -> None:
    config = study(parameters={"model.dim": [8, 14]}, seeds=[1])
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from pipeline.workspace import Workspace
        from tests.pipeline.sweep.test_run import run, study
        run(
            Workspace(Path({str(workspace.root)!r})),
            study(parameters={{"model.dim": [8, 14]}}, seeds=[1]),
        )
        """
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    trials = Places.of(workspace, "s", "d").trials
    deadline = time.monotonic() + 120
    while not (trials / "0002-seed1/tried").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(sent)
    assert process.wait(60) != 0
    known = json.loads(Places.of(workspace, "s", "d").results.read_text())
    assert [trial["trial"] for trial in known["trials"]] == [1]

    content = run(workspace, config)
    assert [trial["state"] for trial in content["trials"]] == ["done", "done"]
    assert lines(trials / "trained.txt") == ["0001-seed1", "0002-seed1", "0002-seed1"]
    client = mlflow_client(workspace.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    assert sorted(tracked.info.status for tracked in runs) == ["FINISHED", "FINISHED", "KILLED"]
