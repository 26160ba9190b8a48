"""From what a user calls a data set to the files."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from components.movielens_example_gen.spans import find_spans
from pipeline.config.root import GeneratorConfig
from pipeline.config.spans import has_spans
from pipeline.datasets import archive, atomic
from pipeline.datasets.download import download
from pipeline.datasets.generator import generate
from pipeline.datasets.releases import DATASET_NAMES, RELEASES, SAMPLE, Release
from pipeline.errors import DataError
from pipeline.workspace import Workspace

DATA_VARIABLE = "POCKETREC_DATA"
"""Environment variable: a folder with releases by name, as folders or zip files."""


def resolve_dataset(
    name_or_path: str,
    workspace: Workspace,
    generator: GeneratorConfig | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    releases: Mapping[str, Release] = RELEASES,
    progress: bool = True,
) -> Path:
    """Finds, generates or downloads a data set.

    A known name wins over a file of that name in the current folder (`./ml-1m` means the file).
    A release is looked for in `$POCKETREC_DATA`, then in the workspace, then on GroupLens' server.

    Args:
        name_or_path: `sample`, a release's name, the path of a folder or zip file, or a pattern of
            such paths, `data/ratings-{SPAN}`.
        workspace: Where data is generated and downloaded to.
        generator: The parameters of `sample`; None takes the defaults.
        environment: Where `POCKETREC_DATA` is looked up.
        releases: The releases that can be downloaded, by name.
        progress: Shows a progress bar while downloading.

    Returns:
        A folder or a zip file; a pattern stays one, its folder made absolute.

    Raises:
        DataError: There is no such data set, or it cannot be fetched.
    """
    if name_or_path == SAMPLE:
        config = generator or GeneratorConfig()
        return generate(
            workspace.data / SAMPLE,
            users=config.users,
            movies=config.movies,
            ratings=config.ratings,
            seed=config.seed,
        )
    if name_or_path in releases:
        found = _find_provided(name_or_path, environment)
        return found or fetch_release(releases[name_or_path], workspace, progress=progress)
    return _existing_path(name_or_path)


def fetch_release(release: Release, workspace: Workspace, *, progress: bool = True) -> Path:
    """Returns a release's folder in the workspace; downloads and extracts what is missing.

    Raises:
        DataError: It cannot be downloaded, checked or extracted.
    """
    folder = workspace.data / release.name
    # A second process waits here and then finds the folder.
    with atomic.exclusive(workspace.data / f"{release.name}.fetch"):
        if not folder.is_dir():
            zip_path = download(release, workspace.data, progress=progress)
            archive.extract_zip(zip_path, folder)
            zip_path.unlink()
    return folder


def _find_provided(name: str, environment: Mapping[str, str]) -> Path | None:
    value = environment.get(DATA_VARIABLE)
    if not value:
        return None
    root = Path(value).expanduser().resolve()
    if not root.is_dir():
        raise DataError(
            f"${DATA_VARIABLE} is {value!r}, which is not a folder; correct or unset it"
        )
    folder, zip_path = root / name, root / f"{name}.zip"
    if folder.is_dir():
        return folder
    return zip_path if zip_path.is_file() else None


def _existing_path(name_or_path: str) -> Path:
    path = Path(name_or_path).expanduser().resolve()
    if has_spans(name_or_path):
        find_spans(str(path))
        return path
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip"):
        return path
    if path.exists():
        raise DataError(
            f"{name_or_path}: is neither a folder nor a .zip file; give the folder that holds "
            "a MovieLens release, or its zip file"
        )
    near = difflib.get_close_matches(name_or_path.lower(), DATASET_NAMES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(
        f"{name_or_path!r} is neither a data set's name nor the path of an existing folder or "
        f"zip file.{hint} Known names: {', '.join(DATASET_NAMES)}"
    )
