"""`s3://` in a container: three libraries read and write there, each configured in its own words.

TensorFlow's file system comes with `tensorflow-io` and has its own variables; Beam and MLflow go
through boto3, which reads Amazon's. Amazon's are the ones to set; what is missing is made of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from pipeline.errors import ConfigError

ENDPOINT = "AWS_ENDPOINT_URL"
"""Address of a store other than Amazon's, as boto3 reads it."""

SCHEME = "s3://"


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment variables that the other libraries want, where they are not set.

    Args:
        environment: Of the process. Without `AWS_ENDPOINT_URL` it is Amazon's own store, which all
            of them find by themselves.

    Raises:
        ConfigError: The endpoint is no address.
    """
    endpoint = environment.get(ENDPOINT)
    if not endpoint:
        return {}
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(
            f"{ENDPOINT}={endpoint!r}: must look like http://HOST:PORT or https://HOST"
        )
    # TensorFlow's takes the scheme with the address, and HTTPS without one.
    wanted = {"S3_ENDPOINT": endpoint, "MLFLOW_S3_ENDPOINT_URL": endpoint}
    if "AWS_DEFAULT_REGION" in environment:
        wanted["AWS_REGION"] = environment["AWS_DEFAULT_REGION"]
    elif "AWS_REGION" in environment:
        wanted["AWS_DEFAULT_REGION"] = environment["AWS_REGION"]
    return {name: value for name, value in wanted.items() if name not in environment}


def register_file_system() -> None:
    """Makes TensorFlow, and with it TFX, understand `s3://`.

    It aborts its process at the interpreter's end; whoever calls this has to end with `os._exit`.
    """
    importlib.import_module("tensorflow_io")
