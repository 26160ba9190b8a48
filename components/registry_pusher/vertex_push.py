"""Puts a bundle into Vertex AI's Model Registry: a version is whole or does not exist.

The files go into object storage first, into a folder that is named by their content and that nobody
reads from; they are read back and compared; then one upload makes the version, with all its labels;
the champion moves last. A push that was killed is found by the bundle's id when it is repeated:
what it left behind is either a version, which is used, or files without one, which are written over
by the same bytes. Should two pushes of one bundle meet all the same, one version of it is kept.

The folder's name tells which bundle a version holds: it cannot be changed, and is the version's
own, where labels can be edited and are shown mixed with those of the model.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from components.registry_pusher.push import BUNDLE_ID_TAG, Pushed, files_of
from pipeline.errors import RegistryError
from pipeline.registry import object_storage
from pipeline.registry.registry import Registry
from pipeline.registry.store import ModelVersion
from pipeline.registry.training import TRAINING_PATH, training_source
from pipeline.registry.vertex_client import VertexClient
from pipeline.registry.vertex_labels import to_labels
from pipeline.registry.vertex_store import VertexStore, model_version
from pocketrec_device.bundle import Bundle
from pocketrec_device.errors import BundleError
from pocketrec_device.manifest import MANIFEST_FILE

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import Model

_SHORT = 16
_log = logging.getLogger(__name__)


class VertexPusher:
    """Pushes bundles of one model.

    Args:
        client: To the registry.
        artifact_root: Address of the folder that holds the bundles of all models.
        container_image: That Vertex AI wants with a model's files.
        model: Id of the registered model.
    """

    def __init__(
        self, client: VertexClient, *, artifact_root: str, container_image: str, model: str
    ) -> None:
        self._client = client
        self._store = VertexStore(client)
        self._artifact_root = artifact_root.rstrip("/")
        self._container_image = container_image
        self._model = model

    def push(
        self,
        bundle_dir: Path,
        *,
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
        training_dir: Path | None = None,
    ) -> Pushed:
        """See `BundlePusher`."""
        bundle = Bundle.load(bundle_dir)
        bundle.verify()
        bundle_id = bundle.manifest.bundle_id
        labels = to_labels({**tags, BUNDLE_ID_TAG: bundle_id})
        there = self._versions_of(bundle_id)
        if there:
            source = there[0].source
        else:
            source = f"{self._artifact_root}/{self._model}/{folder_name(bundle_dir, bundle_id)}"
        if training_dir is not None:
            _put_training(training_dir, training_source(source))
        self._put(bundle_dir, bundle_id, source)
        if there:
            version = there[0]
        else:
            entry = self._client.upload(
                self._model,
                self._new_version(source, labels, description(bundle_id, metrics)),
                lambda entry: _names(entry.artifact_uri, bundle_id),
            )
            version = model_version(entry)
        version = self._without_doubles(version, bundle_id)
        with tempfile.TemporaryDirectory() as downloads:
            registry = Registry(self._store, self._model, Path(downloads))
            promotion = registry.promote(str(version.version))
        return Pushed(version.version, version.source, version.run_id, promotion.previous)

    def _versions_of(self, bundle_id: str) -> list[ModelVersion]:
        """Returns the versions with a bundle, the one to keep first."""
        found = [
            version
            for version in self._store.versions(self._model)
            if _names(version.source, bundle_id)
        ]
        # A version that has a name is in use.
        return sorted(found, key=lambda version: (not version.aliases, version.version))

    def _without_doubles(self, version: ModelVersion, bundle_id: str) -> ModelVersion:
        """Returns the version of a bundle that stays, where pushes at one time made several."""
        kept, *others = self._versions_of(bundle_id) or [version]
        for other in others:
            if other.aliases:
                _log.warning(
                    "%s: version %d has the same bundle as version %d, and stays because of its "
                    "aliases %s",
                    *(self._model, other.version, kept.version, ", ".join(other.aliases)),
                )
                continue
            _log.warning(
                "%s: version %d is deleted, its bundle is version %d's",
                *(self._model, other.version, kept.version),
            )
            self._client.delete_version(self._model, str(other.version))
        return kept

    def _put(self, bundle_dir: Path, bundle_id: str, address: str) -> None:
        """Has the bundle's files lie at an address, where they do not already."""
        if _whole_bundle(address) == bundle_id:
            return
        object_storage.copy_to(bundle_dir, address)
        arrived = _whole_bundle(address)
        if arrived != bundle_id:
            raise RegistryError(
                f"{address}: not the bundle that was sent ({arrived or 'damaged'}); is somebody "
                "else writing there? Push again"
            )

    def _new_version(self, source: str, labels: dict[str, str], text: str) -> Model:
        from google.cloud.aiplatform_v1 import Model, ModelContainerSpec

        return Model(
            display_name=self._model,
            version_description=text,
            artifact_uri=source,
            container_spec=ModelContainerSpec(image_uri=self._container_image),
            labels=labels,
        )


def _put_training(training_dir: Path, address: str) -> None:
    """Has what a later training may begin with lie at an address."""
    sent = files_of(training_dir)
    if _files_at(address) == sent:
        return
    object_storage.copy_to(training_dir, address)
    if _files_at(address) != sent:
        raise RegistryError(f"{address}: holds other files than those that were sent; push again")


def _files_at(address: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / TRAINING_PATH
        try:
            object_storage.download(address, folder)
        except object_storage.NothingThereError:
            return {}
        return files_of(folder)


def folder_name(bundle_dir: Path, bundle_id: str) -> str:
    """Returns a name that stands for the bytes of a bundle.

    The bundle's id leaves out where a model comes from; the manifest's hash covers every file.
    """
    manifest = hashlib.sha256((bundle_dir / MANIFEST_FILE).read_bytes()).hexdigest()
    return f"{bundle_id}-{manifest[:_SHORT]}"


def _names(address: str, bundle_id: str) -> bool:
    return address.rstrip("/").rpartition("/")[2].startswith(f"{bundle_id}-")


def description(bundle_id: str, metrics: Mapping[str, float]) -> str:
    """Returns what the console shows of a version."""
    measured = [f"{name} {value:.6f}" for name, value in sorted(metrics.items())]
    lines = [f"Bundle {bundle_id}: runs on devices, not behind an endpoint."]
    if measured:
        lines.append(f"Test windows: {', '.join(measured)}.")
    return "\n".join(lines)


def _whole_bundle(address: str) -> str | None:
    """Returns the id of the bundle at an address, None where there is no whole one."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        try:
            object_storage.download(address, folder)
            bundle = Bundle.load(folder)
            bundle.verify()
        except (object_storage.NothingThereError, BundleError) as error:
            _log.info("%s: %s", address, error)
            return None
        return bundle.manifest.bundle_id
