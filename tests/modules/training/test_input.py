from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modules.training.input import (
    read_windows,
    seen_mask,
)
from pipeline.errors import DataError

HISTORY = 3
SPEC: dict[str, Any] = {
    "context_movie_id": tf.io.FixedLenFeature([HISTORY], tf.int64),
    "context_rating": tf.io.FixedLenFeature([HISTORY], tf.float32),
    "target_movie_id": tf.io.FixedLenFeature([HISTORY], tf.int64),
    "user_id": tf.io.FixedLenFeature([1], tf.int64),
    "history_length": tf.io.FixedLenFeature([1], tf.int64),
    "seen_movie_id": tf.io.VarLenFeature(tf.int64),
}


def write_rows(path: Path, rows: list[tuple[int, list[int], list[int], list[int]]]) -> None:
    """Writes rows of user, context, target and seen movies."""
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for user, context, target, seen in rows:
            lists = {
                "context_movie_id": context,
                "target_movie_id": target,
                "user_id": [user],
                "history_length": [len(seen)],
                "seen_movie_id": seen,
            }
            feature = {
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
                for name, values in lists.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


def test_reads_rows_in_the_order_of_user_and_time(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "b-0.gz",
        [(2, [0, 5, 6], [0, 0, 7], [6, 5]), (1, [1, 2, 3], [0, 0, 4], [1, 2, 3])],
    )
    write_rows(tmp_path / "b-1.gz", [(1, [0, 0, 1], [0, 0, 2], [1])])
    windows = read_windows([str(tmp_path / "b-*")], SPEC, with_seen=True, movies=7)
    np.testing.assert_array_equal(windows.context, [[0, 0, 1], [1, 2, 3], [0, 5, 6]])
    np.testing.assert_array_equal(windows.target, [[0, 0, 2], [0, 0, 4], [0, 0, 7]])
    np.testing.assert_array_equal(windows.seen, [1, 1, 2, 3, 6, 5])
    np.testing.assert_array_equal(windows.seen_splits, [0, 1, 4, 6])
    mask = seen_mask(windows, 1, 3, movies=7)
    assert [np.flatnonzero(row).tolist() for row in mask] == [[1, 2, 3], [5, 6]]
    first = windows.first(2)
    np.testing.assert_array_equal(first.seen, [1, 1, 2, 3])
    assert len(first) == 2
    assert len(windows.first(99)) == 3


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    rows = [(1, [0, 0, 1], [0, 0, 2], [1]), (2, [0, 0, 3], [0, 0, 4], [3])]
    for name, content in (("a", rows), ("b", rows[::-1]), ("c", rows[:1])):
        write_rows(tmp_path / name, content)
    digests = [
        read_windows([str(tmp_path / name)], SPEC, with_seen=True, movies=9).digest()
        for name in "abc"
    ]
    assert digests[0] == digests[1] != digests[2]


def test_training_needs_no_seen_movies(tmp_path: Path) -> None:
    write_rows(tmp_path / "a", [(1, [0, 0, 1], [0, 0, 2], [1])])
    windows = read_windows([str(tmp_path / "a")], SPEC, with_seen=False, movies=9)
    assert len(windows.seen) == 0
    np.testing.assert_array_equal(windows.seen_splits, [0, 0])


def test_errors_name_the_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no transformed examples at .*nowhere"):
        read_windows([str(tmp_path / "nowhere*")], SPEC, with_seen=False, movies=9)
    write_rows(tmp_path / "empty", [])
    with pytest.raises(DataError, match=r"no windows in .*empty"):
        read_windows([str(tmp_path / "empty")], SPEC, with_seen=False, movies=9)
    write_rows(tmp_path / "other", [(1, [0, 0, 1], [0, 0, 12], [1])])
    with pytest.raises(DataError, match=r"target_movie_id holds ids 0\.\.12.*1\.\.9"):
        read_windows([str(tmp_path / "other")], SPEC, with_seen=False, movies=9)


def test_either_side_of_padding_is_read_as_left(tmp_path: Path) -> None:
    write_rows(tmp_path / "a", [(1, [4, 5, 0], [5, 6, 0], [4, 5])])
    windows = read_windows([str(tmp_path / "a")], SPEC, with_seen=False, movies=9)
    np.testing.assert_array_equal(windows.context, [[0, 4, 5]])
    np.testing.assert_array_equal(windows.target, [[0, 5, 6]])


def test_attributes_of_users_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    names = ("user_gender_id", "user_age_id", "user_occupation_id")
    with tf.io.TFRecordWriter(str(tmp_path / "a"), tf.io.TFRecordOptions("GZIP")) as writer:
        for user, attributes in ((2, (2, 7, 0)), (1, (0, 3, 21))):
            lists = {
                "context_movie_id": [0, 4, 5],
                "target_movie_id": [0, 5, 6],
                "user_id": [user],
                "history_length": [2],
                **{name: [number] for name, number in zip(names, attributes, strict=True)},
            }
            feature = {
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
                for name, values in lists.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    spec = {**SPEC, **{name: tf.io.FixedLenFeature([1], tf.int64) for name in names}}
    without, windows = (
        read_windows([str(tmp_path / "a")], spec, with_seen=False, movies=9, with_user=with_user)
        for with_user in (False, True)
    )
    assert without.user is None
    assert windows.user is not None
    np.testing.assert_array_equal(windows.user, [[0, 3, 21], [2, 7, 0]])
    np.testing.assert_array_equal(windows.columns()["user_age_id"], [[3], [7]])
    assert windows.digest() != without.digest()
