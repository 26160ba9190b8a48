from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.training.input import Windows
from modules.training.joining import joined

NONE = np.zeros(0, np.int32)


def cut(
    timelines: list[list[int]], length: int, stride: int
) -> tuple[Windows, npt.NDArray[np.int64]]:
    """Training windows as Transform makes them, written down without a thought for speed."""
    contexts, targets, owner = [], [], []
    for user, events in enumerate(timelines):
        rows = []
        for end in range(len(events) - 1, 0, -stride):
            context, target = [0] * length, [0] * length
            for place in range(1, min(end, length) + 1):
                context[-place] = events[end - place]
                if place <= stride:
                    target[-place] = events[end - place + 1]
            rows.append((context, target))
        for context, target in rows[::-1]:
            contexts.append(context)
            targets.append(target)
            owner.append(user)
    shape = (len(contexts), length)
    windows = Windows(
        np.array(contexts, np.int32).reshape(shape),
        np.array(targets, np.int32).reshape(shape),
        NONE,
        np.zeros(len(contexts) + 1, np.int64),
    )
    return windows, np.array(owner, np.int64)


def test_windows_of_three_become_windows_of_five() -> None:
    windows, owner = cut([[1, 2, 3, 4, 5, 6, 7, 8], [11, 12]], length=3, stride=3)
    assert windows.context.tolist() == [[0, 0, 1], [2, 3, 4], [5, 6, 7], [0, 0, 11]]
    long = joined(windows, owner, stride=3, length=5)
    assert long.context.tolist() == [[0, 0, 0, 1, 2], [3, 4, 5, 6, 7], [0, 0, 0, 0, 11]]
    assert long.target.tolist() == [[0, 0, 0, 2, 3], [4, 5, 6, 7, 8], [0, 0, 0, 0, 12]]


@given(
    st.lists(st.integers(2, 30), min_size=1, max_size=6),
    st.integers(2, 7),
    st.data(),
)
def test_the_same_as_windows_cut_so_at_once(
    lengths: list[int], short: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, short))
    length = data.draw(st.integers(short, 20))
    ids = iter(range(1, 1000))
    timelines = [[next(ids) for _ in range(count)] for count in lengths]
    windows, owner = cut(timelines, short, stride)
    wanted, _ = cut(timelines, length, length)
    long = joined(windows, owner, stride=stride, length=length)
    np.testing.assert_array_equal(long.context, wanted.context)
    np.testing.assert_array_equal(long.target, wanted.target)


@pytest.mark.parametrize("stride", [2, 3])
def test_ratings_times_and_users_move_along(stride: int) -> None:
    windows, owner = cut([list(range(1, 9)), list(range(11, 15))], length=3, stride=stride)
    time = np.concatenate([windows.context, windows.target[:, -1:]], axis=1) * 10
    given_windows = Windows(
        windows.context,
        windows.target,
        NONE,
        windows.seen_splits,
        windows.context / np.float32(2),
        windows.target / np.float32(4),
        time,
        owner[:, np.newaxis].astype(np.int32) + 7,
    )
    long = joined(given_windows, owner, stride=stride, length=4)
    assert long.context.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 11, 12, 13]]
    assert long.rating is not None
    assert long.target_rating is not None
    assert long.time is not None
    assert long.user is not None
    np.testing.assert_array_equal(long.rating, long.context / 2)
    np.testing.assert_array_equal(long.target_rating, long.target / 4)
    assert long.time.tolist() == [
        [0, 10, 20, 30, 40],
        [40, 50, 60, 70, 80],
        [0, 110, 120, 130, 140],
    ]
    assert long.user.tolist() == [[7], [7], [8]]
    assert len(long.seen_splits) == 4


def test_windows_without_a_target_are_left_out() -> None:
    windows = Windows(
        np.array([[0, 1], [2, 3]], np.int32),
        np.array([[0, 0], [0, 4]], np.int32),
        NONE,
        np.zeros(3, np.int64),
    )
    long = joined(windows, np.array([1, 1]), stride=2, length=2)
    assert long.context.tolist() == [[2, 3]]
