"""A workspace with registered toy models, for tests of commands."""

import shutil
from pathlib import Path

from pipeline.registry.client_store import mlflow_client
from pipeline.workspace import Workspace
from tests.device import toy
from tests.pipeline.registry.mlflow_place import make_workspace


def workspace_with_versions(folder: Path, versions: int) -> Workspace:
    """Registers the toy bundle as versions 1, 2, ...; the last is champion."""
    workspace = make_workspace(folder)
    client = mlflow_client(workspace.tracking_uri)
    client.create_registered_model("pocketrec")
    bundle = toy.bundle(folder)
    for number in range(1, versions + 1):
        target = workspace.registry / "artifacts" / str(number) / "bundle"
        shutil.copytree(bundle, target)
        tags = {
            "encoder": "cnn",
            "history_length": "10",
            "recall_at_10": f"0.2{number}0000",
            "bytes": "6432",
            "sha256/int8.tflite": "ab" * 32,
        }
        client.create_model_version("pocketrec", target.as_uri(), tags=tags)
    client.set_registered_model_tag("pocketrec", "champions", str(list(range(1, versions + 1))))
    client.set_registered_model_alias("pocketrec", "champion", str(versions))
    return workspace
