"""The registry in Vertex AI's Model Registry.

What MLflow keeps in tags is here in labels of a version (`vertex_labels`), and what concerns the
model as a whole in lines of its description: labels of a model show up among those of all its
versions, and are too short for a list.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import RegistryError
from pipeline.registry.object_storage import download
from pipeline.registry.registry import CHAMPION
from pipeline.registry.store import ModelVersion
from pipeline.registry.vertex_address import VertexAddress
from pipeline.registry.vertex_client import Patience, VertexClient
from pipeline.registry.vertex_labels import from_labels

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import Model

DEFAULT = "default"
"""Vertex AI's own alias: the version that is meant where none is named."""

_MS_PER_SECOND = 1000
_WITH_SOMEBODY_WAITING = Patience(request_seconds=30, longest_wait=8, retry_seconds=60)


class VertexStore:
    """The registry behind Vertex AI's API.

    Args:
        client: To the registry.
    """

    def __init__(self, client: VertexClient) -> None:
        self._client = client

    def versions(self, model: str) -> list[ModelVersion]:
        """See `RegistryStore`."""
        entries = [model_version(entry) for entry in self._client.versions(model)]
        return sorted(entries, key=lambda entry: entry.version)

    def model_tag(self, model: str, key: str) -> str | None:
        """See `RegistryStore`."""
        entry = self._client.model(model)
        found = None if entry is None else _line(key).search(entry.description)
        return None if found is None else found["value"]

    def set_model_tag(self, model: str, key: str, value: str) -> None:
        """See `RegistryStore`."""
        line = f"{_prefix(key)}{value}"

        def with_tag(description: str) -> str:
            if _line(key).search(description):
                return _line(key).sub(lambda _: line, description)
            return f"{description}\n{line}".lstrip("\n")

        self._client.describe(model, with_tag)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """See `RegistryStore`; who names no version gets the champion."""
        aliases = [alias, DEFAULT] if alias == CHAMPION else [alias]
        self._client.add_aliases(model, str(version), aliases)

    def download(self, source: str, target: Path) -> None:
        """See `RegistryStore`."""
        download(source, target)


def open_vertex_store(tracking_uri: str) -> VertexStore:
    """Returns the store for an address `vertex://PROJECT/REGION`.

    Raises:
        RegistryError: The address cannot be read.
    """
    try:
        address = VertexAddress.parse(tracking_uri)
    except ValueError as error:
        raise RegistryError(f"the model registry's address {error}") from None
    return VertexStore(VertexClient(address, _WITH_SOMEBODY_WAITING))


def model_version(entry: Model) -> ModelVersion:
    """Returns an entry of the API as the registry's own."""
    return ModelVersion(
        version=int(entry.version_id),
        created_ms=int(entry.version_create_time.timestamp() * _MS_PER_SECOND),
        source=entry.artifact_uri,
        run_id="",
        tags=from_labels(entry.labels),
        aliases=tuple(sorted(entry.version_aliases)),
    )


def _prefix(key: str) -> str:
    return f"pocketrec {key}: "


def _line(key: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(_prefix(key))}(?P<value>.*)$", re.MULTILINE)
