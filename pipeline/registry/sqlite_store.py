"""MLflow's registry tables in a local sqlite file, without importing MLflow."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import RegistryError
from pipeline.registry.store import ModelVersion

KNOWN_REVISIONS = frozenset({"dc11669786a5"})
"""Schema revisions of MLflow whose registry tables are as read here: 3.17."""

_WORKSPACE = "default"
_LOCK_SECONDS = 20.0


def is_known_schema(path: Path) -> bool:
    """Tells whether the database at `path` has a schema revision that this module knows."""
    with _connect(path, read_only=True) as connection:
        try:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        except sqlite3.DatabaseError:
            return False
    return {str(revision) for (revision,) in rows} <= KNOWN_REVISIONS and bool(rows)


class SqliteStore:
    """The registry in one database file, which need not exist yet: then it is empty.

    Args:
        path: The file, of a known schema.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def versions(self, model: str) -> list[ModelVersion]:
        """See `RegistryStore`."""
        if not self._path.exists():
            return []
        key = (_WORKSPACE, model)
        with _connect(self._path, read_only=True) as connection:
            # One transaction: a version and its tags are of the same moment.
            connection.execute("BEGIN")
            rows = connection.execute(
                "SELECT version, creation_time, source, run_id FROM model_versions "
                "WHERE workspace = ? AND name = ? AND current_stage != 'Deleted_Internal' "
                "ORDER BY version",
                key,
            ).fetchall()
            tags: dict[int, dict[str, str]] = {}
            for version, name, value in connection.execute(
                'SELECT version, "key", value FROM model_version_tags '
                'WHERE workspace = ? AND name = ? ORDER BY "key"',
                key,
            ):
                tags.setdefault(version, {})[name] = value
            aliases: dict[int, list[str]] = {}
            for version, alias in connection.execute(
                "SELECT version, alias FROM registered_model_aliases "
                "WHERE workspace = ? AND name = ? ORDER BY alias",
                key,
            ):
                aliases.setdefault(version, []).append(alias)
        return [
            ModelVersion(
                version=version,
                created_ms=created,
                source=source,
                run_id=run_id or "",
                tags=tags.get(version, {}),
                aliases=tuple(aliases.get(version, [])),
            )
            for version, created, source, run_id in rows
        ]

    def model_tag(self, model: str, key: str) -> str | None:
        """See `RegistryStore`."""
        if not self._path.exists():
            return None
        with _connect(self._path, read_only=True) as connection:
            row = connection.execute(
                "SELECT value FROM registered_model_tags "
                'WHERE workspace = ? AND name = ? AND "key" = ?',
                (_WORKSPACE, model, key),
            ).fetchone()
        return None if row is None else str(row[0])

    def set_model_tag(self, model: str, key: str, value: str) -> None:
        """See `RegistryStore`."""
        self._write(
            'INSERT OR REPLACE INTO registered_model_tags (workspace, name, "key", value) '
            "VALUES (?, ?, ?, ?)",
            (_WORKSPACE, model, key, value),
        )

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """See `RegistryStore`."""
        self._write(
            "INSERT OR REPLACE INTO registered_model_aliases (workspace, name, alias, version) "
            "VALUES (?, ?, ?, ?)",
            (_WORKSPACE, model, alias, version),
        )

    def download(self, source: str, target: Path) -> None:
        """See `RegistryStore`; other than local files need MLflow's client."""
        folder = local_path(source)
        if folder is not None:
            shutil.copytree(folder, target)
            return
        from pipeline.registry.client_store import download_artifacts

        download_artifacts(source, target, tracking_uri=f"sqlite:///{self._path}")

    def _write(self, statement: str, values: tuple[str | int, ...]) -> None:
        with _connect(self._path, read_only=False) as connection, connection:
            connection.execute(statement, values)


def local_path(source: str) -> Path | None:
    """Returns the local path that an artifact URI means, None where it is not on this machine."""
    parts = urllib.parse.urlsplit(source)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(urllib.request.url2pathname(parts.path))
    if not parts.scheme:
        return Path(source)
    return None


@contextlib.contextmanager
def _connect(path: Path, *, read_only: bool) -> Iterator[sqlite3.Connection]:
    mode = "ro" if read_only else "rw"
    uri = f"file:{urllib.parse.quote(str(path.resolve()))}?mode={mode}"
    try:
        with contextlib.closing(
            sqlite3.connect(uri, uri=True, timeout=_LOCK_SECONDS, isolation_level="DEFERRED")
        ) as connection:
            yield connection
    except sqlite3.OperationalError as error:
        raise RegistryError(
            f"{path}: the registry's database cannot be used ({error}); is another process "
            "writing, or may this user not?"
        ) from None
