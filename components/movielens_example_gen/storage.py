"""Files of a release, on a local disk or behind a `scheme://` address.

Local paths take Python's own calls. Addresses such as `gs://` or `s3://` go through TensorFlow's
file systems, which are imported only then, so that local commands start without TensorFlow.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO, cast


def is_remote(path: str) -> bool:
    """Whether `path` is an address of an object store rather than a local path."""
    return "://" in path


def join(folder: str, name: str) -> str:
    """Joins a folder and a relative name, for local paths and addresses alike."""
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else str(Path(folder) / name)


def open_binary(path: str) -> BinaryIO:
    """Opens a file for reading bytes, with `seek`."""
    if is_remote(path):
        return cast(BinaryIO, _gfile().GFile(path, "rb"))
    return Path(path).open("rb")


def size_of(path: str) -> int:
    """Bytes of a file."""
    if is_remote(path):
        return int(_gfile().stat(path).length)
    return Path(path).stat().st_size


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    return bool(_gfile().exists(path)) if is_remote(path) else Path(path).exists()


def is_folder(path: str) -> bool:
    """Whether `path` is a folder."""
    return bool(_gfile().isdir(path)) if is_remote(path) else Path(path).is_dir()


def list_files(folder: str) -> list[str]:
    """Relative names, `/`-separated and sorted, of all files below a folder."""
    if not is_remote(folder):
        root = Path(folder)
        return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    root_address = folder.rstrip("/")
    names = []
    for parent, _, files in _gfile().walk(root_address):
        relative = parent.rstrip("/")[len(root_address) :].strip("/")
        names += [f"{relative}/{name}".lstrip("/") for name in files]
    return sorted(names)


def list_folder(folder: str) -> list[str]:
    """Names, sorted, of the files and folders directly in a folder."""
    if is_remote(folder):
        # Object stores end the names of folders with a slash.
        return sorted({name.rstrip("/") for name in _gfile().listdir(folder)} - {""})
    return sorted(path.name for path in Path(folder).iterdir())


def commit(temporary: str, final: str) -> None:
    """Gives a complete file its final name; whoever sees that name sees all of it.

    Args:
        temporary: The file, on the same file system.
        final: Its name from now on; a file of that name is replaced.
    """
    if is_remote(final):
        _gfile().rename(temporary, final, overwrite=True)
        return
    with Path(temporary).open("rb") as file:
        os.fsync(file.fileno())
    Path(temporary).replace(final)


def upload(folder: str, target: str) -> None:
    """Copies all files below a local folder to an address."""
    for name in list_files(folder):
        _gfile().copy(join(folder, name), join(target, name), overwrite=True)


def remove_folder(folder: str) -> None:
    """Removes a folder and all below it, if it is there; an object store has no empty folders."""
    if not exists(folder):
        return
    if is_remote(folder):
        _gfile().rmtree(folder)
    else:
        shutil.rmtree(folder)


def _gfile() -> Any:
    from tensorflow.io import gfile

    return gfile
