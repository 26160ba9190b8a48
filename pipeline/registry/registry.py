"""List, show, promote, roll back, and find the bundle of a version."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

from pipeline.errors import RegistryError
from pipeline.registry.sqlite_store import local_path
from pipeline.registry.store import ModelVersion, RegistryStore, open_store
from pipeline.workspace import Workspace

CHAMPION = "champion"
"""Alias of the version that ships."""

CHAMPIONS_TAG = "champions"
"""Tag of the registered model: the versions that were champion, in order, as a JSON list."""

MODEL_NAME = "pocketrec"

_MOST_REMEMBERED = 200
_REGISTRY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_VERSION = re.compile(r"v?(\d+)")


@dataclasses.dataclass(frozen=True)
class Promotion:
    """A move of the champion.

    Attributes:
        version: The champion now.
        previous: The champion before, None where there was none.
    """

    version: int
    previous: int | None


class Registry:
    """One model's versions in a registry.

    Args:
        store: Where the entries are.
        model: The registered model's name.
        downloads: Folder for bundles that are not on this machine.
    """

    def __init__(self, store: RegistryStore, model: str, downloads: Path) -> None:
        self.model = model
        self._store = store
        self._downloads = downloads

    def versions(self) -> list[ModelVersion]:
        """Returns all versions, oldest first.

        Raises:
            RegistryError: There is none.
        """
        versions = self._store.versions(self.model)
        if not versions:
            raise RegistryError(
                f"the registry holds no version of {self.model!r} yet; `pocketrec run` registers "
                "one when its gates bless the model (another place? see --workspace and "
                "--tracking-uri)"
            )
        return versions

    def find(self, reference: str) -> ModelVersion:
        """Returns the version that an alias or a number ("3", "v3") names.

        Raises:
            RegistryError: None does; lists what there is.
        """
        versions = self.versions()
        number = _VERSION.fullmatch(reference)
        for version in versions:
            if reference in version.aliases or (number and int(number[1]) == version.version):
                return version
        known = [str(version.version) for version in versions]
        aliases = sorted(alias for version in versions for alias in version.aliases)
        raise RegistryError(
            f"no version or alias {reference!r} of {self.model!r}; versions: {', '.join(known)}; "
            f"aliases: {', '.join(aliases) or 'none'}"
        )

    def bundle_path(self, version: ModelVersion) -> Path:
        """Returns the folder of the version's bundle, fetched where it is not on this machine.

        Raises:
            RegistryError: It is gone.
        """
        folder = local_path(version.source)
        if folder is None:
            bundle_id = version.tags.get("bundle_id", "unknown")
            folder = self._downloads / f"{self.model}-{version.version}-{bundle_id[:12]}"
            if not folder.is_dir():
                self._store.download(version.source, folder)
        if not folder.is_dir():
            raise RegistryError(
                f"the bundle of version {version.version} is gone from {folder}; take another "
                "version, or push the model again"
            )
        return folder

    def promote(self, reference: str) -> Promotion:
        """Makes a version the champion, once its bundle is found whole.

        Raises:
            RegistryError: No such version, or its bundle is damaged.
        """
        version = self.find(reference)
        self._verify(version)
        current = self.champion(self.versions())
        if current is not None and current.version == version.version:
            return Promotion(version.version, current.version)
        history = self._champions_up_to(current)
        return self._move_champion(version, current, [*history, version.version])

    def rollback(self) -> Promotion:
        """Makes the champion before the present one champion again.

        Raises:
            RegistryError: There is no champion, none before it, or its bundle is damaged.
        """
        versions = {version.version: version for version in self.versions()}
        current = self.champion(list(versions.values()))
        if current is None:
            raise RegistryError(
                f"{self.model!r} has no champion to roll back from; promote a version first"
            )
        history = self._champions_up_to(current)
        while history and (history[-1] == current.version or history[-1] not in versions):
            history.pop()
        if not history:
            raise RegistryError(
                f"version {current.version} is the first champion of {self.model!r}; "
                "there is none to roll back to (promote picks any version)"
            )
        version = versions[history[-1]]
        self._verify(version)
        return self._move_champion(version, current, history)

    def champion(self, versions: list[ModelVersion]) -> ModelVersion | None:
        """Returns the champion among `versions`, None where there is none."""
        return next((version for version in versions if CHAMPION in version.aliases), None)

    def _move_champion(
        self, version: ModelVersion, current: ModelVersion | None, history: list[int]
    ) -> Promotion:
        # The list first: should a kill keep the alias from following, the list is cut again.
        text = json.dumps(history[-_MOST_REMEMBERED:])
        self._store.set_model_tag(self.model, CHAMPIONS_TAG, text)
        self._store.set_alias(self.model, CHAMPION, version.version)
        return Promotion(version.version, None if current is None else current.version)

    def _champions_up_to(self, current: ModelVersion | None) -> list[int]:
        """Returns the champions in order; the last is the present one."""
        history = self._past_champions()
        if current is None:
            return history
        if current.version not in history:
            # Someone moved the alias by other means.
            return [*history, current.version]
        while history[-1] != current.version:
            history.pop()
        return history

    def _past_champions(self) -> list[int]:
        text = self._store.model_tag(self.model, CHAMPIONS_TAG)
        try:
            return [int(number) for number in json.loads(text)] if text else []
        except (ValueError, TypeError):
            raise RegistryError(
                f"tag {CHAMPIONS_TAG!r} of {self.model!r} is {text!r}, must be a JSON list of "
                "versions; mend or delete the tag"
            ) from None

    def _verify(self, version: ModelVersion) -> None:
        from pocketrec_device.bundle import Bundle
        from pocketrec_device.errors import BundleError

        folder = self.bundle_path(version)
        try:
            Bundle.load(folder).verify()
        except BundleError as error:
            if local_path(version.source) is None:
                # A copy: the next attempt fetches the files anew.
                shutil.rmtree(folder)
            raise RegistryError(
                f"version {version.version} cannot become champion: {error}"
            ) from None


def open_registry(
    workspace: Workspace, tracking_uri: str | None = None, model_name: str = MODEL_NAME
) -> Registry:
    """Returns the registry of a workspace, or the one at `tracking_uri`.

    Args:
        workspace: Its sqlite registry is the default; downloads are kept in it.
        tracking_uri: Another MLflow server or database.
        model_name: The registered model's name.
    """
    store = open_store(tracking_uri or workspace.tracking_uri)
    return Registry(store, model_name, workspace.registry / "bundles")


def is_registry_name(reference: str) -> bool:
    """Tells whether a reference looks like an alias or a version, not like a path or a title."""
    return _REGISTRY_NAME.fullmatch(reference) is not None


def resolve_bundle(
    reference: str,
    workspace: Workspace,
    tracking_uri: str | None = None,
    model_name: str = MODEL_NAME,
) -> Path:
    """Returns the bundle folder that an alias, a version or a path names.

    A plain name is an alias or version; a folder in the current directory is `./name`.

    Raises:
        RegistryError: There is no such folder or version.
    """
    if is_registry_name(reference):
        registry = open_registry(workspace, tracking_uri, model_name)
        return registry.bundle_path(registry.find(reference))
    path = Path(reference).expanduser()
    if not path.is_dir():
        raise RegistryError(
            f"{reference}: no such folder; give a bundle's folder, or a version or alias of the "
            f"registry (such as {CHAMPION!r})"
        )
    return path
