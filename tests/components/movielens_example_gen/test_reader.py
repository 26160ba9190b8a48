from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.movielens_example_gen import policy
from components.movielens_example_gen.catalogue import read_catalogue
from components.movielens_example_gen.columns import Ratings
from components.movielens_example_gen.formats import Release, detect
from components.movielens_example_gen.problems import Problem, Report
from components.movielens_example_gen.reader import read_blocks
from pipeline.config.data import MalformedConfig
from pipeline.errors import DataError
from tests.components.movielens_example_gen.releases import (
    FORMATS,
    rating_lines,
    write_ratings,
    write_release,
)

FAIL = MalformedConfig()


def read_all(release: Release, block_bytes: int = 1 << 20) -> tuple[Ratings, Report, list[int]]:
    movie_ids = read_catalogue(release).movie_ids
    blocks = list(read_blocks(release, movie_ids, with_offsets=True, block_bytes=block_bytes))
    offsets = [int(o) for b in blocks if b.offsets is not None for o in b.offsets]
    return (
        Ratings.concat([b.ratings for b in blocks]),
        Report.merge([b.report for b in blocks]),
        offsets,
    )


def rows_of(ratings: Ratings) -> list[tuple[int, int, int, int]]:
    return list(
        zip(
            ratings.user.tolist(),
            ratings.movie.tolist(),
            ratings.half_stars.tolist(),
            ratings.timestamp.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("release_format", FORMATS)
def test_rows_become_columns_in_file_order(tmp_path: Path, release_format: str) -> None:
    stars = 4 if release_format in ("100k", "1m") else 3.5
    release = detect(
        str(write_release(tmp_path, release_format, [(5, 7, stars, 100), (1, 1, 1, 0)]))
    )

    ratings, report, _ = read_all(release)

    # Movie 7 is the fourth listed one.
    assert rows_of(ratings) == [(5, 3, int(stars * 2), 100), (1, 0, 2, 0)]
    assert report == Report(rows=2)


GOOD = "5::1::4::1000"
BAD = {
    "5::1::4": "wrong_field_count",
    "5::1::4::1000::9": "wrong_field_count",
    "hello": "wrong_field_count",
    "x::1::4::1000": "not_a_number",
    "5::::4::1000": "not_a_number",
    "5::1::four::1000": "not_a_number",
    "5::1::nan::1000": "not_a_number",
    "5::1.5::4::1000": "not_a_number",
    "5::1::4::9999999999999999999": "not_a_number",
    "5::1::0::1000": "rating_off_scale",
    "5::1::5.5::1000": "rating_off_scale",
    "5::1::3.7::1000": "rating_off_scale",
    "5::1::-2::1000": "rating_off_scale",
    "5::4::3::1000": "unknown_movie",
    "5::999::3::1000": "unknown_movie",
    "5::1::3::-1000": "negative_time",
}


@pytest.mark.parametrize(("line", "reason"), BAD.items())
@pytest.mark.parametrize("before", [0, 3])
def test_a_malformed_row_is_left_out_and_named(
    tmp_path: Path, line: str, reason: str, before: int
) -> None:
    write_release(tmp_path, "10m")
    write_ratings(tmp_path, "10m", [GOOD] * before + [line, GOOD])
    release = detect(str(tmp_path))

    ratings, report, _ = read_all(release)

    assert rows_of(ratings) == [(5, 0, 8, 1000)] * (before + 1)
    offset = before * (len(GOOD) + 1)
    assert report == Report(before + 2, {reason: 1}, {reason: Problem(offset, reason, line)})
    with pytest.raises(DataError) as error:
        policy.check(report, FAIL, (release,), read_catalogue(release).movie_ids)
    assert f"ratings.dat, line {before + 1}: " in str(error.value)
    assert f"({reason}): {line!r}" in str(error.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('"5",1,4.0,1000', None),
        ("5,1,4.0,1000,9", "wrong_field_count"),
        ('5,"1,4.0,1000', "wrong_field_count"),
        ("5,1,,1000", "not_a_number"),
    ],
)
def test_rows_of_a_csv(tmp_path: Path, line: str, reason: str | None) -> None:
    write_release(tmp_path, "csv")
    write_ratings(tmp_path, "csv", ["5,3,4.0,1000", line, "5,2,4.0,1000"])

    ratings, report, _ = read_all(detect(str(tmp_path)))

    assert report.counts == ({reason: 1} if reason else {})
    assert ratings.movie.tolist() == ([2, 1] if reason else [2, 0, 1])


@pytest.mark.parametrize(
    ("tail", "truncated"),
    [
        ("5::1::4::1000", False),
        ("5::1::4::10", True),
        ("5::1::4::", True),
        ("5::1", True),
        ("5", True),
        ("  ", False),
    ],
)
def test_a_last_row_that_the_file_cuts_short(tmp_path: Path, tail: str, truncated: bool) -> None:
    write_release(tmp_path, "1m")
    (tmp_path / "ratings.dat").write_text(f"{GOOD}\n{tail}")

    ratings, report, _ = read_all(detect(str(tmp_path)))

    assert report.counts == ({"truncated_last_row": 1} if truncated else {})
    assert len(ratings) == (2 if tail == GOOD else 1)
    if truncated:
        assert report.first["truncated_last_row"] == Problem(14, "truncated_last_row", tail)


def test_blank_lines_are_no_rows_and_line_numbers_count_them(tmp_path: Path) -> None:
    write_release(tmp_path, "csv")
    write_ratings(tmp_path, "csv", ["", "5,1,4.0,1000", "", "", "5,2,9.0,1000", ""])
    release = detect(str(tmp_path))

    ratings, report, offsets = read_all(release)

    assert report.rows == 2
    assert rows_of(ratings) == [(5, 0, 8, 1000)]
    assert offsets == [len("userId,movieId,rating,timestamp\r\n\r\n")]
    with pytest.raises(DataError, match=r"ratings\.csv, line 6: .*'5,2,9\.0,1000'"):
        policy.check(report, FAIL, (release,), read_catalogue(release).movie_ids)


def test_only_a_header_or_blank_lines_is_no_release(tmp_path: Path) -> None:
    write_release(tmp_path, "csv")
    for lines in ([], [""], ["", ""]):
        write_ratings(tmp_path, "csv", lines)
        release = detect(str(tmp_path))
        with pytest.raises(DataError, match="holds no ratings"):
            policy.check(read_all(release)[1], FAIL, (release,), np.array([1]))


@pytest.mark.parametrize(
    "token", [" 7", "7 ", "+7", "0x7", "7.", "07", ".5", "5e-1", "1e9", "inf", "-0", "7\t", "\xa07"]
)
@pytest.mark.parametrize("column", range(4))
def test_odd_numbers_read_the_same_beside_a_bad_row(
    tmp_path: Path, token: str, column: int
) -> None:
    write_release(tmp_path, "10m")
    fields = ["5", "1", "4", "1000"]
    fields[column] = token
    line = "::".join(fields)
    release = detect(str(tmp_path))

    write_ratings(tmp_path, "10m", [GOOD, line, GOOD])
    alone, report, _ = read_all(release)
    write_ratings(tmp_path, "10m", [GOOD, line, GOOD, "rubbish"])
    beside, report_beside, _ = read_all(release)

    assert rows_of(beside) == rows_of(alone)
    report_beside.counts["wrong_field_count"] -= 1
    assert +Counter(report_beside.counts) == +Counter(report.counts)


TAILS = ("", " ", "\n", " \n", GOOD, GOOD[:-2], "5::1", "rubbish")
"""What may stand behind the last line ending."""

LINES = st.lists(
    st.one_of(
        st.sampled_from([GOOD, "9::7::0.5::0", "123456789::2::5::1700000000"]),
        st.sampled_from(sorted(BAD)),
        st.just(""),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=10, deadline=None)
@given(lines=LINES, block_bytes=st.integers(5, 200), tail=st.sampled_from(TAILS))
def test_ranges_of_any_size_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], block_bytes: int, tail: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "ranges"
    write_release(folder, "10m")
    (folder / "ratings.dat").write_text("\n".join(lines) + "\n" + tail)
    release = detect(str(folder))

    whole, report, offsets = read_all(release)
    parts, part_report, part_offsets = read_all(release, block_bytes)

    assert rows_of(parts) == rows_of(whole)
    assert part_report == report
    assert part_offsets == offsets
    if tail.strip():
        return
    # An independent count: every line that is not blank is a row, good or bad.
    filled = [line for line in lines if line]
    assert report.rows == len(filled)
    assert len(whole) == sum(line not in BAD for line in filled)
    text = (folder / "ratings.dat").read_text()
    assert [text[at:].split("\n")[0].strip() for at in offsets] == [
        line for line in filled if line not in BAD
    ]


def test_columns_survive_their_bytes() -> None:
    ratings = Ratings(
        np.array([2**40, -1], np.int64),
        np.array([3, 0], np.int32),
        np.array([10, 1], np.uint8),
        np.array([0, 2**33], np.int64),
    )

    again = Ratings.from_bytes(ratings.to_bytes())

    assert rows_of(again) == rows_of(ratings)
    assert rows_of(Ratings.concat([again, again])) == rows_of(ratings) * 2
    with pytest.raises(ValueError, match="43 bytes"):
        Ratings.from_bytes(ratings.to_bytes() + b"x")


def test_a_file_of_rubbish_is_refused_and_mixed_formats_are_not_guessed(tmp_path: Path) -> None:
    write_release(tmp_path, "1m")
    write_ratings(tmp_path, "1m", rating_lines("csv", [(5, 1, 4, 1000)] * 5))
    release = detect(str(tmp_path))

    _, report, _ = read_all(release)

    assert report.counts == {"wrong_field_count": 5}
    with pytest.raises(DataError, match="5 of 5 rows are malformed: 5 wrong_field_count"):
        policy.check(report, FAIL, (release,), read_catalogue(release).movie_ids)
