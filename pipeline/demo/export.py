"""Writes a site into a folder that any static host can serve."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.datasets.atomic import exclusive, lock_elsewhere, new_folder
from pipeline.demo.site import Site
from pipeline.errors import DemoError

RECORD = "pocketrec-demo.json"
"""What the export wrote; by it, the next one knows the folder for its own."""

_FORMAT = "pocketrec-demo"


def export(site: Site, target: Path, *, force: bool = False) -> None:
    """Writes the site's files and a record of them; `target` is whole or as it was.

    Args:
        site: What to write.
        target: The folder; absent, empty, or an earlier export.
        force: Takes a folder with anything else in it away, too.

    Raises:
        DemoError: The folder holds something else, or cannot be written.
    """
    target = target.expanduser().resolve()
    try:
        with exclusive(lock_elsewhere(target)):
            if not force:
                _refuse_foreign(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            with new_folder(target, replace=True) as folder:
                _write(site, folder)
    except OSError as error:
        raise DemoError(
            f"--export {target}: cannot be written ({error.strerror}); give another folder"
        ) from None


def _write(site: Site, folder: Path) -> None:
    for path, file in site.files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
    record = {
        "format": _FORMAT,
        "version": site.version,
        "files": {path: file.sha256 for path, file in sorted(site.files.items())},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _refuse_foreign(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise DemoError(f"--export {target}: is no folder; give another")
    written = _recorded(target)
    for path in sorted(target.rglob("*")):
        name = path.relative_to(target).as_posix()
        is_ours = name in written or (path.is_dir() and _holds(name, written))
        if not is_ours:
            raise DemoError(
                f"--export {target}: holds {name}, which no export wrote; give an empty folder, or "
                "--force to take all that is in it away"
            )


def _holds(folder: str, files: Collection[str]) -> bool:
    return any(name.startswith(f"{folder}/") for name in files)


def _recorded(target: Path) -> frozenset[str]:
    """Returns what an earlier export says it wrote; nothing where there was none."""
    try:
        record: Any = json.loads((target / RECORD).read_text(encoding="utf-8"))
        if record["format"] == _FORMAT:
            return frozenset({RECORD, *record["files"]})
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return frozenset()
