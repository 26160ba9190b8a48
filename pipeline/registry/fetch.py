"""A registered bundle, copied out of the registry for an app."""

from __future__ import annotations

from pathlib import Path

from pipeline.datasets.atomic import exclusive, lock_elsewhere, new_folder
from pipeline.errors import RegistryError
from pocketrec_device import Bundle, DeviceError
from pocketrec_device.manifest import MANIFEST_FILE


def fetch_bundle(bundle: Path, target: Path) -> int:
    """Copies a bundle's files, each checked against its digest; `target` is whole or as it was.

    Args:
        bundle: The registered bundle's folder.
        target: The folder to make; absent, empty, or an earlier bundle, which is replaced.

    Returns:
        Bytes copied.

    Raises:
        RegistryError: The bundle is damaged, or `target` holds something else or cannot be written.
    """
    target = target.expanduser().resolve()
    try:
        loaded = Bundle.load(bundle)
        contents = {name: loaded.read(name) for name in sorted(loaded.manifest.files)}
    except DeviceError as error:
        raise RegistryError(str(error)) from None
    contents[MANIFEST_FILE] = (bundle / MANIFEST_FILE).read_bytes()
    try:
        _refuse_foreign(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(lock_elsewhere(target)), new_folder(target, replace=True) as folder:
            for name, content in contents.items():
                place = folder.joinpath(*name.split("/"))
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
    except OSError as error:
        raise RegistryError(
            f"{target}: cannot be written ({error.strerror}); give another folder"
        ) from None
    return sum(map(len, contents.values()))


def _refuse_foreign(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise RegistryError(f"{target}: is no folder; give another")
    if any(target.iterdir()) and not (target / MANIFEST_FILE).is_file():
        raise RegistryError(f"{target}: holds something that is no bundle; give another folder")
