from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from pipeline.datasets.inspect import Anomaly, inspect_release
from pipeline.errors import DataError
from tests.components.movielens_example_gen.releases import (
    FORMATS,
    REAL_DATA,
    ROWS,
    rating_lines,
    write_ratings,
    write_release,
)


@pytest.mark.parametrize("release_format", FORMATS)
def test_a_clean_release(tmp_path: Path, release_format: str) -> None:
    report = inspect_release(write_release(tmp_path, release_format))

    assert report.release_format == release_format
    assert (report.rows, report.ratings, report.users) == (7, 7, 2)
    assert (report.rated_movies, report.movies_listed) == (4, 4)
    assert {star: n for star, n in report.stars.items() if n} == {
        "1": 1,
        "2": 2,
        "3": 1,
        "4": 2,
        "5": 1,
    }
    assert (report.timestamp_min, report.timestamp_max) == (90, 200)
    assert (report.timeline_lengths["min"], report.timeline_lengths["max"]) == (3, 4)
    # User 5 rates at 100, 90, 100, 200 and user 9 at 100, 100, 99.
    assert (report.tied_ratings, report.out_of_order) == (2, 2)
    assert (report.titles_without_year, report.movies_without_genres) == (1, 1)
    assert report.anomalies == ()
    assert "Malformed rows: none" in report.to_text()


def test_malformed_rows_are_counted_with_their_first_line(tmp_path: Path) -> None:
    write_release(tmp_path, "1m")
    lines = rating_lines("1m", ROWS)
    bad = [*lines[:2], "8::1::4", *lines[2:], "8::2::6::50", lines[0], "8::1", lines[1], "9::1"]
    write_ratings(tmp_path, "1m", bad)

    report = inspect_release(tmp_path)

    assert report.rows == 13
    assert report.ratings == 7
    assert report.anomalies == (
        Anomaly("duplicate", 2, 10, "5::1::4::100"),
        Anomaly("rating_off_scale", 1, 9, "8::2::6::50"),
        Anomaly("wrong_field_count", 3, 3, "8::1::4"),
    )
    text = report.to_text()
    assert "Malformed rows: 6 of 13" in text
    assert "8::2::6::50" in text
    assert json.loads(json.dumps(report.to_json()))["anomalies"][0]["rows"] == 2


def test_repeated_titles_and_short_timelines(tmp_path: Path) -> None:
    write_release(tmp_path, "10m", [(1, 1, 4, 5), (2, 1, 4, 5), (2, 2, 0.5, 5)])
    (tmp_path / "movies.dat").write_text("1::A (1990)::War\n2::A (1990)::War\n3::B (1990)::War\n")

    report = inspect_release(tmp_path)

    assert report.repeated_titles == ("A (1990)",)
    assert report.users_below_three == 2
    assert (report.stars["0.5"], report.stars["4"]) == (1, 2)


def test_a_release_of_malformed_rows_alone_is_still_described(tmp_path: Path) -> None:
    write_release(tmp_path, "1m")
    write_ratings(tmp_path, "1m", ["nothing"])

    report = inspect_release(tmp_path)

    assert (report.rows, report.ratings, report.timestamp_min) == (1, 0, None)
    assert "time range       none" in report.to_text()


def test_a_zip_and_what_is_none(tmp_path: Path) -> None:
    release = write_release(tmp_path / "in", "csv")
    archive = tmp_path / "release.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in release.iterdir():
            file.write(path, path.name)

    assert inspect_release(archive).ratings == 7
    with pytest.raises(DataError, match="no such folder"):
        inspect_release(tmp_path / "none")


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"no {REAL_DATA}")
def test_published_facts() -> None:
    large = inspect_release(REAL_DATA / "ml-1m")
    assert (large.ratings, large.users, large.rated_movies) == (1_000_209, 6_040, 3_706)
    assert large.movies_listed == 3_883
    assert (large.timestamp_min, large.timestamp_max) == (956_703_932, 1_046_454_590)
    assert [large.stars[str(s)] for s in range(1, 6)] == [56174, 107557, 261197, 348971, 226310]
    assert large.out_of_order == 0
    assert large.encoding == "latin-1"

    small = inspect_release(REAL_DATA / "ml-latest-small")
    assert (small.ratings, small.users, small.rated_movies) == (100_836, 610, 9_724)
    assert small.release_format == "csv"
    assert small.anomalies == ()
