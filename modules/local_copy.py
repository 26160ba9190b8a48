"""Folders of object storage as folders of this machine, for libraries that know no other."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfx.utils import io_utils


def is_remote(uri: str) -> bool:
    """Whether a URI lies behind a `scheme://` rather than on this machine."""
    return "://" in uri


@contextlib.contextmanager
def local_copy(uri: str) -> Iterator[Path]:
    """A folder to read: itself where it is local, else a copy that goes when it is left.

    Args:
        uri: Of a folder that exists.
    """
    if not is_remote(uri):
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="pocketrec-copy-") as scratch:
        folder = Path(scratch) / "copy"
        io_utils.copy_dir(uri, str(folder))
        yield folder


@contextlib.contextmanager
def local_folder(uri: str) -> Iterator[Path]:
    """A folder to write: itself where it is local, else one whose files go there when it is left.

    They go there after an error too: logs are wanted most then.

    Args:
        uri: Of the folder; what lies there is replaced.
    """
    if not is_remote(uri):
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="pocketrec-folder-") as scratch:
        folder = Path(scratch) / "folder"
        folder.mkdir()
        try:
            yield folder
        finally:
            io_utils.copy_dir(str(folder), uri)
