from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import yaml

from modules.training import worker
from tests.modules.training.planted import training_config
from tests.modules.training.test_distribution import PROJECT, free_ports
from tests.modules.training.test_trainer import arguments  # noqa: F401 - a fixture


@pytest.fixture
def command(
    tmp_path: Path,
    arguments: SimpleNamespace,  # noqa: F811
) -> list[str]:
    """What starts a worker on planted examples; `--output` is left to the test."""
    custom = arguments.custom_config
    config: dict[str, Any] = {
        "seed": custom["seed"],
        "training": training_config().model_dump(mode="json"),
        **{name: json.loads(custom[name]) for name in ("model", "history", "conversion")},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return [
        str(path),
        *("--examples", str(tmp_path / "examples")),
        *("--transform-graph", arguments.transform_graph_path),
    ]


def losses(output: Path) -> list[float]:
    return [row["loss"] for row in json.loads((output / "logs/history.json").read_text())]


def best_ids(output: Path) -> list[list[int]]:
    served = tf.saved_model.load(str(output / "model")).signatures["serving_default"]
    ids = np.array([[3, 4, 5, 6, 7, 8], [0, 0, 0, 11, 12, 13]], np.int32)
    best: list[list[int]] = served(context_movie_id=ids)["top_prediction_ids"].numpy().tolist()
    return best


@pytest.mark.thorough
def test_a_worker_begins_with_an_earlier_model(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    one = tmp_path / "one"
    assert worker.main([*command, "--output", str(one), "--span", "1"]) == 0
    warm = ["--set", "dataset=ratings-{SPAN}", "--set", "training.warm_start.on_mismatch=fail"]
    begin = ["--span", "2", "--base-model", str(one / "model/assets.extra")]
    assert worker.main([*command, "--output", str(tmp_path / "two"), *warm, *begin]) == 0
    assert "warm start from the blessed model of span 1" in capsys.readouterr().out
    assert losses(tmp_path / "two")[0] < losses(one)[0]


def test_trains_alone_without_tfx(tmp_path: Path, command: list[str]) -> None:
    assert worker.main([*command, "--output", str(tmp_path / "one")]) == 0
    assert len(losses(tmp_path / "one")) == 3
    assert len(best_ids(tmp_path / "one")[0]) == 10
    assert list((tmp_path / "one/checkpoints").iterdir()) == []


def test_a_strategy_that_comes_too_late_says_how_to_start(
    tmp_path: Path,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tf.constant(1) + 1  # TensorFlow runs.
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    task = {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    multi = ["--set", "training.distribution.strategy=multi_worker"]
    assert worker.main([*command, "--output", str(tmp_path), *multi]) == 2
    assert "start each worker with `python -m modules.training.worker`" in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_leave_one_model(tmp_path: Path, command: list[str]) -> None:
    output = tmp_path / "two"
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    words = [*command, "--output", str(output)]
    words += ["--set", "training.distribution.strategy=multi_worker"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "modules.training.worker", *words],
            cwd=PROJECT,
            env={
                **os.environ,
                "CUDA_VISIBLE_DEVICES": "-1",
                "TF_CONFIG": json.dumps(
                    {"cluster": cluster, "task": {"type": "worker", "index": index}}
                ),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    assert worker.main([*command, "--output", str(tmp_path / "one")]) == 0
    said = [process.communicate(timeout=280) for process in workers]
    assert [process.returncode for process in workers] == [0, 0], said
    # The chief tells, the other is silent.
    assert "epoch 3/3" in said[0][0]
    assert said[1][0] == ""
    np.testing.assert_allclose(losses(output), losses(tmp_path / "one"), rtol=1e-5)
    assert best_ids(output) == best_ids(tmp_path / "one")
    assert list((output / "checkpoints").iterdir()) == []
