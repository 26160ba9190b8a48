from pathlib import Path

import pytest

from pipeline.workspace import Workspace
from tests.pipeline.registry.mlflow_place import make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)
