from __future__ import annotations

import functools
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.config.root import GeneratorConfig
from pipeline.datasets.releases import Release
from pipeline.datasets.resolve import fetch_release, resolve_dataset
from pipeline.errors import DataError
from pipeline.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.at(tmp_path / "workspace")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POCKETREC_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keeps the test's output quiet."""


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    """A release `ml-1m` on a server that runs for the time of the test."""
    public = tmp_path / "public"
    public.mkdir()
    with zipfile.ZipFile(public / "ml-1m.zip", "w") as archive:
        archive.writestr("ml-1m/ratings.dat", "1::1193::5::978300760\n")
    handler = functools.partial(_QuietHandler, directory=str(public))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Release(
            name="ml-1m",
            url=f"http://127.0.0.1:{server.server_address[1]}/ml-1m.zip",
            md5=hashlib.md5((public / "ml-1m.zip").read_bytes()).hexdigest(),
        )
        server.shutdown()
        thread.join()


def resolve(name: str, workspace: Workspace, release: Release, data: Path | None = None) -> Path:
    environment = {"POCKETREC_DATA": str(data)} if data else {}
    return resolve_dataset(
        name, workspace, environment=environment, releases={"ml-1m": release}, progress=False
    )


def test_sample_is_generated_once(workspace: Workspace) -> None:
    config = GeneratorConfig(users=20, movies=40, ratings=200, seed=3)

    folder = resolve_dataset("sample", workspace, config)
    written = (folder / "ratings.csv").stat().st_mtime_ns

    assert folder == workspace.data / "sample"
    assert (folder / "ratings.csv").read_bytes().count(b"\n") == 201
    assert resolve_dataset("sample", workspace, config) == folder
    assert (folder / "ratings.csv").stat().st_mtime_ns == written

    resolve_dataset("sample", workspace, GeneratorConfig(users=20, movies=40, ratings=300, seed=3))
    assert (folder / "ratings.csv").read_bytes().count(b"\n") == 301


def test_sample_has_the_default_size(workspace: Workspace) -> None:
    folder = resolve_dataset("sample", workspace)

    assert (folder / "ratings.csv").read_bytes().count(b"\n") == 60_001


def test_release_is_downloaded_and_extracted(workspace: Workspace, release: Release) -> None:
    folder = resolve("ml-1m", workspace, release)

    assert folder == workspace.data / "ml-1m"
    assert (folder / "ml-1m" / "ratings.dat").read_text() == "1::1193::5::978300760\n"
    assert {path.name for path in workspace.data.glob("[!.]*")} == {"ml-1m"}


def test_release_in_the_workspace_is_taken(workspace: Workspace, release: Release) -> None:
    (workspace.data / "ml-1m").mkdir(parents=True)

    assert resolve("ml-1m", workspace, release) == workspace.data / "ml-1m"
    assert not list((workspace.data / "ml-1m").iterdir())


def test_provided_folder_or_zip_is_taken_first(
    workspace: Workspace, release: Release, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (workspace.data / "ml-1m").mkdir(parents=True)

    assert resolve("ml-1m", workspace, release, data) == workspace.data / "ml-1m"
    (data / "ml-1m.zip").write_bytes(b"")
    assert resolve("ml-1m", workspace, release, data) == data / "ml-1m.zip"
    (data / "ml-1m").mkdir()
    assert resolve("ml-1m", workspace, release, data) == data / "ml-1m"


def test_provided_folder_that_is_none(
    workspace: Workspace, release: Release, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"\$POCKETREC_DATA is .*/nowhere', which is not a folder"):
        resolve("ml-1m", workspace, release, tmp_path / "nowhere")


def test_the_environment_is_read(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ml-20m").mkdir()
    monkeypatch.setenv("POCKETREC_DATA", str(tmp_path))

    assert resolve_dataset("ml-20m", workspace) == tmp_path / "ml-20m"


def test_three_runs_at_once(workspace: Workspace, release: Release) -> None:
    fetch = functools.partial(fetch_release, release, workspace, progress=False)
    with ThreadPoolExecutor(3) as pool:
        folders = [future.result(60) for future in [pool.submit(fetch) for _ in range(3)]]

    assert folders == [workspace.data / "ml-1m"] * 3
    assert (workspace.data / "ml-1m" / "ml-1m" / "ratings.dat").is_file()


def test_paths(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine.ZIP").write_bytes(b"")
    (tmp_path / "ml-1m").mkdir()
    monkeypatch.chdir(tmp_path)

    assert resolve_dataset("mine", workspace) == tmp_path / "mine"
    assert resolve_dataset(str(tmp_path / "mine.ZIP"), workspace) == tmp_path / "mine.ZIP"
    assert resolve_dataset("./ml-1m", workspace) == tmp_path / "ml-1m"
    assert not workspace.root.exists()


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("ml-1M", "ml-1m"), ("samples", "sample"), ("ml-latest-smal", "ml-latest-small")],
)
def test_typing_errors_get_a_hint(workspace: Workspace, wrong: str, meant: str) -> None:
    with pytest.raises(DataError) as caught:
        resolve_dataset(wrong, workspace)

    message = str(caught.value)
    assert f"Did you mean {meant!r}?" in message
    assert "Known names: sample, ml-100k, ml-1m, ml-10m, ml-20m, ml-25m, ml-32m," in message


def test_path_of_nothing_gets_no_hint(workspace: Workspace) -> None:
    with pytest.raises(DataError) as caught:
        resolve_dataset("/nowhere/at/all", workspace)

    assert "Did you mean" not in str(caught.value)


def test_file_that_is_no_zip(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("")

    with pytest.raises(DataError, match=r"ratings.csv: is neither a folder nor a .zip file"):
        resolve_dataset(str(tmp_path / "ratings.csv"), workspace)


def test_a_pattern_stays_one_and_needs_a_span(tmp_path: Path, workspace: Workspace) -> None:
    pattern = f"{tmp_path}/ratings-{{SPAN}}"
    with pytest.raises(DataError, match="there is no span"):
        resolve_dataset(pattern, workspace)
    (tmp_path / "ratings-1").mkdir()
    assert resolve_dataset(pattern, workspace) == Path(pattern)
