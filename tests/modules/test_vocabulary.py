from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modules.vocabulary import KEY_BASE, MAX_MOVIE_ID, read_vocabulary, vocabulary_path
from pipeline.errors import DataError


def test_reads_movies_and_counts(tmp_path: Path) -> None:
    file = tmp_path / "movie_vocabulary"
    file.write_text(f"12 {KEY_BASE - 260}\n3 {KEY_BASE - 9}\n3 {KEY_BASE - 100}\n")

    movie_ids, counts = read_vocabulary(file)

    assert movie_ids.tolist() == [260, 9, 100]
    assert counts.tolist() == [12, 3, 3]


def test_keys_order_ties_by_ascending_movie_id() -> None:
    """Transform sorts keys of one frequency by falling text."""
    movie_ids = [0, 1, 2, 9, 10, 99, 100, 3952, 288_983, 10**12, MAX_MOVIE_ID]
    keys = [str(KEY_BASE - movie_id) for movie_id in movie_ids]
    assert sorted(keys, reverse=True) == keys


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"3 {KEY_BASE - 9}\nToy Story\n", r"line 2: 'Toy Story' is not a line"),
        ("1 -1\n", "the vocabulary is empty.*history.min_movie_count"),
        ("", "the vocabulary is empty"),
    ],
)
def test_refuses_what_is_no_vocabulary(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "movie_vocabulary"
    file.write_text(content)

    with pytest.raises(DataError, match=message):
        read_vocabulary(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing_here"):
        read_vocabulary(vocabulary_path(str(tmp_path / "nothing_here")))


def test_reading_needs_no_tensorflow() -> None:
    code = "import sys, modules.vocabulary; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
