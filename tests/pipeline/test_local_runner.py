"""What a failed run says: our own words where there are any, wrapped or with a cause."""

from pathlib import Path

import pytest

from pipeline.config.root import Config
from pipeline.errors import ConfigError, DataError
from pipeline.local_runner import error_message, run_locally
from pipeline.workspace import Workspace


def _raised(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


def test_our_own_error_is_told_whatever_wraps_or_caused_it() -> None:
    ours = _raised(DataError("ratings.csv, line 3: no rating"), ValueError("could not convert"))
    assert error_message(ours) == "ratings.csv, line 3: no rating"
    assert error_message(_raised(RuntimeError("while running"), ours)) == str(ours)


def test_of_other_errors_the_innermost_is_told() -> None:
    error = _raised(RuntimeError("outer"), OSError("No space left on device"))
    assert error_message(error) == "No space left on device"
    assert error_message(KeyError()) == "KeyError"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ({}, r"registry\.artifact_root '.*/registry/artifacts'.*must look like gs://BUCKET/FOLDER"),
        ({"artifact_root": "gs://bucket/models"}, r"name one .*in registry\.container_image"),
    ],
)
def test_a_registry_that_takes_no_bundles_ends_a_run_before_it_starts(
    tmp_path: Path, place: dict[str, str], says: str
) -> None:
    registry = {"tracking_uri": "vertex://p-1/europe-west4", **place}
    config = Config.model_validate({"dataset": "sample", "registry": registry})
    workspace = Workspace.at(tmp_path / "workspace")
    with pytest.raises(ConfigError, match=says):
        run_locally(config, workspace)
    assert not workspace.root.exists()
