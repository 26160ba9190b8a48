from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from pipeline.datasets.download import ATTEMPTS, download
from pipeline.datasets.releases import RELEASES, Release
from pipeline.errors import DataError

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves one file at any path, as well as told."""

    content = CONTENT
    md5_text = f"MD5 (ml-test.zip) = {MD5.upper()}\n"
    honours_ranges = True
    wrong_range = False
    cut_after: list[int]
    """Bytes after which each of the next responses breaks off."""
    failures: list[int]
    """Statuses of the next responses, before anything is served."""
    ranges: list[str | None]
    """The Range header of each request for the file."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cut_after, self.failures, self.ranges = [], [], []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/ml-test.zip"

    def release(self, md5: str | None = MD5) -> Release:
        return Release("ml-test", self.url, md5)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast(Server, self.server)
        if server.failures:
            self.send_error(server.failures.pop(0))
            return
        if self.path.endswith(".md5"):
            self._send(200, server.md5_text.encode())
            return
        wanted = self.headers["Range"]
        server.ranges.append(wanted)
        size = len(server.content)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if not wanted or not server.honours_ranges:
            self._send(200, server.content)
        elif start >= size:
            self._send(416, b"", f"bytes */{size}")
        else:
            start = 0 if server.wrong_range else start
            self._send(206, server.content[start:], f"bytes {start}-{size - 1}/{size}")

    def _send(self, status: int, body: bytes, content_range: str | None = None) -> None:
        server = cast(Server, self.server)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if server.cut_after and body:
            body = body[: server.cut_after.pop(0)]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keeps the test's output quiet."""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetch(release: Release, folder: Path) -> Path:
    return download(release, folder, progress=False, backoff_seconds=0.001)


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_whole_file(server: Server, tmp_path: Path) -> None:
    path = fetch(server.release(), tmp_path / "new" / "cache")

    assert path == tmp_path / "new" / "cache" / "ml-test.zip"
    assert path.read_bytes() == CONTENT
    assert visible(path.parent) == {"ml-test.zip"}
    assert server.ranges == [None]


def test_complete_file_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    fetch(server.release(), tmp_path)
    fetch(server.release(), tmp_path)

    assert len(server.ranges) == 1


def test_goes_on_after_a_cut(server: Server, tmp_path: Path) -> None:
    server.cut_after = [300_000, 500_000]

    path = fetch(server.release(), tmp_path)

    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=800000-"]


def test_goes_on_where_another_process_stopped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "ml-test.zip.part").write_bytes(CONTENT[:123_456])

    assert fetch(server.release(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=123456-"]


def test_everything_was_there_but_the_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / "ml-test.zip.part").write_bytes(CONTENT)

    assert fetch(server.release(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_more_was_there_than_the_file_holds(server: Server, tmp_path: Path) -> None:
    (tmp_path / "ml-test.zip.part").write_bytes(CONTENT + b"more")

    assert fetch(server.release(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT) + 4}-", None]


def test_server_that_ignores_ranges(server: Server, tmp_path: Path) -> None:
    server.honours_ranges = False
    (tmp_path / "ml-test.zip.part").write_bytes(CONTENT[:1000])

    assert fetch(server.release(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]


def test_server_that_sends_another_range(server: Server, tmp_path: Path) -> None:
    server.wrong_range = True
    (tmp_path / "ml-test.zip.part").write_bytes(CONTENT[:1000])

    assert fetch(server.release(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


def test_file_changed_between_two_tries(server: Server, tmp_path: Path) -> None:
    (tmp_path / "ml-test.zip.part").write_bytes(b"\xff" * 1000)

    assert fetch(server.release(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


def test_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        fetch(server.release("0" * 32), tmp_path)

    message = str(caught.value)
    assert f"MD5 sum of what was downloaded is {MD5}, published is {'0' * 32}" in message
    assert visible(tmp_path) == set()


def test_checksum_from_beside_the_file(server: Server, tmp_path: Path) -> None:
    assert fetch(server.release(md5=None), tmp_path).read_bytes() == CONTENT

    server.md5_text = f"{'1' * 32}  ml-test.zip\n"
    with pytest.raises(DataError, match=f"published is {'1' * 32}"):
        fetch(server.release(md5=None), tmp_path / "other")

    server.md5_text = "<html>moved</html>"
    with pytest.raises(DataError, match=r"holds no MD5 sum: '<html>moved</html>'"):
        fetch(server.release(md5=None), tmp_path / "another")


def test_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.failures = [503, 500, 429]

    assert fetch(server.release(), tmp_path).read_bytes() == CONTENT


def test_server_that_stays_busy(server: Server, tmp_path: Path) -> None:
    server.failures = [503] * ATTEMPTS

    with pytest.raises(DataError, match="HTTP status 503"):
        fetch(server.release(), tmp_path)
    assert server.failures == []


def test_refusal_is_final(server: Server, tmp_path: Path) -> None:
    server.failures = [404]

    with pytest.raises(DataError, match=r"ml-test.zip: HTTP status 404 Not Found"):
        fetch(server.release(), tmp_path)
    assert server.ranges == []


def test_cuts_with_progress_never_give_up(server: Server, tmp_path: Path) -> None:
    server.cut_after = [100_000] * (2 * ATTEMPTS)

    assert fetch(server.release(), tmp_path).read_bytes() == CONTENT
    assert len(server.ranges) == 2 * ATTEMPTS + 1


def test_cuts_without_progress_give_up_and_keep_the_part(server: Server, tmp_path: Path) -> None:
    server.cut_after = [1000] + [0] * ATTEMPTS

    with pytest.raises(DataError, match="connection ended after 1,000 of 1,024,000 bytes"):
        fetch(server.release(), tmp_path)
    assert (tmp_path / "ml-test.zip.part").read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("md5", [MD5, None])
def test_offline_names_the_three_ways_out(tmp_path: Path, md5: str | None) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/ml-test.zip"
        with pytest.raises(DataError) as caught:
            fetch(Release("ml-test", url, md5), tmp_path)

    message = str(caught.value)
    assert message.startswith(url)
    assert "may be offline" in message
    assert "(Failed to establish a new connection: [Errno 111] Connection refused)" in message
    assert "1. give the path of a folder or zip" in message
    assert "2. set $POCKETREC_DATA to a folder that holds ml-test or ml-test.zip" in message
    assert "3. take the data set 'sample'" in message


def test_failed_tls_says_so(server: Server, tmp_path: Path) -> None:
    url = server.url.replace("http:", "https:")

    with pytest.raises(DataError, match="certificate cannot be verified"):
        fetch(Release("ml-test", url, MD5), tmp_path)


def test_disk_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")

    with pytest.raises(DataError, match="cannot be written"):
        fetch(server.release(), tmp_path / "cache")


def test_official_releases() -> None:
    assert list(RELEASES) == [
        *("ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m"),
        *("ml-latest-small", "ml-latest"),
    ]
    for name, release in RELEASES.items():
        assert release.url == f"https://files.grouplens.org/datasets/movielens/{name}.zip"
        assert (release.md5 is None) == ("latest" in name)
        assert release.md5 is None or len(release.md5) == 32
