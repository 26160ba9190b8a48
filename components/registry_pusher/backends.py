"""The registries that a bundle can be pushed to; the registry's address chooses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from components.registry_pusher.push import Pushed, Pusher
from components.registry_pusher.vertex_push import VertexPusher
from pipeline.errors import RegistryError
from pipeline.registry.vertex_address import check_place, is_vertex
from pipeline.registry.vertex_client import VertexClient


class BundlePusher(Protocol):
    """Pushes bundles of one model."""

    def push(
        self,
        bundle_dir: Path,
        *,
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
        training_dir: Path | None = None,
    ) -> Pushed:
        """Registers a bundle and makes it champion; repeating it changes nothing.

        Args:
            bundle_dir: A whole bundle.
            tags: Of the new version; the bundle's id is added.
            metrics: What was measured, by name.
            training_dir: What a later training may begin with; None where there is nothing.

        Raises:
            RegistryError: The registry refuses, or what arrived is not what was sent.
            BundleError: The bundle itself is damaged.
        """


def open_pusher(
    *, tracking_uri: str, artifact_root: str, container_image: str, model: str
) -> BundlePusher:
    """Returns the pusher for a registry.

    Args:
        tracking_uri: MLflow server or database, or `vertex://PROJECT/REGION`.
        artifact_root: Where bundles are kept; "" leaves it to an MLflow server.
        container_image: That Vertex AI wants with a model; nothing to MLflow.
        model: Name of the registered model.

    Raises:
        RegistryError: The registry cannot be opened, or cannot take bundles from there.
    """
    if not is_vertex(tracking_uri):
        return Pusher(tracking_uri=tracking_uri, artifact_root=artifact_root, model=model)
    try:
        address = check_place(
            tracking_uri, model=model, artifact_root=artifact_root, container_image=container_image
        )
    except ValueError as error:
        raise RegistryError(str(error)) from None
    return VertexPusher(
        VertexClient(address),
        artifact_root=artifact_root,
        container_image=container_image,
        model=model,
    )
