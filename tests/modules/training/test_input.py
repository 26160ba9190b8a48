from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from modules.training.input import (
    Windows,
    batches_an_epoch,
    epoch_batches,
    left_padded,
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


def random_windows(count: int, seed: int = 0) -> Windows:
    rng = np.random.default_rng(seed)
    # No id occurs twice, so that each tells where it came from; targets are ids plus 10,000.
    context = np.arange(1, count * HISTORY + 1, dtype=np.int32).reshape(count, HISTORY)
    target = np.where(rng.random(context.shape) < 0.7, context + 10_000, 0).astype(np.int32)
    target[0] = context[0] + 10_000
    return Windows(context, target, np.zeros(0, np.int32), np.zeros(count + 1, np.int64))


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


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 3))
def test_an_epoch_is_every_window_once(count: int, batch_size: int, shards: int) -> None:
    windows = random_windows(count)
    batches = list(epoch_batches(windows, batch_size=batch_size, shards=shards, seed=1, epoch=0))
    assert len(batches) == batches_an_epoch(windows, batch_size)
    assert len({(b.context.shape, b.positions.shape) for b in batches}) == 1
    rows = np.concatenate([batch.context.reshape(-1, HISTORY) for batch in batches])
    rows = rows[rows.any(axis=1)]
    np.testing.assert_array_equal(rows[np.argsort(rows[:, 0])], windows.context)
    pairs = set()
    for batch in batches:
        for context, positions, targets in zip(
            batch.context, batch.positions, batch.targets, strict=True
        ):
            kept = targets > 0
            assert not kept[kept.sum() :].any(), "targets come first"
            pairs |= set(zip(context.reshape(-1)[positions[kept]], targets[kept], strict=True))
    assert pairs == set(
        zip(windows.context[windows.target > 0], windows.target[windows.target > 0], strict=True)
    )


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    windows = random_windows(50)

    def contexts(seed: int, epoch: int, skip: int = 0) -> list[bytes]:
        batches = epoch_batches(windows, batch_size=8, shards=2, seed=seed, epoch=epoch, skip=skip)
        return [batch.context.tobytes() for batch in batches]

    assert contexts(1, 0) == contexts(1, 0)
    assert contexts(1, 0) != contexts(1, 1)
    assert contexts(1, 0) != contexts(2, 0)
    assert contexts(1, 3, skip=2) == contexts(1, 3)[2:]


@given(st.lists(st.lists(st.integers(1, 9), max_size=5), min_size=1, max_size=6))
def test_left_padded_from_either_side(histories: list[list[int]]) -> None:
    left = np.array([[0] * (5 - len(events)) + events for events in histories], np.int32)
    right = np.array([events + [0] * (5 - len(events)) for events in histories], np.int32)
    np.testing.assert_array_equal(left_padded(left), left)
    np.testing.assert_array_equal(left_padded(right), left)
