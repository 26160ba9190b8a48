"""Where a registry keeps what a later training may begin with: beside the bundle, not in it."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import RegistryError
from pipeline.registry.sqlite_store import local_path
from pipeline.registry.store import ModelVersion, RegistryStore

BUNDLE_PATH = "bundle"
TRAINING_PATH = "training"
"""Folders of an MLflow run. No device gets the second one."""


def training_source(source: str) -> str:
    """Returns the address of a version's training folder.

    Args:
        source: Of the version's bundle: a folder `bundle` of a run, which has a sibling; or a
            folder that is named by its content, as in Vertex AI's registry, and stands alone.
    """
    folder = source.rstrip("/")
    if folder.endswith(f"/{BUNDLE_PATH}"):
        return f"{folder.removesuffix(BUNDLE_PATH)}{TRAINING_PATH}"
    parent, _, name = folder.rpartition("/")
    # In front: file systems over object storage take one name that begins with another for below.
    return f"{parent}/{TRAINING_PATH}-{name}"


def training_folder(
    store: RegistryStore, version: ModelVersion, target: Path, *, problem: str, way_out: str
) -> Path:
    """Returns a version's training folder, fetched where it is not on this machine.

    Args:
        store: The registry's.
        version: Whose.
        target: Where to fetch it to; must not exist.
        problem: What cannot be done without it, for the message.
        way_out: What to do then, for the message.

    Raises:
        RegistryError: There is no such folder, or it cannot be had.
    """
    source = training_source(version.source)
    try:
        folder = local_path(source)
        if folder is None:
            store.download(source, target)
            folder = target
        if not folder.is_dir():
            raise FileNotFoundError("no such folder")
    except Exception as error:  # stores raise what their clients do
        raise RegistryError(f"{problem}: {source}: {error}. {way_out}") from error
    return folder
