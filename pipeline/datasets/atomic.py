"""Folders that are whole or absent, whatever kills the process that writes them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def exclusive(target: Path) -> Iterator[None]:
    """Holds the right to write `target`; waits while another process holds it.

    The lock is an empty hidden file beside the target and ends with the process, so a kill leaves
    nothing to clean up.

    Args:
        target: A file or folder, which need not exist; its parent folder is created.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def lock_elsewhere(target: Path) -> Path:
    """Returns what to hold instead of `target` where a lock file beside it would be in the way.

    Args:
        target: An absolute path.
    """
    name = hashlib.sha256(os.fsencode(target)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pocketrec-{os.getuid()}-{name}"


@contextlib.contextmanager
def new_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yields an empty folder that becomes `target` when the block ends without an exception.

    What an earlier killed process left behind is removed. The caller holds `exclusive(target)`.

    Args:
        target: The folder to make. It must be absent or empty, unless `replace` is set.
        replace: An existing target is taken away at the end, when the new one is complete.

    Raises:
        OSError: The disk refuses, or the target is there and not empty.
    """
    prefix = f".{target.name}.tmp-"
    for leftover in target.parent.glob(f"{_escape(prefix)}*"):
        shutil.rmtree(leftover)
    scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        yield fresh
        _sync(fresh)
        if replace and target.exists():
            target.rename(scratch / "old")
        fresh.rename(target)
        _sync_one(target.parent)
    finally:
        shutil.rmtree(scratch)


def _escape(prefix: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in prefix)


def _sync(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync_one(Path(parent) / name)
        _sync_one(Path(parent))


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
