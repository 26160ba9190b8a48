"""Puts a bundle into MLflow's model registry: a version is whole or does not exist.

The files go into a run first, which nobody reads from; they are compared with what was sent; then
the version is created with all its tags in one call; the champion moves last. A push that was
killed is found by the bundle's id when it is repeated: what it left behind is either a whole
version, which is used, or a run without a version, which is deleted.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import RegistryError
from pipeline.registry.client_store import (
    ClientStore,
    client_versions,
    download_artifacts,
    find_model,
    mlflow_client,
)
from pipeline.registry.registry import Registry
from pipeline.registry.sqlite_store import local_path
from pipeline.registry.store import ModelVersion
from pipeline.registry.training import BUNDLE_PATH, TRAINING_PATH, training_source
from pocketrec_device.bundle import Bundle
from pocketrec_device.errors import BundleError

if TYPE_CHECKING:
    from mlflow import MlflowClient

BUNDLE_ID_TAG = "bundle_id"

ABANDONED_AFTER_HOURS = 24
"""Runs of other bundles that are unfinished for so long are taken for killed pushes."""

_MS_PER_HOUR = 3_600_000
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Pushed:
    """Where a bundle went.

    Attributes:
        version: Its version in the registry.
        source: URI of the bundle's files.
        run_id: MLflow run that holds them; "" in other registries.
        previous_champion: The champion before, None where there was none.
    """

    version: int
    source: str
    run_id: str
    previous_champion: int | None


class Pusher:
    """Pushes bundles of one model.

    Args:
        tracking_uri: MLflow server or database.
        artifact_root: Where a new experiment keeps its files; "" leaves it to the server.
        model: Name of the registered model, and of the experiment.
    """

    def __init__(self, *, tracking_uri: str, artifact_root: str, model: str) -> None:
        self._tracking_uri = tracking_uri
        self._artifact_root = artifact_root
        self._model = model
        self._client: MlflowClient = mlflow_client(tracking_uri)

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
            metrics: Logged to the run.
            training_dir: What a later training may begin with; None where there is nothing.

        Raises:
            RegistryError: What arrived in the registry is not what was sent.
            BundleError: The bundle itself is damaged.
        """
        bundle = Bundle.load(bundle_dir)
        bundle.verify()
        bundle_id = bundle.manifest.bundle_id
        experiment_id = self._experiment()
        version = self._whole_version(bundle_dir, bundle_id)
        self._discard_leftovers(experiment_id, bundle_id)
        if version is None:
            version = self._create_version(
                experiment_id, bundle_dir, bundle_id, tags, metrics, training_dir
            )
        elif training_dir is not None:
            # A version of before may have none.
            self._add_training(version.run_id, version.source, training_dir)
        store = ClientStore(self._tracking_uri)
        with tempfile.TemporaryDirectory() as downloads:
            promotion = Registry(store, self._model, Path(downloads)).promote(str(version.version))
        return Pushed(version.version, version.source, version.run_id, promotion.previous)

    def _experiment(self) -> str:
        experiment = self._client.get_experiment_by_name(self._model)
        if experiment is None:
            return str(
                self._client.create_experiment(
                    self._model, artifact_location=self._artifact_root or None
                )
            )
        if experiment.lifecycle_stage != "active":
            raise RegistryError(
                f"MLflow experiment {self._model!r} at {self._tracking_uri} was deleted; restore "
                "it, or set another registry.model_name"
            )
        return str(experiment.experiment_id)

    def _whole_version(self, bundle_dir: Path, bundle_id: str) -> ModelVersion | None:
        for version in client_versions(self._client, self._model):
            if version.tags.get(BUNDLE_ID_TAG) != bundle_id:
                continue
            try:
                self._compare(version.source, bundle_dir)
            except RegistryError as error:
                _log.warning("version %s is replaced: %s", version.version, error)
                self._client.delete_model_version(self._model, str(version.version))
                continue
            return version
        return None

    def _discard_leftovers(self, experiment_id: str, bundle_id: str) -> None:
        in_use = {version.run_id for version in client_versions(self._client, self._model)}
        abandoned = int(time.time() * 1000) - ABANDONED_AFTER_HOURS * _MS_PER_HOUR
        same = f"tags.{BUNDLE_ID_TAG} = '{bundle_id}'"
        old = f"attributes.status = 'RUNNING' AND attributes.start_time < {abandoned}"
        for condition in (same, old):
            for run in self._client.search_runs([experiment_id], condition):
                if run.info.run_id not in in_use and BUNDLE_ID_TAG in run.data.tags:
                    self._delete_run(run)

    def _delete_run(self, run: Any) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        _log.info("deleting run %s, left behind by an interrupted push", run.info.run_id)
        folder = local_path(run.info.artifact_uri)
        if folder is None:
            get_artifact_repository(
                run.info.artifact_uri, tracking_uri=self._tracking_uri
            ).delete_artifacts()
        elif folder.parent.name == run.info.run_id:
            shutil.rmtree(folder.parent, ignore_errors=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        # The entry goes last: while it is there, the files can be found again.
        self._client.delete_run(run.info.run_id)

    def _create_version(
        self,
        experiment_id: str,
        bundle_dir: Path,
        bundle_id: str,
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
        training_dir: Path | None,
    ) -> ModelVersion:
        tags = {**tags, BUNDLE_ID_TAG: bundle_id}
        run = self._client.create_run(
            experiment_id,
            run_name=f"{self._model}-{bundle_id[:12]}",
            tags={key: value for key, value in tags.items() if not key.startswith("sha256/")},
        )
        run_id = run.info.run_id
        source = f"{run.info.artifact_uri.rstrip('/')}/{BUNDLE_PATH}"
        if training_dir is not None:
            self._add_training(run_id, source, training_dir)
        self._client.log_artifacts(run_id, str(bundle_dir), BUNDLE_PATH)
        for name, value in metrics.items():
            self._client.log_metric(run_id, name, value)
        self._compare(source, bundle_dir)
        self._client.set_terminated(run_id)
        if find_model(self._client, self._model) is None:
            self._client.create_registered_model(self._model)
        created = self._client.create_model_version(
            self._model, source, run_id=run_id, tags=dict(tags)
        )
        number = int(created.version)
        return next(
            version
            for version in client_versions(self._client, self._model)
            if version.version == number
        )

    def _add_training(self, run_id: str, source: str, training_dir: Path) -> None:
        """Puts the folder beside the bundle, unless it is there already.

        Raises:
            RegistryError: What arrived is not what was sent.
        """
        uri = training_source(source)
        sent = files_of(training_dir)
        if self._arrived(run_id, uri) == sent:
            return
        self._client.log_artifacts(run_id, str(training_dir), TRAINING_PATH)
        if self._arrived(run_id, uri) != sent:
            raise RegistryError(f"{uri}: holds other files than those that were sent")

    def _arrived(self, run_id: str, uri: str) -> dict[str, bytes]:
        if not self._client.list_artifacts(run_id, TRAINING_PATH):
            return {}
        folder = local_path(uri)
        if folder is not None:
            return files_of(folder)
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / TRAINING_PATH
            download_artifacts(uri, target, tracking_uri=self._tracking_uri)
            return files_of(target)

    def _compare(self, source: str, bundle_dir: Path) -> None:
        """Raises `RegistryError` where the files at `source` are not those of `bundle_dir`."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = local_path(source)
            if folder is None:
                folder = Path(scratch) / BUNDLE_PATH
                download_artifacts(source, folder, tracking_uri=self._tracking_uri)
            try:
                Bundle.load(folder).verify()
            except BundleError as error:
                raise RegistryError(f"{source}: not the bundle that was sent ({error})") from None
            sent = Bundle.load(bundle_dir).manifest
            arrived = Bundle.load(folder).manifest
            if sent.bundle_id != arrived.bundle_id:
                raise RegistryError(
                    f"{source}: holds bundle {arrived.bundle_id}, not {sent.bundle_id}"
                )


def files_of(folder: Path) -> dict[str, bytes]:
    """Returns digests of all files below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
