"""Writes a slim bundle as a folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipeline.errors import RegistryError
from pipeline.slim.cut import SlimBundle
from pocketrec_device.bundle import Bundle
from pocketrec_device.errors import BundleError


def write(slim: SlimBundle, target: Path) -> bool:
    """Writes the files; a folder that holds the same bundle already is left as it is.

    Args:
        slim: The bundle.
        target: Its folder; the parent is created.

    Returns:
        Whether it was written.

    Raises:
        RegistryError: There is something else at that place.
    """
    if target.exists():
        if _is_there(slim, target):
            return False
        raise RegistryError(f"{target}: is there already; remove it, or give another --output")
    partial = target.with_name(f".{target.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    for name, content in slim.files.items():
        with (partial / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    partial.replace(target)
    return True


def _is_there(slim: SlimBundle, target: Path) -> bool:
    try:
        bundle = Bundle.load(target)
        bundle.verify()
    except BundleError:
        return False
    return bundle.manifest.bundle_id == slim.bundle_id
