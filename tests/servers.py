"""Servers that tests start: an MLflow server, and an object store that speaks S3."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 240

S3_KEYS = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """An MLflow server that keeps everything in a new folder; yields its address."""
    folder.mkdir()
    port = free_port()
    words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    words += ["--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    words += ["--artifacts-destination", str(folder / "files")]
    uri = f"http://127.0.0.1:{port}"
    # Its job queue is eight more processes, for nothing that is asked of it here.
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running(words, folder, f"{uri}/health", settings):
        yield uri


@contextlib.contextmanager
def object_store(folder: Path, bucket: str) -> Iterator[dict[str, str]]:
    """A store with one bucket; yields the variables of those who use it."""
    import boto3

    folder.mkdir()
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    uri = f"http://127.0.0.1:{port}"
    with running(words, folder, f"{uri}/moto-api/"):
        environment = {**S3_KEYS, "AWS_ENDPOINT_URL": uri}
        boto3.client("s3", **client_arguments(environment)).create_bucket(Bucket=bucket)
        yield environment


def client_arguments(environment: dict[str, str]) -> dict[str, Any]:
    """What boto3's client wants of the variables of an object store."""
    return {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        "region_name": environment["AWS_DEFAULT_REGION"],
    }


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    words: Sequence[str],
    folder: Path,
    address: str,
    settings: Mapping[str, str] | None = None,
    *,
    whole_session: bool = False,
) -> Iterator[None]:
    """Runs a server until the block ends, once it answers; its output goes to `folder/log`.

    Args:
        words: Of its command line.
        folder: Where it runs.
        address: What it answers when it is up.
        settings: Variables beside those of this process.
        whole_session: Ends the processes that it starts itself, too.
    """
    environment = {**os.environ, **(settings or {})}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=whole_session,
        )
    try:
        _wait_for(address, process, folder / "log")
        yield
    finally:
        if whole_session:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
        process.wait(timeout=60)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the server did not start:\n{log.read_text()[-2000:]}")
