from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.movielens_example_gen.timelines import load_timelines
from pipeline.cli.main import main
from pipeline.datasets.split import split_by_time
from pipeline.errors import DataError
from tests.components.movielens_example_gen.releases import (
    FORMATS,
    RATINGS_FILE,
    ROWS,
    rating_lines,
    write_ratings,
    write_release,
)


@pytest.mark.parametrize("release_format", FORMATS)
def test_spans_hold_the_rows_of_their_time_in_order(tmp_path: Path, release_format: str) -> None:
    release = write_release(tmp_path / "ml", release_format)

    # Times 90, 99, 100 (four times) and 200: a cut in the middle of a second goes before it.
    assert split_by_time(release, tmp_path / "spans", [4, 3]) == [2, 5]

    name = RATINGS_FILE[release_format]
    early = (tmp_path / "spans" / "ratings-1" / name).read_text().splitlines()
    assert early[-2:] == rating_lines(release_format, [ROWS[1], ROWS[5]])
    whole = load_timelines(release)
    parts = load_timelines(f"{tmp_path}/spans/ratings-{{SPAN}}")
    for column in ("user_ids", "offsets", "movie_ids", "ratings", "timestamps"):
        assert np.array_equal(getattr(whole, column), getattr(parts, column))


def test_a_last_line_without_an_ending_gets_one(tmp_path: Path) -> None:
    release = write_release(tmp_path / "ml", "1m")
    write_ratings(release, "1m", rating_lines("1m", ROWS), end="")
    assert split_by_time(release, tmp_path / "spans", [1, 1]) == [2, 5]
    assert (tmp_path / "spans/ratings-2/ratings.dat").read_bytes().endswith(b"::200\n")


@pytest.mark.parametrize(
    ("shares", "says"), [([1], "two or more"), ([1, 0], "above 0"), ([1, 1, 1, 1], "fewer shares")]
)
def test_shares_that_make_no_spans_are_refused(
    tmp_path: Path, shares: list[float], says: str
) -> None:
    release = write_release(tmp_path / "ml", "csv")
    with pytest.raises(DataError, match=says):
        split_by_time(release, tmp_path / "spans", shares)
    assert not (tmp_path / "spans").exists()


def test_the_command_prints_the_pattern(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release = write_release(tmp_path / "ml", "1m")
    words = ["data", "split", str(release), str(tmp_path / "spans"), "--shares", "1,1"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path}/spans/ratings-{{SPAN}}\n"
    assert "ratings-1: 2, ratings-2: 5" in said.err
    assert main(words) == 2
    assert "is there already" in capsys.readouterr().err
