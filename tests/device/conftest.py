from pathlib import Path

import pytest

from tests.device import toy


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that no test may change."""
    return toy.bundle(tmp_path_factory.mktemp("toy"))
