"""What the tests of the images share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubeflow import clean_root, dockerfile
from tests.kubeflow.manifests import PROJECT


@pytest.fixture(scope="session")
def python_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A root like the base of the images; stages are made beside it."""
    if missing := clean_root.missing_means():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("roots")
    (image,) = {stage.image for stage in dockerfile.read(PROJECT / "kubeflow/Dockerfile")}
    yield clean_root.base(folder / "base", image.rpartition("-")[2])
    # Gigabytes, which pytest would keep.
    subprocess.run(["rm", "-rf", str(folder)], check=True)
