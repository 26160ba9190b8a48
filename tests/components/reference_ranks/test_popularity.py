from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.reference_ranks.popularity import (
    SECONDS_A_DAY,
    TrainingEvents,
    popularity_ranks,
    popularity_segments,
    recent_popularity_ranks,
)
from modules.evaluation.ranking import MISS, Ragged


def ragged(rows: list[list[int]]) -> Ragged:
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    return Ragged(np.array([value for row in rows for value in row], np.int64), offsets)


def events(counts: list[int]) -> TrainingEvents:
    """`counts[i]` events of movie i + 1, all at time 0."""
    movies = np.repeat(np.arange(1, len(counts) + 1), counts)
    return TrainingEvents.of(np.zeros(len(movies), np.int64), movies, len(counts))


@pytest.mark.parametrize(
    ("target", "seen", "expected"),
    [
        (1, [], 1),
        (2, [], 3),  # 2 and 3 tie, against the target
        (3, [], 3),
        (3, [2], 2),
        (3, [1, 2], 1),
        (3, [1, 1, 1], 2),  # seen more than once, taken out once
        (2, [4, 5], 3),  # what ranks below does not matter
        (5, [], 5),  # never watched in training: ranks last
        (5, [0, 4], 4),  # an unknown seen movie is no movie
        (1, [1], MISS),
        (0, [1], MISS),
    ],
)
def test_popularity_rank(target: int, seen: list[int], expected: int) -> None:
    ranks = popularity_ranks(events([7, 4, 4, 2, 0]), np.array([target]), ragged([seen]))
    assert ranks.tolist() == [expected]


def test_recent_popularity_counts_the_days_before_the_target_only() -> None:
    day = SECONDS_A_DAY
    # Movie 1 is popular of old, movie 2 was popular around day 100.
    times = np.array([1, 2, 3, 4, 5, 99, 100, 101, 200]) * day
    movies = np.array([1, 1, 1, 1, 3, 2, 2, 3, 1])
    train = TrainingEvents.of(times, movies, 3)
    targets = np.array([2, 2, 2, 1])
    at = np.array([110, 100, 99, 110]) * day
    ranks = recent_popularity_ranks(train, targets, at, ragged([[], [], [], []]), 30)
    # Day 110: movie 2 twice, 3 once, 1 never. Day 100: the event at day 100 itself is not before
    # the target, so 2 counts once. Day 99: no recent event of any, all-time order 1, 2 = 3.
    assert ranks.tolist() == [1, 1, 3, 3]


def test_recent_popularity_window_is_half_open() -> None:
    day = SECONDS_A_DAY
    train = TrainingEvents.of(np.array([70, 71, 200]) * day, np.array([2, 1, 3]), 3)
    ranks = recent_popularity_ranks(
        train, np.array([2, 2]), np.array([100 * day, 100 * day + 1]), ragged([[], []]), 30
    )
    # Day 70 is the first second of the first window, and just out of the second one, where movie
    # 2 ties with movie 3 in having no event.
    assert ranks.tolist() == [2, 3]


def test_recent_popularity_keeps_the_last_known_days_after_the_end_of_training() -> None:
    day = SECONDS_A_DAY
    train = TrainingEvents.of(np.array([1, 1, 1, 90, 90]) * day, np.array([1, 1, 1, 2, 2]), 2)
    ranks = recent_popularity_ranks(
        train, np.array([2]), np.array([400 * day]), ragged([[]]), window_days=30
    )
    assert ranks.tolist() == [1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_ranks_agree_with_counting_anew(data: st.DataObject) -> None:
    movies = 6
    movie = st.integers(0, movies)
    pairs = data.draw(st.lists(st.tuples(st.integers(0, 40), movie), min_size=1, max_size=40))
    windows = data.draw(
        st.lists(
            st.tuples(movie, st.integers(0, 60), st.lists(movie, max_size=5)),
            min_size=1,
            max_size=8,
        )
    )
    times = np.array([time for time, _ in pairs]) * SECONDS_A_DAY
    train = TrainingEvents.of(times, np.array([m for _, m in pairs]), movies)
    targets = np.array([target for target, _, _ in windows])
    at = np.array([day for _, day, _ in windows]) * SECONDS_A_DAY
    seen = ragged([seen for _, _, seen in windows])
    recent = recent_popularity_ranks(train, targets, at, seen, window_days=10)
    overall = popularity_ranks(train, targets, seen)

    known = [(time, m) for time, m in pairs if m]
    all_time = {m: sum(m == other for _, other in known) for m in range(1, movies + 1)}
    for row, (target, day, row_seen) in enumerate(windows):
        if target == 0 or target in row_seen:
            assert recent[row] == overall[row] == MISS
            continue
        end = min(day * SECONDS_A_DAY, max((t for t, _ in known), default=-1) * SECONDS_A_DAY + 1)
        begin = end - 10 * SECONDS_A_DAY
        score = {
            m: (sum(o == m and begin <= t * SECONDS_A_DAY < end for t, o in known), all_time[m])
            for m in all_time
        }
        others = [m for m in score if m != target and m not in row_seen]
        assert recent[row] == 1 + sum(score[m] >= score[target] for m in others)
        assert overall[row] == 1 + sum(all_time[m] >= all_time[target] for m in others)


def test_segments_share_the_events_in_thirds() -> None:
    # 12 events: the first 4 are movie 1's, the next 4 those of 2 and 3, the rest the tail's.
    train = events([4, 3, 1, 1, 1, 1, 1, 0])
    segments = popularity_segments(train, np.arange(9))
    assert segments.tolist() == [
        "unknown", "head", "torso", "torso", "tail", "tail", "tail", "tail", "tail",
    ]  # fmt: skip
