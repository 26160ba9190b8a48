from __future__ import annotations

import csv
import hashlib
import json
import multiprocessing
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.generator import GENERATOR_VERSION, generate
from pipeline.datasets.release_writer import FormatName
from pipeline.errors import DataError

SMALL: dict[str, Any] = {"users": 30, "movies": 80, "ratings": 900, "seed": 5}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_csv_release(tmp_path: Path) -> None:
    folder = generate(tmp_path / "out", **SMALL)

    content = (folder / "ratings.csv").read_bytes()
    assert content.startswith(b"userId,movieId,rating,timestamp\r\n1,")
    rows = content.decode().split("\r\n")
    assert rows.pop() == ""
    assert len(rows) == 1 + 900
    fields = [row.split(",") for row in rows[1:]]
    assert {len(row) for row in fields} == {4}
    assert {row[2] for row in fields} <= {f"{half / 2:.1f}" for half in range(1, 11)}

    with (folder / "movies.csv").open(encoding="utf-8", newline="") as source:
        movies = list(csv.DictReader(source))
    assert len(movies) == 80
    ids = [int(movie["movieId"]) for movie in movies]
    assert ids == sorted(ids)
    assert {int(row[1]) for row in fields} <= set(ids)
    assert all(movie["genres"] for movie in movies)


def test_titles_exercise_quotes_and_accents(tmp_path: Path) -> None:
    folder = generate(tmp_path / "out", users=10, movies=2000, ratings=100, seed=7)

    text = (folder / "movies.csv").read_text(encoding="utf-8")
    assert '""' in text
    assert ", The (" in text
    assert not text.isascii()
    assert "(no genres listed)" in text


@pytest.mark.parametrize(
    ("release_format", "row", "files"),
    [
        ("ml-10m", r"\d+::\d+::[0-5](\.5)?::\d{9,10}", {"ratings.dat", "movies.dat"}),
        ("ml-1m", r"\d+::\d+::[1-5]::\d{9,10}", {"ratings.dat", "movies.dat", "users.dat"}),
        ("ml-100k", r"\d+\t\d+\t[1-5]\t\d{9,10}", {"u.data", "u.item", "u.user"}),
    ],
)
def test_older_layouts(
    tmp_path: Path, release_format: FormatName, row: str, files: set[str]
) -> None:
    folder = generate(tmp_path / "out", **SMALL, release_format=release_format)

    assert {path.name for path in folder.iterdir()} == files | {"generator.json"}
    ratings = folder / ("u.data" if release_format == "ml-100k" else "ratings.dat")
    lines = ratings.read_text(encoding="ascii").splitlines()
    assert len(lines) == 900
    assert all(re.fullmatch(row, line) for line in lines)


def test_item_file_of_100k_has_24_fields(tmp_path: Path) -> None:
    folder = generate(tmp_path / "out", **SMALL, release_format="ml-100k")

    rows = (folder / "u.item").read_text(encoding="latin-1").splitlines()
    assert len(rows) == 80
    for row in rows:
        fields = row.split("|")
        assert len(fields) == 24
        assert 1 <= fields[5:].count("1") <= 3
    users = (folder / "u.user").read_text(encoding="latin-1").splitlines()
    assert [row.split("|")[0] for row in users] == [str(user) for user in range(1, 31)]


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    first = digests(generate(tmp_path / "a", **SMALL))
    again = digests(generate(tmp_path / "b", **SMALL))
    other = digests(generate(tmp_path / "c", **{**SMALL, "seed": 6}))

    assert first == again
    assert first["ratings.csv"] != other["ratings.csv"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the last bit of log and exp may differ")
def test_changed_data_comes_with_a_new_version(tmp_path: Path) -> None:
    """Generated folders are reused by version: raise GENERATOR_VERSION before new sums go here."""
    found = digests(generate(tmp_path / "out", **SMALL))

    assert GENERATOR_VERSION == 1
    assert found["movies.csv"] == "f81bba3922ad7a83564feafc9d0097054317aa2b832b6ee27671ee0db41d9473"
    assert (
        found["ratings.csv"] == "6a6d1c98eb1aa2776f4be5d5246485d049acd906140e8fa4cb70d805c93ffe4c"
    )


def test_the_same_again_leaves_files_alone(tmp_path: Path) -> None:
    folder = generate(tmp_path / "out", **SMALL)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    inode = folder.stat().st_ino

    generate(folder, **SMALL)

    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert folder.stat().st_ino == inode


def test_other_arguments_replace(tmp_path: Path) -> None:
    generate(tmp_path / "out", **SMALL, release_format="ml-1m")
    generate(tmp_path / "out", **SMALL)

    assert digests(tmp_path / "out") == digests(generate(tmp_path / "fresh", **SMALL))
    assert not list(tmp_path.glob(".out.tmp-*"))


def test_damaged_files_are_made_again(tmp_path: Path) -> None:
    folder = generate(tmp_path / "out", **SMALL)
    good = digests(folder)
    (folder / "ratings.csv").write_bytes(b"cut")

    assert digests(generate(folder, **SMALL)) == good


@pytest.mark.parametrize("content", [None, "not JSON", "[]", '{"users": 3}'])
def test_a_folder_of_another_origin_is_kept(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    if content is not None:
        (tmp_path / "out" / "generator.json").write_text(content)

    with pytest.raises(DataError, match="was not generated"):
        generate(tmp_path / "out", **SMALL)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"users": 0}, "users is 0; it must be at least 1"),
        ({"movies": -1}, "movies is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"ratings": 29}, r"ratings is 29; .* from 30 .* to 2,400"),
        ({"ratings": 2401}, r"ratings is 2,401; .* from 30 .* to 2,400"),
        ({"release_format": "ml-3m"}, "release_format is 'ml-3m'; known are ml-latest"),
    ],
)
def test_impossible_arguments(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate(tmp_path / "out", **{**SMALL, **change})
    assert not list(tmp_path.iterdir())


def test_a_crash_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = digests(generate(tmp_path / "out", **{**SMALL, "seed": 1}))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.datasets.release_writer.write_users", fail)
    with pytest.raises(DataError, match="cannot be generated: No space left on device"):
        generate(tmp_path / "out", **SMALL)
    assert digests(tmp_path / "out") == old
    assert not list(tmp_path.glob(".out.tmp-*"))


def test_a_kill_leaves_nothing_that_counts(tmp_path: Path) -> None:
    large = {"users": 20_000, "movies": 2000, "ratings": 4_000_000, "seed": 7}
    # A fork has its imports done, so that the kill comes in the middle of the writing.
    process = multiprocessing.get_context("fork").Process(
        target=generate, args=(tmp_path / "out",), kwargs=large
    )
    process.start()
    while not list(tmp_path.glob(".out.tmp-*/new/ratings.csv")):
        assert process.is_alive()
        time.sleep(0.01)
    process.kill()
    process.join()
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".out.tmp-*"))

    generate(tmp_path / "out", **SMALL)

    assert digests(tmp_path / "out") == digests(generate(tmp_path / "fresh", **SMALL))
    assert not list(tmp_path.glob(".out.tmp-*"))


def test_parameters_are_on_record(tmp_path: Path) -> None:
    folder = generate(tmp_path / "out", **SMALL)

    record = json.loads((folder / "generator.json").read_text())
    assert {name: record[name] for name in SMALL} == SMALL
    assert record["bytes"] == {
        name: (folder / name).stat().st_size for name in ("movies.csv", "ratings.csv")
    }


@pytest.mark.slow
def test_25_million_in_bounded_memory(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from pipeline.datasets.generator import generate; "
        "generate(Path(sys.argv[1]), users=162_541, movies=62_423, ratings=25_000_000, seed=7); "
        "print(Path('/proc/self/status').read_text())"
    )
    status = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "out")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    peak_kib = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
    assert peak_kib < 1 << 20
    lines = 0
    with (tmp_path / "out" / "ratings.csv").open("rb") as source:
        while chunk := source.read(1 << 22):
            lines += chunk.count(b"\n")
    assert lines == 25_000_001
