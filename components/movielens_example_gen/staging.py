"""A release's folder, whether it was given as a folder or as a zip file."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from components.movielens_example_gen import storage
from pipeline.datasets.archive import extract_zip
from pipeline.errors import DataError


@contextlib.contextmanager
def staged(source: str, shared: str | None = None) -> Iterator[str]:
    """Gives the folder of a release; what was extracted goes away at the end.

    Args:
        source: A folder, or a `.zip` file.
        shared: Where to extract to: a folder, local or an address, that every worker can read;
            None takes a temporary folder of this machine.

    Raises:
        DataError: There is no such folder or file, or the archive is damaged or unsafe.
    """
    if not source.lower().endswith(".zip"):
        yield source
        return
    if not storage.exists(source):
        raise DataError(f"{source}: no such file; give the folder or the .zip of a release")
    remote = shared is not None and storage.is_remote(shared)
    with tempfile.TemporaryDirectory(dir=None if remote else shared, prefix="release-") as local:
        archive = Path(source)
        if storage.is_remote(source):
            archive = Path(local) / "release.zip"
            with storage.open_binary(source) as remote_file, archive.open("wb") as file:
                shutil.copyfileobj(remote_file, file, 1 << 24)
        folder = extract_zip(archive, Path(local) / "extracted")
        if shared is None or not remote:
            yield str(folder)
            return
        target = storage.join(shared, f"release-{uuid.uuid4().hex}")
        storage.upload(str(folder), target)
        try:
            yield target
        finally:
            storage.remove_folder(target)
