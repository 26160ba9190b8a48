"""Extraction of zip files that are not trusted."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from pipeline.datasets import atomic
from pipeline.errors import DataError

MAX_BYTES = 16 << 30
"""Most bytes an archive may unpack to; the largest MovieLens release takes about 1 GB."""

MAX_RATIO = 100
"""Most bytes out per byte in; ratings compress about 5:1, while bombs reach 1,000:1."""

RATIO_FREE_BYTES = 64 << 20
"""Archives that unpack to less than this may have any ratio."""

MAX_ENTRIES = 10_000

_CHUNK_BYTES = 1 << 20
_ENCRYPTED_FLAG = 0x1


def extract_zip(zip_path: Path, target: Path, *, max_bytes: int = MAX_BYTES) -> Path:
    """Unpacks an archive; the folder appears complete or not at all.

    Every entry is checked before the first byte is written: an archive with a path outside the
    target, an absolute path, a link or another special file, two entries of one name, encryption,
    or a suspicious size is refused as a whole.

    Args:
        zip_path: The archive.
        target: The folder to make; absent or empty. Its parent is created.
        max_bytes: Most bytes that may be unpacked.

    Returns:
        `target`.

    Raises:
        DataError: The archive is missing, damaged or refused, or the target is in use or cannot be
            written; names the archive and the entry.
    """
    try:
        with zipfile.ZipFile(zip_path) as archive, atomic.exclusive(target):
            if target.exists() and (not target.is_dir() or any(target.iterdir())):
                raise DataError(f"{target}: exists already; remove it to extract {zip_path} there")
            entries = _checked_entries(archive, zip_path, max_bytes)
            with atomic.new_folder(target) as folder:
                for entry in entries:
                    _extract_entry(archive, entry, folder, zip_path)
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{zip_path}: not a zip file, or a damaged one ({error}); fetch it again"
        ) from None
    except OSError as error:
        raise DataError(
            f"{zip_path}: cannot be extracted to {target}: {error.strerror or error}"
        ) from error
    return target


def _checked_entries(
    archive: zipfile.ZipFile, zip_path: Path, max_bytes: int
) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise DataError(
            f"{zip_path}: refused, it holds {len(entries):,} entries (at most {MAX_ENTRIES:,})"
        )
    names: set[PurePosixPath] = set()
    for entry in entries:
        reason = _refusal(entry, names)
        if reason:
            raise DataError(f"{zip_path}: refused, entry {entry.filename!r} {reason}")
        names.add(PurePosixPath(entry.filename))
    total = sum(entry.file_size for entry in entries)
    if total > max_bytes:
        raise DataError(
            f"{zip_path}: refused, it unpacks to {total:,} bytes (at most {max_bytes:,})"
        )
    packed = zip_path.stat().st_size
    if total > RATIO_FREE_BYTES and total > MAX_RATIO * packed:
        raise DataError(
            f"{zip_path}: refused, {packed:,} bytes unpack to {total:,}: "
            f"more than {MAX_RATIO} to 1, like a decompression bomb"
        )
    return entries


def _refusal(entry: zipfile.ZipInfo, names: set[PurePosixPath]) -> str | None:
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or "\\" in entry.filename or ":" in entry.filename:
        return "is not a relative path"
    if ".." in path.parts:
        return "leads outside of the archive"
    if not path.parts:
        return "has no name"
    if path in names:
        return "appears twice"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or another special file"
    if entry.flag_bits & _ENCRYPTED_FLAG:
        return "is encrypted"
    return None


def _extract_entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, zip_path: Path
) -> None:
    path = folder.joinpath(*PurePosixPath(entry.filename).parts)
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with archive.open(entry) as source, path.open("xb") as sink:
            while chunk := source.read(_CHUNK_BYTES):
                written += len(chunk)
                sink.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(
            f"{zip_path}: entry {entry.filename!r} cannot be read ({error}); fetch it again"
        ) from None
    if written != entry.file_size:
        raise DataError(
            f"{zip_path}: entry {entry.filename!r} holds {written:,} bytes instead of "
            f"{entry.file_size:,}; fetch it again"
        )
