"""The pipeline on a Flink cluster of two task managers comes to what it comes to in one process.

Both runs are whole: whatever leaned on order, on one process or on a worker's memory would show in
the data, and from there in the model and its metrics.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import tensorflow as tf

from modules.evaluation.results import OVERALL, load_metrics, load_validation
from modules.features import SPLIT_CATALOGUE, SPLIT_EVAL, SPLIT_TEST, SPLIT_TRAIN
from pipeline.lineage import Lineage, Run
from pipeline.workspace import Workspace
from tests.e2e.command import pocketrec, run_arguments
from tools.flink.cluster import DEFAULT_FOLDER, Cluster
from tools.flink.errors import ClusterError, MissingProgramError, UnreachableError
from tools.flink.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

OFFSET = 700
"""Beside a cluster that the developer may have started."""

WINDOWED = (SPLIT_TRAIN, SPLIT_EVAL, SPLIT_TEST)


@pytest.fixture(scope="module")
def settings() -> Settings:
    defaults = Settings()
    return Settings(
        rest_port=defaults.rest_port + OFFSET,
        rpc_port=defaults.rpc_port + OFFSET,
        job_port=defaults.job_port + OFFSET,
        workers_port=defaults.workers_port + OFFSET,
    )


@pytest.fixture(scope="module")
def cluster(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    made = Cluster(folder, DEFAULT_FOLDER / "packages", print)
    try:
        made.start(settings)
    except (MissingProgramError, UnreachableError) as error:
        pytest.skip(str(error))
    yield made
    made.stop()
    assert made.processes.running() == {}
    assert sorted(path.name for path in folder.iterdir()) == [
        "conf",
        "lock",
        "logs",
        "processes",
        "settings.json",
    ]


@pytest.fixture(scope="module")
def on_flink(cluster: Cluster, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    assert cluster.status().whole
    return _run(tmp_path_factory.mktemp("flink"), settings.beam_args())


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _run(tmp_path_factory.mktemp("local"), [])


def _run(workspace: Path, beam_args: list[str]) -> Run:
    pocketrec(*run_arguments(workspace, f"runtime.beam_args={json.dumps(beam_args)}"))
    return Lineage(Workspace.at(workspace).metadata_db).read()


def _path(run: Run, node: str, key: str) -> Path:
    artifact = run.output(node, key)
    assert artifact is not None
    return artifact.path


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _rows(folder: Path) -> list[dict[str, Any]]:
    """The examples of all files by name, each as values by feature."""
    files = sorted(str(path) for path in folder.iterdir())
    rows = []
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        rows.append({name: feature[name].SerializeToString() for name in sorted(feature)})
    return rows


def test_every_step_on_beam_was_a_job_of_the_cluster(settings: Settings, on_flink: Run) -> None:
    answer = requests.get(f"{settings.rest_address}/jobs/overview", timeout=10).json()
    # ExampleGen, StatisticsGen, Transform and Evaluator; each runs one pipeline or more.
    assert len(answer["jobs"]) >= 4
    for job in answer["jobs"]:
        assert job["state"] == "FINISHED"
    # Not one worker did it all.
    first = min(answer["jobs"], key=lambda job: job["start-time"])
    detail = requests.get(f"{settings.rest_address}/jobs/{first['jid']}", timeout=10).json()
    (write, *_) = [v for v in detail["vertices"] if v["parallelism"] == 2]
    subtasks = requests.get(
        f"{settings.rest_address}/jobs/{first['jid']}/vertices/{write['id']}", timeout=10
    ).json()["subtasks"]
    assert len({subtask["taskmanager-id"] for subtask in subtasks}) == 2
    assert {step.state for step in on_flink.steps} == {"done"}


def test_timelines_are_the_same_files(on_flink: Run, local: Run) -> None:
    ours, theirs = (
        _files(_path(run, "movielens_example_gen", "examples")) for run in (on_flink, local)
    )
    folders = {name.partition("/")[0] for name in ours}
    assert folders == {f"Split-{name}" for name in (*WINDOWED, SPLIT_CATALOGUE)}
    assert ours == theirs


@pytest.mark.parametrize(
    ("node", "key"), [("statistics_gen", "statistics"), ("example_validator", "anomalies")]
)
def test_what_is_known_of_the_data_is_the_same(
    on_flink: Run, local: Run, node: str, key: str
) -> None:
    ours, theirs = (_files(_path(run, node, key)) for run in (on_flink, local))
    assert {name.partition("/")[0] for name in ours} == {f"Split-{name}" for name in WINDOWED}
    assert ours == theirs


def test_the_vocabulary_is_the_same(on_flink: Run, local: Run) -> None:
    ours, theirs = (
        _files(_path(run, "transform", "transform_graph") / "transform_fn" / "assets")
        for run in (on_flink, local)
    )
    assert any(content.count(b"\n") > 300 for content in ours.values())
    assert ours == theirs


@pytest.mark.parametrize("split", WINDOWED)
def test_windows_are_the_same_rows(on_flink: Run, local: Run, split: str) -> None:
    """All features of all windows, value by value; the order of rows is Beam's own."""
    ours, theirs = (
        sorted(
            _rows(_path(run, "transform", "transformed_examples") / f"Split-{split}"),
            key=lambda row: tuple(row.items()),
        )
        for run in (on_flink, local)
    )
    assert len(ours) >= 300
    assert ours == theirs


def test_the_shipped_model_is_the_same(on_flink: Run, local: Run) -> None:
    ours, theirs = (
        {
            name: content
            for name, content in _files(_path(run, "tflite_converter", "model")).items()
            if name.endswith(("tflite", ".txt"))
        }
        for run in (on_flink, local)
    )
    assert len(ours) == 5  # the gated file, three variants, the vocabulary
    assert ours == theirs


def test_metrics_and_verdicts_are_the_same(on_flink: Run, local: Run) -> None:
    ours, theirs = (str(_path(run, "evaluator", "evaluation")) for run in (on_flink, local))
    metrics = load_metrics(ours)
    assert metrics[OVERALL]["windows"] == 300
    assert metrics[OVERALL]["recall_at_10"] > 0.1
    assert len(metrics) > 1  # slices
    assert metrics == load_metrics(theirs)
    assert load_validation(ours) == load_validation(theirs)
    assert load_validation(ours).blessed


def test_a_second_start_changes_nothing_and_other_settings_are_refused(
    cluster: Cluster, settings: Settings
) -> None:
    before = cluster.status()
    cluster.start(settings)
    assert cluster.status() == before
    assert before.slots == 2
    with pytest.raises(ClusterError, match="a cluster with other settings runs here; stop it"):
        cluster.start(Settings())
    assert cluster.status() == before


def test_ports_of_another_cluster_are_refused(
    cluster: Cluster, settings: Settings, tmp_path: Path
) -> None:
    assert cluster.status().whole
    other = Cluster(tmp_path, DEFAULT_FOLDER / "packages", print)
    with pytest.raises(ClusterError, match=f"port {settings.rest_port}, wanted for Flink's REST"):
        other.start(settings)
    assert other.processes.running() == {}
