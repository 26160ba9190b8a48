"""Where a registry keeps what a later training may begin with: beside the bundle, not in it."""

from __future__ import annotations

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
