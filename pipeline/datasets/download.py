"""Resumable, checked downloads."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

import requests

from pipeline.datasets import atomic
from pipeline.datasets.releases import Release
from pipeline.errors import DataError
from pipeline.progress.bar import BYTES, bar

ATTEMPTS = 4
"""Tries in a row that bring no new byte."""

TIMEOUT_SECONDS = (10.0, 30.0)
"""For the connection, and for silence in the middle of a transfer."""

_CHUNK_BYTES = 1 << 18
_BUSY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class _TransferError(Exception):
    """A try that failed in a way that another one may mend."""


def download(
    release: Release, cache_dir: Path, *, progress: bool = True, backoff_seconds: float = 0.5
) -> Path:
    """Fetches a release's zip file, going on where an interrupted download stopped.

    Bytes are collected in `<name>.zip.part`; the zip file appears when its MD5 sum is right. A sum
    that is wrong after a resumed download (the file may have changed in between) leads to one
    fresh start.

    Args:
        release: What to fetch.
        cache_dir: Where to; created.
        progress: Shows a progress bar on stderr.
        backoff_seconds: The wait after the first failed try; doubles with each further one.

    Returns:
        The path of the zip file. A complete one that is there already is taken as it is.

    Raises:
        DataError: Offline, refused by the server, a wrong checksum or a full disk; names the other
            ways to the data.
    """
    target = cache_dir / f"{release.name}.zip"
    part = cache_dir / f"{release.name}.zip.part"
    try:
        with atomic.exclusive(target), requests.Session() as session:
            # A proxy or server that compresses would break byte ranges and the length check.
            session.headers["Accept-Encoding"] = "identity"
            if target.exists():
                return target
            expected = release.md5 or _published_md5(session, release, backoff_seconds)
            _fetch_checked(session, release, part, expected, progress, backoff_seconds)
            with part.open("rb") as complete:
                os.fsync(complete.fileno())
            part.replace(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from error
    return target


def ways_out(name: str) -> str:
    """Returns the advice for whoever cannot download `name`."""
    return (
        "Three ways on without a download:\n"
        f"  1. give the path of a folder or zip that holds a MovieLens release "
        f"instead of {name!r}\n"
        f"  2. set $POCKETREC_DATA to a folder that holds {name} or {name}.zip\n"
        "  3. take the data set 'sample', which is generated on the spot"
    )


def _fetch_checked(
    session: requests.Session,
    release: Release,
    part: Path,
    expected: str,
    progress: bool,
    backoff_seconds: float,
) -> None:
    resumed = part.exists() and part.stat().st_size > 0
    _fetch(session, release, part, progress, backoff_seconds)
    found = _md5(part)
    if found != expected and resumed:
        part.unlink()
        _fetch(session, release, part, progress, backoff_seconds)
        found = _md5(part)
    if found != expected:
        part.unlink()
        raise DataError(
            f"{release.url}: the MD5 sum of what was downloaded is {found}, published is "
            f"{expected}; the download was discarded.\n{ways_out(release.name)}"
        )


def _fetch(
    session: requests.Session, release: Release, part: Path, progress: bool, backoff_seconds: float
) -> None:
    """Brings `part` to the length that the server tells, over as many tries as bring bytes."""
    fruitless = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _transfer(session, release, part, progress)
            return
        except (_TransferError, requests.RequestException) as error:
            after = part.stat().st_size if part.exists() else 0
            fruitless = 0 if after > before else fruitless + 1
            if fruitless == ATTEMPTS or not _may_pass(error):
                raise _unreachable(release, release.url, error) from None
            time.sleep(backoff_seconds * 2 ** max(0, fruitless - 1))


def _transfer(session: requests.Session, release: Release, part: Path, progress: bool) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with session.get(
        release.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS
    ) as response:
        status = response.status_code
        if status == requests.codes.requested_range_not_satisfiable and have:
            _judge_unsatisfiable(response, part, have)
            return
        _check_status(release, response)
        if status != requests.codes.partial_content:
            have = 0  # the whole file comes, whatever was asked for
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise _TransferError(
                f"the server sent another range: {response.headers.get('Content-Range')!r}"
            )
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        with (
            part.open("ab" if have else "wb") as sink,
            bar(release.name, total, BYTES, done=have, shown=progress) as advance,
        ):
            for chunk in response.iter_content(_CHUNK_BYTES):
                sink.write(chunk)
                advance(len(chunk))
    size = part.stat().st_size
    if total is not None and size != total:
        raise _TransferError(f"the connection ended after {size:,} of {total:,} bytes")


def _judge_unsatisfiable(response: requests.Response, part: Path, have: int) -> None:
    """Nothing follows what we have: it is complete, or it is not a piece of this file."""
    if response.headers.get("Content-Range") != f"bytes */{have}":
        part.unlink()
        raise _TransferError("the file on the server is shorter than what was downloaded before")


def _check_status(release: Release, response: requests.Response) -> None:
    if response.ok:
        return
    message = f"HTTP status {response.status_code} {response.reason}"
    if response.status_code in _BUSY_STATUSES:
        raise _TransferError(message)
    raise DataError(f"{response.url}: {message}.\n{ways_out(release.name)}")


def _published_md5(session: requests.Session, release: Release, backoff_seconds: float) -> str:
    for attempt in range(ATTEMPTS):
        try:
            response = session.get(release.md5_url, timeout=TIMEOUT_SECONDS)
            _check_status(release, response)
            break
        except (_TransferError, requests.RequestException) as error:
            if attempt == ATTEMPTS - 1 or not _may_pass(error):
                raise _unreachable(release, release.md5_url, error) from None
            time.sleep(backoff_seconds * 2**attempt)
    found = re.search(r"\b[0-9a-fA-F]{32}\b", response.text)
    if found is None:
        raise DataError(
            f"{release.md5_url}: holds no MD5 sum: {response.text[:80]!r}.\n"
            f"{ways_out(release.name)}"
        )
    return found[0].lower()


def _may_pass(error: Exception) -> bool:
    """Says whether another try may succeed."""
    passing = (
        _TransferError,
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    return isinstance(error, passing) and not isinstance(error, requests.exceptions.SSLError)


def _unreachable(release: Release, url: str, error: Exception) -> DataError:
    if isinstance(error, requests.exceptions.SSLError):
        what = f"the server's certificate cannot be verified ({_cause(error)})"
    elif isinstance(error, _TransferError):
        what = str(error)
    else:
        what = f"cannot be reached; this machine may be offline ({_cause(error)})"
    return DataError(f"{url}: {what}.\n{ways_out(release.name)}")


def _cause(error: Exception) -> str:
    """Returns the reason alone from an exception that holds others, each in its brackets."""
    text = re.sub(r"<[^>]*>:?\s*", "", str(error)).rsplit("Caused by ", 1)[-1]
    text = re.sub(r"""^(\w+\((\d+, )?['"]?)+""", "", text)
    return text.strip("()'\" ") or type(error).__name__


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
