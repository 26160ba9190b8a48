from __future__ import annotations

import random
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.movielens_example_gen.columns import Ratings, mix
from components.movielens_example_gen.timelines import (
    Timelines,
    drop_duplicates,
    in_order,
    keep_frequent,
    load_timelines,
)
from pipeline.config.data import MalformedConfig
from pipeline.errors import DataError
from tests.components.movielens_example_gen.releases import (
    FORMATS,
    REAL_DATA,
    write_ratings,
    write_release,
)


def events_of(timelines: Timelines) -> dict[int, list[tuple[int, float, int]]]:
    events = list(
        zip(
            timelines.movie_ids.tolist(),
            timelines.ratings.tolist(),
            timelines.timestamps.tolist(),
            strict=True,
        )
    )
    bounds = timelines.offsets.tolist()
    return {
        user: events[start:end]
        for user, start, end in zip(timelines.user_ids.tolist(), bounds, bounds[1:], strict=False)
    }


@pytest.mark.parametrize("release_format", FORMATS)
@pytest.mark.parametrize("zipped", [False, True])
def test_timelines_are_in_time_order_with_ties_in_file_order(
    tmp_path: Path, release_format: str, zipped: bool
) -> None:
    path = write_release(tmp_path / "release", release_format)
    if zipped:
        archive = tmp_path / "release.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for name in sorted(path.iterdir()):
                file.write(name, f"release/{name.name}")
        path = archive

    timelines = load_timelines(path)

    assert timelines.user_ids.tolist() == [5, 9]
    assert timelines.offsets.tolist() == [0, 4, 7]
    assert events_of(timelines) == {
        5: [(3, 5, 90), (1, 4, 100), (2, 1, 100), (7, 2, 200)],
        9: [(3, 4, 99), (1, 3, 100), (2, 2, 100)],
    }


def test_minimum_counts_take_movies_first_and_do_not_repeat(tmp_path: Path) -> None:
    # Movie 7 has one rating; without it user 5 has one left and goes; then movie 1 has one rating,
    # but movies have had their turn.
    rows = [(5, 7, 4, 1), (5, 1, 4, 2), (9, 1, 4, 3), (9, 2, 4, 4), (8, 2, 4, 5), (8, 3, 4, 6),
            (6, 3, 4, 7), (6, 2, 4, 8)]  # fmt: skip
    timelines = load_timelines(write_release(tmp_path, "1m", rows), 2, 2)

    assert {user: [e[0] for e in events] for user, events in events_of(timelines).items()} == {
        6: [3, 2],
        8: [2, 3],
        9: [1, 2],
    }


def test_a_pair_rated_twice_stops_or_keeps_the_first_row_in_the_file(tmp_path: Path) -> None:
    write_release(tmp_path, "1m")
    write_ratings(tmp_path, "1m", ["9::2::1::50", "5::1::4::100", "9::1::2::7", "5::1::3::10"])

    with pytest.raises(DataError, match=r"ratings\.dat, line 4: .*\(duplicate\): '5::1::3::10'"):
        load_timelines(tmp_path)
    with pytest.raises(DataError, match=r"1 duplicate.*share of 0\.25.*max_share=0\.2"):
        load_timelines(tmp_path, malformed=MalformedConfig(policy="skip", max_share=0.2))
    timelines = load_timelines(tmp_path, malformed=MalformedConfig(policy="skip", max_share=0.25))
    assert events_of(timelines) == {5: [(1, 4, 100)], 9: [(1, 2, 7), (2, 1, 50)]}


def test_a_zip_that_is_none_or_reaches_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK not a zip")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("../ratings.csv", "userId,movieId,rating,timestamp\n")
    with pytest.raises(DataError, match=r"none\.zip: no such file"):
        load_timelines(tmp_path / "none.zip")
    with pytest.raises(DataError, match=r"broken\.zip"):
        load_timelines(tmp_path / "broken.zip")
    with pytest.raises(DataError, match=r"evil\.zip.*\.\./ratings\.csv"):
        load_timelines(tmp_path / "evil.zip")


ROWS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 5), st.integers(1, 10), st.integers(0, 3)),
    max_size=40,
)


def columns(rows: list[tuple[int, int, int, int]]) -> Ratings:
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Ratings(
        table[:, 0], table[:, 1].astype(np.int32), table[:, 2].astype(np.uint8), table[:, 3]
    )


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, min_movie=st.integers(1, 4), min_user=st.integers(1, 4))
def test_cleaning_agrees_with_a_plain_account(
    rows: list[tuple[int, int, int, int]], min_movie: int, min_user: int
) -> None:
    movie_ids = np.arange(100, 106)
    first: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    for row in rows:
        first.setdefault(row[:2], row)
    left = list(first.values())
    movies = Counter(row[1] for row in left)
    left = [row for row in left if movies[row[1]] >= min_movie]
    users = Counter(row[0] for row in left)
    left = sorted((r for r in left if users[r[0]] >= min_user), key=lambda r: (r[0], r[3]))

    unique, report = drop_duplicates(columns(rows), movie_ids)
    counts = np.bincount(unique.movie, minlength=6)
    kept = in_order(keep_frequent(unique, counts, min_movie, min_user))

    assert report.malformed == len(rows) - len(first)
    assert kept.to_bytes() == columns(left).to_bytes()
    pairs = Counter(row[:2] for row in rows)
    repeated = sorted((u, 100 + m) for (u, m), count in pairs.items() if count > 1)
    assert report.pair == (repeated[0] if repeated else None)


def test_the_hash_spreads_and_never_changes() -> None:
    # The first outputs of SplitMix64 seeded with 0 and 1, as published with the algorithm.
    assert mix(np.array([0, 1], np.int64), 0).tolist() == [
        0xE220A8397B1DCDAF,
        0x910A2DEC89025CC1,
    ]
    shares = np.bincount((mix(np.arange(16_000), 0) % np.uint64(16)).astype(np.int64)) / 1000
    assert shares.min() > 0.85
    assert shares.max() < 1.15


@pytest.mark.skipif(not (REAL_DATA / "ml-1m").is_dir(), reason=f"no ml-1m in {REAL_DATA}")
def test_ml_1m_gives_the_benchmark_protocol() -> None:
    timelines = load_timelines(REAL_DATA / "ml-1m", 5, 5)

    assert len(timelines.user_ids) == 6_040
    assert len(timelines.movie_ids) == 999_611
    assert len(np.unique(timelines.movie_ids)) == 3_416
    # The order, by another way: each user's rows as they stand, sorted stably by time alone.
    by_user: dict[int, list[tuple[int, int]]] = {}
    with (REAL_DATA / "ml-1m" / "ratings.dat").open() as file:
        for line in file:
            user, movie, _, time = map(int, line.split("::"))
            by_user.setdefault(user, []).append((time, movie))
    kept = set(timelines.movie_ids.tolist())
    for user in random.Random(0).sample(sorted(by_user), 500):
        expected = [m for _, m in sorted(by_user[user], key=lambda event: event[0]) if m in kept]
        at = int(np.searchsorted(timelines.user_ids, user))
        rows = slice(timelines.offsets[at], timelines.offsets[at + 1])
        assert timelines.movie_ids[rows].tolist() == expected
    assert (
        np.diff(timelines.timestamps)[np.diff(np.repeat(np.arange(6040), timelines.lengths)) == 0]
        >= 0
    ).all()
