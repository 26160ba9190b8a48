from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modules.training.distribution import OneDevice, Replicas, build_distribution, worker_number
from pipeline.config.training import DistributionConfig
from pipeline.errors import ConfigError
from tests.modules.training.planted import halves_alone, planted_halves, train, training_config

PROJECT = Path(__file__).parents[3]
EPOCHS = 4
CLUSTER = {"worker": ["a:1", "b:1"]}


def start(
    strategy: str, folder: Path, epochs: int = EPOCHS, *words: str, **variables: str
) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    module = "tests.modules.training.distributed"
    return subprocess.Popen(
        [sys.executable, "-m", module, strategy, str(folder), str(epochs), *words],
        cwd=PROJECT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", **variables},
        stderr=subprocess.PIPE,
        text=True,
    )


def start_workers(folder: Path, epochs: int = EPOCHS, *words: str) -> list[subprocess.Popen[str]]:
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    return [
        start(
            "multi_worker",
            folder,
            epochs,
            *words,
            TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
        )
        for index in range(2)
    ]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def assert_ends_well(processes: list[subprocess.Popen[str]]) -> None:
    said = [process.communicate(timeout=280)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said


def assert_like(folder: Path, number: int, weights: list[Any]) -> None:
    with np.load(folder / f"weights-{number}.npz") as stored:
        for expected, name in zip(weights, stored, strict=True):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(stored[name], expected, rtol=1e-5, atol=1e-5 * scale)


def losses(history: list[dict[str, float]]) -> list[float]:
    return [row["loss"] for row in history]


@pytest.mark.slow
def test_two_mirrored_devices_train_as_one_does(tmp_path: Path) -> None:
    process = start("mirrored", tmp_path / "two")
    weights, history = train(tmp_path / "one", training_config(max_epochs=EPOCHS))
    assert_ends_well([process])
    mirrored = json.loads((tmp_path / "two/history-0.json").read_text())
    np.testing.assert_allclose(losses(mirrored), losses(history), rtol=1e-5)
    assert_like(tmp_path / "two", 0, weights)


@pytest.mark.slow
def test_two_workers_train_as_one_does(tmp_path: Path) -> None:
    workers = start_workers(tmp_path / "two")
    weights, history = train(tmp_path / "one", training_config(max_epochs=EPOCHS))
    assert_ends_well(workers)
    for number in range(2):
        rows = json.loads((tmp_path / f"two/history-{number}.json").read_text())
        np.testing.assert_allclose(losses(rows), losses(history), rtol=1e-5)
        # The others learn from the chief alone how good the epoch was.
        assert [row["recall_at_10"] for row in rows] == [row["recall_at_10"] for row in history]
        assert_like(tmp_path / "two", number, weights)
    # The chief reports, nobody else.
    assert (tmp_path / "two/worker-0/logs/history.json").exists()
    assert not (tmp_path / "two/worker-1/logs/history.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
def test_halves_of_histories_are_shared_out_like_the_targets(tmp_path: Path, strategy: str) -> None:
    folder = tmp_path / "two"
    if strategy == "mirrored":
        processes = [start(strategy, folder, 2, "halves")]
    else:
        processes = start_workers(folder, 2, "halves")
    config = training_config(max_epochs=2, **halves_alone())
    weights, history = train(tmp_path / "one", config, halves=planted_halves(75))
    assert_ends_well(processes)
    for number in range(len(processes)):
        rows = json.loads((folder / f"history-{number}.json").read_text())
        np.testing.assert_allclose(losses(rows), losses(history), rtol=1e-5)
        with np.load(folder / f"weights-{number}.npz") as stored:
            for expected, name in zip(weights, stored, strict=True):
                np.testing.assert_allclose(stored[name], expected, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_lost_worker_is_an_error_and_the_training_goes_on_later(
    tmp_path: Path, victim: int
) -> None:
    epochs = 40
    folder = tmp_path / "two"
    workers = start_workers(folder, epochs)
    state = folder / "checkpoints/run/state.npz"
    while not state.exists() and all(worker.poll() is None for worker in workers):
        time.sleep(0.01)
    workers[victim].send_signal(signal.SIGKILL)
    _, said = workers[1 - victim].communicate(timeout=200)
    workers[victim].communicate(timeout=10)
    assert workers[1 - victim].returncode == 1, said
    assert re.search(
        rf"error: worker {1 - victim} lost another worker.*Start all workers again: training goes "
        rf"on from the checkpoint in {state.parent}",
        said,
        re.DOTALL,
    )
    assert_ends_well(start_workers(folder, epochs))
    weights, _ = train(tmp_path / "one", training_config(max_epochs=epochs))
    assert_like(folder, 0, weights)
    assert_like(folder, 1, weights)


def test_parts_that_replicas_cannot_share_are_an_error() -> None:
    strategy = SimpleNamespace(num_replicas_in_sync=2)
    assert Replicas(strategy, 4).shards == 4
    with pytest.raises(ConfigError, match=r"shards: 3 parts .* by 2 replicas; set a multiple of 2"):
        Replicas(strategy, 3)


def test_one_device_computes_all_parts() -> None:
    distribution = build_distribution(DistributionConfig(shards=4))
    assert isinstance(distribution, OneDevice)
    assert distribution.shards == 4
    assert distribution.is_chief
    assert distribution.deal(np.arange(4)).tolist() == [0, 1, 2, 3]
    assert distribution.from_chief(lambda: 0.25) == 0.25


@pytest.mark.parametrize(
    ("cluster", "task", "number"),
    [
        (CLUSTER, {"type": "worker", "index": 0}, 0),
        (CLUSTER, {"type": "worker", "index": 1}, 1),
        ({**CLUSTER, "chief": ["c:1"]}, {"type": "chief", "index": 0}, 0),
        ({**CLUSTER, "chief": ["c:1"]}, {"type": "worker", "index": 1}, 2),
    ],
)
def test_the_chief_comes_before_the_workers(
    cluster: dict[str, list[str]], task: dict[str, Any], number: int
) -> None:
    text = json.dumps({"cluster": cluster, "task": task})
    assert worker_number({"TF_CONFIG": text}) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"multi_worker needs \$TF_CONFIG on each worker"),
        ("{", r"\$TF_CONFIG is \{: it has to name all workers"),
        ('{"cluster": {}}', "has to name all workers and this one"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "nothing else"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "this one"),
    ],
)
def test_a_bad_cluster_is_an_error(text: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        worker_number({} if text is None else {"TF_CONFIG": text})
