"""Any registry that MLflow's client reaches."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import RegistryError
from pipeline.registry.store import ModelVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE = 200


def mlflow_client(tracking_uri: str) -> MlflowClient:
    """Returns MLflow's client for runs and registry at `tracking_uri`; imports MLflow.

    Raises:
        RegistryError: The server or database cannot be opened.
    """
    _configure_client()
    if tracking_uri.startswith("sqlite:///"):
        from pipeline.registry.store import sqlite_path

        sqlite_path(tracking_uri).parent.mkdir(parents=True, exist_ok=True)
    from mlflow import MlflowClient

    try:
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    except Exception as error:
        raise RegistryError(
            f"{tracking_uri}: the model registry cannot be opened ({_reason(error)}); "
            "check the tracking URI, or restore the database"
        ) from None


def _configure_client() -> None:
    """Sets what MLflow's client reads from the environment, some of it when it is imported."""
    # What is registered is nobody else's business.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Through the server, not by links into its store, which only a cluster's inside may follow.
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "false")


class ClientStore:
    """The registry behind MLflow's client.

    Args:
        tracking_uri: Of the server or database.
    """

    def __init__(self, tracking_uri: str) -> None:
        self._tracking_uri = tracking_uri
        self._client = mlflow_client(tracking_uri)

    def versions(self, model: str) -> list[ModelVersion]:
        """See `RegistryStore`."""
        return client_versions(self._client, model)

    def model_tag(self, model: str, key: str) -> str | None:
        """See `RegistryStore`."""
        registered = find_model(self._client, model)
        return None if registered is None else registered.tags.get(key)

    def set_model_tag(self, model: str, key: str, value: str) -> None:
        """See `RegistryStore`."""
        self._client.set_registered_model_tag(model, key, value)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """See `RegistryStore`."""
        self._client.set_registered_model_alias(model, alias, str(version))

    def download(self, source: str, target: Path) -> None:
        """See `RegistryStore`."""
        download_artifacts(source, target, tracking_uri=self._tracking_uri)


def find_model(client: MlflowClient, model: str) -> Any | None:
    """Returns the registered model of that name, None where there is none."""
    found = client.search_registered_models(f"name = '{model}'")
    return found[0] if found else None


def client_versions(client: MlflowClient, model: str) -> list[ModelVersion]:
    """Returns the model's versions, oldest first."""
    registered = find_model(client, model)
    if registered is None:
        return []
    aliases: dict[int, list[str]] = {}
    for alias, version in sorted(registered.aliases.items()):
        aliases.setdefault(int(version), []).append(alias)
    entries = []
    token: str | None = None
    while True:
        page = client.search_model_versions(
            f"name = '{model}'", max_results=_PAGE, page_token=token
        )
        entries += list(page)
        token = page.token
        if not token:
            break
    return sorted(
        (
            ModelVersion(
                version=int(entry.version),
                created_ms=int(entry.creation_timestamp),
                source=entry.source,
                run_id=entry.run_id or "",
                tags=dict(sorted(entry.tags.items())),
                aliases=tuple(aliases.get(int(entry.version), [])),
            )
            for entry in entries
        ),
        key=lambda version: version.version,
    )


def download_artifacts(source: str, target: Path, *, tracking_uri: str) -> None:
    """Copies the folder behind an artifact URI to `target`, which appears whole or not at all."""
    _configure_client()
    from mlflow.artifacts import download_artifacts as download

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as scratch:
        local = download(artifact_uri=source, dst_path=scratch, tracking_uri=tracking_uri)
        Path(local).rename(target)


def _reason(error: Exception) -> str:
    # SQLAlchemy adds the query and a link to its manual, on lines of their own.
    return next(iter(str(error).strip().splitlines()), "")
