"""The example for embedded devices, run as its first lines say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.device import toy
from tests.device.test_alone import BLOCKER

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "embedded.py"


@pytest.fixture(scope="module")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.bundle(tmp_path_factory.mktemp("bundle"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Everything but numpy and LiteRT is out of reach.
    code = f"{BLOCKER}\nimport runpy; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


def test_it_recommends_and_says_how_long_it_took(toy_bundle: Path) -> None:
    done = run(str(toy_bundle), "The Matrix")
    assert done.returncode == 0, done.stderr
    *movies, last = done.stdout.splitlines()
    titles = {movie.movie_id: movie.title for movie in toy.movies()}
    # The toy model answers a movie with those that follow it.
    expected = [titles[toy.raw_id(number)] for number in (3, 4, 5)]
    assert [line.split(maxsplit=1)[1] for line in movies[:3]] == expected
    assert re.fullmatch(r"\d+\.\d ms, \w+", last)


def test_what_is_wrong_is_one_sentence(toy_bundle: Path, tmp_path: Path) -> None:
    assert run(str(toy_bundle)).stderr == "usage: embedded.py BUNDLE TITLE [TITLE ...]\n"
    unknown = run(str(toy_bundle), "No Such Movie")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("embedded.py: no movie 'No Such Movie'")
    assert "no bundle" in run(str(tmp_path), "The Matrix").stderr


def test_it_stays_short() -> None:
    code = EXAMPLE.read_text(encoding="utf-8").split('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
