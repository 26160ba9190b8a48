"""Folders in object storage, through TensorFlow's file systems, imported when they are used."""

from __future__ import annotations

import contextlib
import posixpath
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from components.movielens_example_gen import storage
from pipeline.errors import RegistryError


class NothingThereError(RegistryError):
    """An address below which there are no files, or none that may be seen."""


def copy_to(folder: Path, address: str) -> None:
    """Copies all files below a local folder to an address, over what is there.

    Raises:
        RegistryError: They cannot be written.
    """
    from tensorflow.io import gfile

    with _told(address, "written"):
        # Not every file system does without folders.
        for name in sorted({posixpath.dirname(name) for name in storage.list_files(str(folder))}):
            gfile.makedirs(storage.join(address, name))
        storage.upload(str(folder), address)


def download(address: str, target: Path) -> None:
    """Copies all files below an address to `target`, which appears whole or not at all.

    Args:
        address: A folder.
        target: Must not exist; its parent is created.

    Raises:
        NothingThereError: There are none.
        RegistryError: They cannot be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as scratch,
        _told(address, "read"),
    ):
        copy = Path(scratch) / "copy"
        copy.mkdir()
        names = storage.list_files(address)
        if not names:
            # TensorFlow does not tell an empty folder from one that it may not list.
            raise NothingThereError(
                f"{address}: there are no files, or this account may not see them; check the bucket"
            )
        for name in names:
            path = copy / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with storage.open_binary(storage.join(address, name)) as source, path.open("wb") as out:
                shutil.copyfileobj(source, out)
        copy.rename(target)


@contextlib.contextmanager
def _told(address: str, done: str) -> Iterator[None]:
    from tensorflow.errors import OpError

    try:
        yield
    except (OpError, OSError) as error:
        reason = getattr(error, "message", None) or error
        raise RegistryError(
            f"{address}: cannot be {done} ({reason}); check the bucket, and who may use it"
        ) from None
