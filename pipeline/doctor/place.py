"""A workspace: can it be written to, is it in use, can its databases be read."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.check import Check, ok, problem, warning
from pipeline.paths import from_here
from pipeline.workspace import Workspace

GB = 10**9
LEAST_BYTES = 1 * GB
ENOUGH_BYTES = 5 * GB

ML_METADATA_SCHEMA = 10
"""Of the pinned ML Metadata."""

_UNFINISHED = "SELECT COUNT(*) FROM Execution WHERE last_known_state IN (1, 2)"
_REVISION = re.compile(r"^(down_)?revision\s*(?::[^=]*)?=\s*[\"'](\w+)[\"']", re.MULTILINE)


def checks(workspace: Workspace) -> list[Check]:
    """Looks at a workspace, which need not exist."""
    place = folder(workspace.root)
    found = [place, disk(workspace.root)]
    if not workspace.root.is_dir():
        return found
    holder = lock_holder(workspace.lock_file)
    found.append(lock(holder))
    found.append(metadata(workspace.metadata_db, in_use=holder is not None))
    found.append(registry(workspace.registry / "mlflow.db", _mlflow_migrations()))
    return found


def folder(root: Path) -> Check:
    """Judges whether the workspace can be written to."""
    if root.exists() and not root.is_dir():
        return problem("workspace", f"{root} is a file", "name a folder with --workspace")
    existing = _nearest(root)
    if not existing.is_dir():
        return problem("workspace", f"{existing} is a file", "name a folder with --workspace")
    if not os.access(existing, os.W_OK | os.X_OK):
        return problem(
            "workspace",
            f"{existing} cannot be written to",
            "give yourself the right to, or name another folder with --workspace",
        )
    told = from_here(root)
    return ok("workspace", f"{told}" if root.is_dir() else f"{told}, which a run will make")


def disk(root: Path) -> Check:
    """Judges the space on the workspace's disk."""
    free = shutil.disk_usage(_nearest(root)).free
    found = f"{free / GB:.1f} GB free"
    if free < LEAST_BYTES:
        return problem("disk", found, "free some, or name a folder on another disk: --workspace")
    if free < ENOUGH_BYTES:
        return warning("disk", found, "enough for MovieLens 1M; larger releases take 5 GB and more")
    return ok("disk", found)


def lock_holder(file: Path) -> str | None:
    """Returns the process that holds a workspace, None if none does."""
    if not file.is_file():
        return None
    with file.open(encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return handle.read().strip() or "unknown"
    return None


def lock(holder: str | None) -> Check:
    """Judges whether a run could start now."""
    if holder is None:
        return ok("lock", "free")
    return warning("lock", f"held by a run (process {holder})", "wait for it before you start one")


def metadata(database: Path, *, in_use: bool) -> Check:
    """Judges ML Metadata's store.

    Args:
        database: Its file.
        in_use: Whether a run is writing to it.
    """
    if not database.is_file():
        return ok("ML Metadata", "no run yet")
    way_out = f"move {database} away: all steps run again, the registry stays"
    try:
        with _opened(database) as store:
            ((version,),) = store.execute("SELECT schema_version FROM MLMDEnv").fetchall()
            ((unfinished,),) = store.execute(_UNFINISHED).fetchall()
            ((runs,),) = store.execute(
                "SELECT COUNT(*) FROM Context JOIN Type ON Type.id = Context.type_id "
                "WHERE Type.name = 'pipeline_run'"
            ).fetchall()
    except (sqlite3.Error, ValueError) as error:
        return problem("ML Metadata", f"cannot be read ({error})", way_out)
    if version != ML_METADATA_SCHEMA:
        return problem(
            "ML Metadata", f"schema {version}; {ML_METADATA_SCHEMA} is expected", way_out
        )
    found = f"{runs} runs, schema {version}"
    if unfinished and not in_use:
        return warning(
            "ML Metadata",
            f"{found}; an interrupted run left {unfinished} steps unfinished",
            "nothing to do: the next run puts that right and goes on from there",
        )
    return ok("ML Metadata", found)


def registry(database: Path, migrations: Path | None) -> Check:
    """Judges MLflow's database of the registry.

    Args:
        database: Its file.
        migrations: The installed MLflow's folder of migrations; None if it is not there.
    """
    if not database.is_file():
        return ok("registry", "no model yet")
    try:
        with _opened(database) as store:
            ((revision,),) = store.execute("SELECT version_num FROM alembic_version").fetchall()
            ((count,),) = store.execute("SELECT COUNT(*) FROM model_versions").fetchall()
    except (sqlite3.Error, ValueError) as error:
        return problem(
            "registry",
            f"{database} cannot be read ({error})",
            "restore it, or move the folder away to begin a new registry",
        )
    found = f"{count} versions, schema {revision}"
    if migrations is None:
        return ok("registry", found)
    known, last = _migrations(migrations)
    if revision == last:
        return ok("registry", found)
    if revision in known:
        way_out = f"`mlflow db upgrade sqlite:///{database}`, after a copy"
        return problem("registry", f"{found}; MLflow expects {last}", way_out)
    return problem(
        "registry", f"{found}, which this MLflow does not know", "take the MLflow that wrote it"
    )


@contextlib.contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(
        sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=1)
    ) as connection:
        yield connection


def _mlflow_migrations() -> Path | None:
    spec = importlib.util.find_spec("mlflow")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "store" / "db_migrations" / "versions"
    return folder if folder.is_dir() else None


def _migrations(folder: Path) -> tuple[set[str], str]:
    """Returns all revisions, and the one that no other follows."""
    known: set[str] = set()
    followed: set[str] = set()
    for file in folder.glob("*.py"):
        for down, revision in _REVISION.findall(file.read_text(encoding="utf-8")):
            (followed if down else known).add(revision)
    return known, next(iter(known - followed), "")


def _nearest(path: Path) -> Path:
    """Returns the path, or what of it exists."""
    while not path.exists():
        path = path.parent
    return path
