"""Text files that are whole or as they were, whatever happens while they are written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_READABLE_BY_ALL = 0o644


def write_text(path: Path, text: str) -> None:
    """Writes a file and makes its folders; a crash leaves the previous file or the new one.

    Raises:
        OSError: The disk refuses; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    scratch = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp's files are private; this one is as readable as any other of its owner.
        scratch.chmod(_READABLE_BY_ALL)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
