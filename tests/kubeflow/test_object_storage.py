from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubeflow import object_storage
from pipeline.errors import ConfigError
from tests.servers import client_arguments, object_store

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}


def test_amazons_own_store_needs_no_further_variables() -> None:
    assert object_storage.variables({**KEYS, "AWS_REGION": "eu-west-1"}) == {}


def test_every_library_is_told_of_another_store() -> None:
    given = {**KEYS, "AWS_ENDPOINT_URL": "http://minio:9000", "AWS_DEFAULT_REGION": "here"}
    assert object_storage.variables(given) == {
        "S3_ENDPOINT": "http://minio:9000",
        "MLFLOW_S3_ENDPOINT_URL": "http://minio:9000",
        "AWS_REGION": "here",
    }


def test_what_is_set_is_left_alone() -> None:
    given = {"AWS_ENDPOINT_URL": "https://a", "MLFLOW_S3_ENDPOINT_URL": "https://b"}
    assert object_storage.variables(given) == {"S3_ENDPOINT": "https://a"}


def test_an_endpoint_without_a_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"AWS_ENDPOINT_URL='minio:9000'.*http://HOST:PORT"):
        object_storage.variables({"AWS_ENDPOINT_URL": "minio:9000"})


STEP = """
import json, sys
from tensorflow.io import gfile
with gfile.GFile(sys.argv[sys.argv.index("--uri") + 1] + "/made", "w") as file:
    file.write("by the step")
if "--fail" in sys.argv:
    raise ValueError("no luck")
"""


def run_step(tmp_path: Path, environment: dict[str, str], *words: str) -> tuple[int, str]:
    (tmp_path / "a_step.py").write_text(STEP)
    command = [sys.executable, "-m", "kubeflow.entrypoint"]
    command += ["--json_serialized_invocation_args", "{}", "--uri", "s3://bucket/run"]
    command += ["--tfx_module", "a_step", "--json_serialized_outputs_spec_args", "{}", *words]
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    return done.returncode, done.stderr


@pytest.mark.slow
def test_a_step_writes_to_the_store_and_its_exit_status_is_its_own(tmp_path: Path) -> None:
    """The file system aborts an orderly end of its process; the entrypoint must not let it."""
    import boto3

    with object_store(tmp_path / "store", "bucket") as environment:
        status, errors = run_step(tmp_path, environment)
        assert status == 0, errors
        client = boto3.client("s3", **client_arguments(environment))
        made = client.get_object(Bucket="bucket", Key="run/made")["Body"].read()
        assert made == b"by the step"
        status, errors = run_step(tmp_path, environment, "--fail")
        assert status == 1
        assert "ValueError: no luck" in errors
