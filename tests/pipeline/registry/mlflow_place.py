"""Real MLflow registries on sqlite, quickly made."""

import functools
import shutil
import tempfile
from pathlib import Path

from pipeline.registry.client_store import mlflow_client
from pipeline.workspace import Workspace


@functools.cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mlflow-template-"))
    client = mlflow_client(f"sqlite:///{folder / 'mlflow.db'}")
    client.search_registered_models()
    return folder / "mlflow.db"


def make_workspace(folder: Path) -> Workspace:
    """A workspace whose registry exists and is empty: creating the schema takes seconds."""
    workspace = Workspace.at(folder / "workspace")
    workspace.registry.mkdir(parents=True)
    shutil.copyfile(_template(), workspace.registry / "mlflow.db")
    return workspace
