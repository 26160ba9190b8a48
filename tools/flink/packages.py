"""Flink's and the job server's jars: pinned, fetched once, checked, complete or not there at all.

Flink comes out of the source package that its Python API is built on, the job server with its
dependencies from Maven. `flink.lock`, `pom.xml` and `job_server.sha256` are the pins.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from tools.flink.errors import ClusterError, UnreachableError
from tools.flink.lock import locked
from tools.flink.programs import maven

BEAM_VERSION = "2.62.0"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

_PINS = Path(__file__).resolve().parent
_FLINK_LOCK = _PINS / "flink.lock"
_POM = _PINS / "pom.xml"
_CHECKSUMS = _PINS / "job_server.sha256"

# Of Flink's jars: the runtime and its logging. What is left out are SQL, CEP and formats.
_FLINK_PREFIXES = ("flink-dist-", "log4j-")

_NO_ANSWER = (
    "could not resolve host",
    "temporary failure in name resolution",
    "name or service not known",
    "newconnectionerror",
    "network is unreachable",
    "connection refused",
    "connect timed out",
    "unknown host",
    "failed to establish a new connection",
)
"""What pip and Maven say, in lower case, where nothing answers."""


@dataclasses.dataclass(frozen=True)
class Packages:
    """Folders of jars.

    Attributes:
        flink: Flink's own.
        job_server: Beam's job server and all that it depends on.
    """

    flink: Path
    job_server: Path


def fetch(cache: Path, say: Callable[[str], None]) -> Packages:
    """Returns the packages, fetched if they are not there.

    Args:
        cache: Where they are kept, in a folder named after the pins.
        say: Told what takes time.

    Raises:
        MissingProgramError: Maven is missing.
        UnreachableError: Nothing answers.
        ClusterError: A package is not what it is pinned to be, or Beam has another version.
    """
    installed = importlib.metadata.version("apache-beam")
    if installed != BEAM_VERSION:
        raise ClusterError(
            f"apache-beam {installed} is installed; the job server is of {BEAM_VERSION}, and the "
            "two must be the same: change pom.xml and job_server.sha256 along with the pin"
        )
    with locked(cache):
        return Packages(
            flink=_kept(cache, "flink", (_FLINK_LOCK,), lambda target: _flink(target, say)),
            job_server=_kept(
                cache, "job-server", (_POM, _CHECKSUMS), lambda target: _job_server(target, say)
            ),
        )


def read_checksums(file: Path) -> dict[str, str]:
    """Reads lines `SHA256  NAME` into digests by name."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def check(folder: Path, expected: Mapping[str, str]) -> None:
    """Compares the files of a folder with their checksums.

    Raises:
        ClusterError: A file is missing, is one too many, or differs; names it.
    """
    found = {path.name: _sha256(path) for path in folder.iterdir()}
    wrong = sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )
    if wrong:
        name = wrong[0]
        problem = "is not pinned" if name not in expected else "differs from its pin"
        raise ClusterError(
            f"{len(wrong)} of the job server's {len(expected)} jars are not what they are pinned "
            f"to be; {name} {problem if name in found else 'is missing'}"
        )


def _kept(cache: Path, name: str, pins: Sequence[Path], make: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()[:16]
    folder = cache / f"{name}-{digest}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=cache, prefix=f".{name}-") as temporary:
            made = Path(temporary) / "jars"
            made.mkdir()
            make(made)
            made.rename(folder)
    return folder


def _flink(target: Path, say: Callable[[str], None]) -> None:
    say("fetching Flink 1.19.2 (230 MB) ...")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        _run(
            [
                *_pip(Path(folder)), "download", "--quiet", "--no-deps", "--dest", folder,
                "--no-binary", "apache-flink-libraries", "--require-hashes", "-r", str(_FLINK_LOCK),
            ],
            "pip",
        )  # fmt: skip
        (archive,) = Path(folder).glob("*.tar.gz")
        extract_flink(archive, target)


def extract_flink(archive: Path, target: Path) -> None:
    """Takes Flink's runtime out of its source package."""
    with tarfile.open(archive) as files:
        for member in files:
            path = PurePosixPath(member.name)
            if path.parts[1:3] == ("deps", "lib") and path.name.startswith(_FLINK_PREFIXES):
                source = files.extractfile(member)
                assert source is not None
                with source, (target / path.name).open("wb") as jar:
                    shutil.copyfileobj(source, jar, 1 << 20)


def _job_server(target: Path, say: Callable[[str], None]) -> None:
    program = maven()
    say(f"fetching Beam's job server {BEAM_VERSION} (152 MB) ...")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        # Maven writes beside the file that it reads, and keeps all that it fetches.
        shutil.copy(_POM, folder)
        _run(
            [
                str(program), "-B", "-q", "-f", f"{folder}/{_POM.name}", COPY_DEPENDENCIES,
                f"-Dmaven.repo.local={folder}/repository", "-DincludeScope=runtime",
                f"-DoutputDirectory={target}",
            ],
            "Maven",
        )  # fmt: skip
    check(target, read_checksums(_CHECKSUMS))


def _pip(folder: Path) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    # Environments made by uv have none.
    _run([sys.executable, "-m", "venv", str(folder / "venv")], "Python's venv module")
    return [str(folder / "venv" / "bin" / "python"), "-m", "pip"]


def _run(command: Sequence[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    said = f"{done.stdout}\n{done.stderr}".strip()
    message = f"{name} failed with exit status {done.returncode}:\n{said[-2000:]}"
    if any(phrase in said.lower() for phrase in _NO_ANSWER):
        raise UnreachableError(f"{message}\nis there a network?")
    raise ClusterError(message)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
