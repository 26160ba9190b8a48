"""What the registry asks of its backend, MLflow or Vertex AI, and the ways to ask.

MLflow's own client takes five seconds to import and to open a database, too long for a command that
shows a list. So a local sqlite registry is read and edited in place, where its schema is one that
is known; every other registry of MLflow, and every push, goes through the client. Both pass the
same tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pipeline.registry.vertex_address import is_vertex

SQLITE_SCHEME = "sqlite:///"


@dataclasses.dataclass(frozen=True)
class ModelVersion:
    """One version of a registered model.

    Attributes:
        version: Its number, from 1.
        created_ms: Milliseconds since 1970 UTC.
        source: URI of its bundle.
        run_id: MLflow run that holds the bundle; "" in other registries.
        tags: What the pusher wrote about it.
        aliases: Names that point at it, sorted.
    """

    version: int
    created_ms: int
    source: str
    run_id: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...]


class RegistryStore(Protocol):
    """Reads and edits the entries of one registry."""

    def versions(self, model: str) -> list[ModelVersion]:
        """Returns the model's versions, oldest first; none where there is no such model."""

    def model_tag(self, model: str, key: str) -> str | None:
        """Returns a tag of the registered model."""

    def set_model_tag(self, model: str, key: str, value: str) -> None:
        """Sets a tag of the registered model."""

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """Points an alias at a version."""

    def download(self, source: str, target: Path) -> None:
        """Copies what an artifact URI names, a folder, to `target`, which must not exist."""


def open_store(tracking_uri: str) -> RegistryStore:
    """Returns the quickest store that understands the registry at `tracking_uri`.

    Raises:
        RegistryError: The address cannot be read, or the registry cannot be opened.
    """
    if is_vertex(tracking_uri):
        from pipeline.registry.vertex_store import open_vertex_store

        return open_vertex_store(tracking_uri)
    if tracking_uri.startswith(SQLITE_SCHEME):
        from pipeline.registry.sqlite_store import SqliteStore, is_known_schema

        path = sqlite_path(tracking_uri)
        if not path.exists() or is_known_schema(path):
            return SqliteStore(path)
    from pipeline.registry.client_store import ClientStore

    return ClientStore(tracking_uri)


def sqlite_path(tracking_uri: str) -> Path:
    """Returns the database file of a `sqlite:///` URI."""
    return Path(tracking_uri.removeprefix(SQLITE_SCHEME).partition("?")[0])
