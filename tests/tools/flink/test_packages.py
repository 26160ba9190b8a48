"""What is fetched is what was pinned, or is not there."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tools.flink import packages
from tools.flink.errors import ClusterError, MissingProgramError, UnreachableError
from tools.flink.programs import java, maven


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_jars_that_are_not_as_pinned(tmp_path: Path) -> None:
    for name in ("a.jar", "b.jar"):
        (tmp_path / name).write_bytes(name.encode())
    right = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a.jar", "b.jar")}
    packages.check(tmp_path, right)
    with pytest.raises(ClusterError, match=r"1 of the job server's 2 jars .*b\.jar differs from"):
        packages.check(tmp_path, {**right, "b.jar": "0" * 64})
    with pytest.raises(ClusterError, match=r"a\.jar is not pinned"):
        packages.check(tmp_path, {"b.jar": right["b.jar"]})
    with pytest.raises(ClusterError, match=r"c\.jar is missing"):
        packages.check(tmp_path, {**right, "c.jar": "0" * 64})


def test_of_flink_the_runtime_alone_is_taken(tmp_path: Path) -> None:
    archive = tmp_path / "flink.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name in ("lib/flink-dist-1.jar", "lib/flink-csv-1.jar", "lib/log4j-api-2.jar", "a.py"):
            member = tarfile.TarInfo(f"flink-1/deps/{name}")
            member.size = len(name)
            file.addfile(member, io.BytesIO(name.encode()))
    target = tmp_path / "jars"
    target.mkdir()
    packages.extract_flink(archive, target)
    assert {path.name: path.read_text() for path in target.iterdir()} == {
        "flink-dist-1.jar": "lib/flink-dist-1.jar",
        "log4j-api-2.jar": "lib/log4j-api-2.jar",
    }


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Unknown host repository.example", UnreachableError),
        ("Could not resolve dependencies: no such version", ClusterError),
    ],
)
def test_what_cannot_be_fetched_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, error: type[ClusterError]
) -> None:
    monkeypatch.setenv("PATH", str(_program(tmp_path / "bin/mvn", f"echo '{said}'; exit 1").parent))
    cache = tmp_path / "cache"
    monkeypatch.setattr(packages, "_flink", lambda target, say: say(f"flink to {target.name}"))
    heard: list[str] = []
    with pytest.raises(error, match=said) as raised:
        packages.fetch(cache, heard.append)
    assert raised.type is error
    assert heard == ["flink to jars", "fetching Beam's job server 2.62.0 (152 MB) ..."]
    # The package that was whole stays, of the other nothing.
    left = [path.name.rpartition("-")[0] for path in cache.iterdir() if path.is_dir()]
    assert left == ["flink"]


def test_another_beam_than_the_job_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "BEAM_VERSION", "2.1.0")
    with pytest.raises(ClusterError, match=r"apache-beam 2\.62\.0 is installed; .* is of 2\.1\.0"):
        packages.fetch(tmp_path, lambda _: None)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('openjdk version "1.8.0_382"', "needs Java 11 to 17, this is 1"),
        ('openjdk version "21.0.1" 2023', "needs Java 11 to 17, this is 21"),
        ("no VM here", "this is 'no VM here"),
    ],
)
def test_a_java_that_flink_does_not_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, message: str
) -> None:
    program = _program(tmp_path / "bin/java", f"echo '{said}' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingProgramError, match=message):
        java()
    _program(program, "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    assert java() == program


def test_programs_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgramError, match=r"none on the PATH.*install Java 17"):
        java()
    with pytest.raises(MissingProgramError, match="no mvn on the PATH"):
        maven()
