"""The app and a bundle as one site: what a server serves and an export writes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

from pipeline.demo.app import PAGE, WORKER
from pipeline.errors import DemoError
from pocketrec_device.bundle import Bundle
from pocketrec_device.errors import BundleError
from pocketrec_device.manifest import MANIFEST_FILE

BUNDLE_FOLDER = "bundle"
LITERT_PREFIX = "litert-"
_HASHED_FOLDER = "assets"
_METRICS_FILE = "metrics.json"
_WORKER_GLOBAL = "POCKETREC_SITE"
_POLICY = "content-security-policy"


@dataclasses.dataclass(frozen=True)
class SiteFile:
    """One file of the site.

    Attributes:
        content: As it is sent.
        sha256: Hexadecimal digest of the content.
        is_fixed: Whether another content would have another path, so that it may be kept for good.
    """

    content: bytes
    sha256: str
    is_fixed: bool


@dataclasses.dataclass(frozen=True)
class Site:
    """A whole site, in memory, so that it stays one version whatever happens to its sources.

    Attributes:
        files: By path, relative to the page, with slashes.
        policy: The page's Content Security Policy.
        version: Names the content of all files.
    """

    files: Mapping[str, SiteFile]
    policy: str
    version: str


def collect(app: Path, bundle: Path) -> Site:
    """Puts the built app and what it needs of a bundle together.

    A bundle's lineage and model card stay behind: the app does not read them, and lineage may name
    folders of the machine that trained.

    Args:
        app: The built app, see `find_app`.
        bundle: The bundle's folder.

    Raises:
        DemoError: The app is not what this version of PocketRec builds, or the bundle is damaged.
    """
    content = {
        path.relative_to(app).as_posix(): path.read_bytes()
        for path in sorted(app.rglob("*"))
        if path.is_file()
    }
    worker = content.pop(WORKER)
    content |= {f"{BUNDLE_FOLDER}/{name}": data for name, data in _bundle_files(bundle).items()}
    files = {path: _site_file(path, data) for path, data in content.items()}
    version = _version(files)
    files[WORKER] = _site_file(WORKER, _worker(worker, files, version))
    return Site(files, _policy(files[PAGE].content, app / PAGE), version)


def _bundle_files(folder: Path) -> dict[str, bytes]:
    try:
        bundle = Bundle.load(folder)
        manifest = bundle.manifest
        names = [manifest.vocabulary_file, manifest.catalogue_file, *manifest.variants.values()]
        if _METRICS_FILE in manifest.files:
            names.append(_METRICS_FILE)
        # As it is: its own digest is a part of what the registry keeps.
        files = {MANIFEST_FILE: (folder / MANIFEST_FILE).read_bytes()}
        return files | {name: bundle.read(name) for name in names}
    except BundleError as error:
        raise DemoError(str(error)) from None


def _site_file(path: str, content: bytes) -> SiteFile:
    top = PurePosixPath(path).parts[0]
    is_fixed = top == _HASHED_FOLDER or top.startswith(LITERT_PREFIX)
    return SiteFile(content, hashlib.sha256(content).hexdigest(), is_fixed)


def _version(files: Mapping[str, SiteFile]) -> str:
    listing = "".join(f"{files[path].sha256}  {path}\n" for path in sorted(files))
    return hashlib.sha256(listing.encode()).hexdigest()[:16]


def _worker(script: bytes, files: Mapping[str, SiteFile], version: str) -> bytes:
    """Returns the service worker with the list of what it keeps before its script."""
    site = {
        "version": version,
        "liteRt": _litert_folder(files),
        # The page is asked for by its folder alone.
        "files": {
            "" if path == PAGE else path: file.sha256 for path, file in sorted(files.items())
        },
    }
    return f"self.{_WORKER_GLOBAL} = {json.dumps(site)};\n".encode() + script


def _litert_folder(paths: Iterable[str]) -> str:
    for path in paths:
        top = PurePosixPath(path).parts[0]
        if top.startswith(LITERT_PREFIX):
            return f"{top}/"
    raise DemoError("the built app has no LiteRT; run `make web`, which builds it anew")


def _policy(page: bytes, source: Path) -> str:
    reader = _PolicyReader()
    reader.feed(page.decode("utf-8"))
    if reader.policy is None:
        raise DemoError(f"{source}: has no Content Security Policy; run `make web`")
    return reader.policy


class _PolicyReader(HTMLParser):
    """Finds a page's Content Security Policy."""

    def __init__(self) -> None:
        super().__init__()
        self.policy: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Looks at one element."""
        told = dict(attrs)
        if tag == "meta" and (told.get("http-equiv") or "").lower() == _POLICY:
            self.policy = told.get("content")
