"""TensorBoard and MLflow's page as `docs/dashboard.md` starts them, on a workspace."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port, running

ROOT = Path(__file__).parents[3]


def documented(program: str) -> list[str]:
    lines = (ROOT / "docs" / "dashboard.md").read_text().splitlines()
    (line,) = (line for line in lines if ".venv/bin/" in line and program in line)
    return line.split()


@contextlib.contextmanager
def started(words: list[str], folder: Path, path: str) -> Iterator[str]:
    """Runs a documented command beside a folder `workspace`; yields the server's address."""
    first = next(place for place, word in enumerate(words) if word.startswith(".venv/bin/"))
    settings = dict(word.split("=", 1) for word in words[:first])
    program = Path(sys.executable).parent / Path(words[first]).name
    command = [str(program), *words[first + 1 :]]
    port = free_port()
    command[command.index("--port") + 1] = str(port)
    address = f"http://127.0.0.1:{port}"
    settings["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "device" / "python")])
    # The whole session, as both have processes of their own.
    with running(command, folder, address + path, settings, whole_session=True):
        yield address


def fetch(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as answer:
        content: bytes = answer.read()
        return content


@pytest.mark.slow
def test_tensorboard_shows_the_curves_of_every_run(tmp_path: Path) -> None:
    import tensorflow as tf

    for number in (7, 19):
        logs = tmp_path / "workspace" / "artifacts" / "tiny" / "trainer" / "model_run" / str(number)
        with tf.summary.create_file_writer(str(logs)).as_default():
            tf.summary.scalar("eval/recall_at_10", 0.25, step=1)
    with started(documented("tensorboard"), tmp_path, "/data/runs") as address:
        assert b"<title>TensorBoard</title>" in fetch(address + "/")
        deadline = time.monotonic() + 60
        runs: list[str] = []
        while len(runs) < 2 and time.monotonic() < deadline:
            runs = json.loads(fetch(address + "/data/runs"))
            time.sleep(0.5)
        assert sorted(runs) == ["tiny/trainer/model_run/19", "tiny/trainer/model_run/7"]
        tags: dict[str, Any] = json.loads(fetch(address + "/data/plugin/scalars/tags"))
        assert list(tags["tiny/trainer/model_run/7"]) == ["eval/recall_at_10"]


@pytest.mark.slow
def test_mlflow_shows_the_workspaces_registry(tmp_path: Path) -> None:
    from pipeline.registry.client_store import mlflow_client

    database = tmp_path / "workspace" / "registry" / "mlflow.db"
    mlflow_client(f"sqlite:///{database}").create_registered_model("tiny")
    with started(documented("mlflow"), tmp_path, "/health") as address:
        assert b"<title>MLflow</title>" in fetch(address + "/")
        found = json.loads(fetch(address + "/ajax-api/2.0/mlflow/registered-models/search"))
        assert [model["name"] for model in found["registered_models"]] == ["tiny"]
