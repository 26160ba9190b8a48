"""Ranks, metrics and intervals, against values worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketrec_device import Bundle, HistoryError, Recommender
from pocketrec_device.evaluation import (
    MISS,
    Int64s,
    _rank,
    leave_last_out,
    mean_interval,
    summarize,
    target_ranks,
    wilson_interval,
)
from tests.device import toy

NAN = math.nan


def rank(target: int, ids: list[int], scores: list[float], seen: tuple[int, ...] = ()) -> int:
    return _rank(
        target,
        np.asarray(seen, np.int64),
        np.asarray(ids, np.int32),
        np.asarray(scores, np.float32),
    )


def times(movie_ids: Int64s) -> Int64s:
    return 1_000_000_000 + np.arange(len(movie_ids))


@pytest.mark.parametrize(
    ("target", "scores", "seen", "expected"),
    [
        (5, [4, 3, 2, 1], (), 1),
        (7, [4, 3, 2, 1], (), 3),
        (7, [4, 3, 2, 1], (5,), 2),
        (7, [4, 3, 2, 1], (5, 6), 1),
        # A seen movie behind the target, and one outside of the list, change nothing.
        (6, [4, 3, 2, 1], (7, 30), 2),
        # Ties count against the target, wherever they stand.
        (5, [4, 4, 2, 1], (), 2),
        (5, [4, 4, 4, 1], (), 3),
        (5, [4, 4, 4, 1], (6,), 2),
        # The lowest score may be shared by movies beyond the list.
        (8, [4, 3, 2, 1], (), MISS),
        (7, [4, 3, 1, 1], (), MISS),
        (5, [1, 1, 1, 1], (), MISS),
        # Not in the list, not in the vocabulary, seen before.
        (9, [4, 3, 2, 1], (), MISS),
        (0, [4, 3, 2, 1], (), MISS),
        (5, [4, 3, 2, 1], (5,), MISS),
        # No score, anywhere.
        (5, [NAN, 3, 2, 1], (), MISS),
        (6, [NAN, 3, 2, 1], (), MISS),
        (5, [NAN, NAN, NAN, NAN], (), MISS),
    ],
)
def test_rank_by_hand(
    target: int, scores: list[float], seen: tuple[int, ...], expected: int
) -> None:
    assert rank(target, [5, 6, 7, 8], scores, seen) == expected


@given(
    st.lists(st.integers(-3, 3), min_size=2, max_size=12),
    st.sets(st.integers(1, 12)),
    st.integers(1, 12),
)
def test_no_order_of_ties_helps_the_target(scores: list[int], seen: set[int], target: int) -> None:
    ids = list(range(1, len(scores) + 1))
    falling = sorted(zip(scores, ids, strict=True), key=lambda pair: -pair[0])
    ranks = set()
    for tie_order in (1, -1):
        entries = sorted(falling, key=lambda pair: (-pair[0], tie_order * pair[1]))
        ranks.add(
            rank(target, [i for _, i in entries], [s for s, _ in entries], tuple(sorted(seen)))
        )
    (found,) = ranks
    if found != MISS:
        score = scores[target - 1]
        at_least = [i for s, i in falling if s >= score and i not in seen]
        assert found == len(at_least)


@pytest.fixture(scope="module")
def recommender(toy_bundle: Path) -> Recommender:
    return Recommender(Bundle.load(toy_bundle), "float32")


def timelines(*users: list[int]) -> tuple[Int64s, Int64s]:
    """Offsets and raw ids of timelines in the model's numbers, 0 = unknown to it."""
    raw = [toy.raw_id(number) if number else 999_999 for user in users for number in user]
    return np.cumsum([0, *map(len, users)]), np.asarray(raw, np.int64)


def test_cases_and_ranks_by_hand(recommender: Recommender) -> None:
    offsets, movie_ids = timelines(
        [1, 2, 3],  # rank 1
        [4, 3, 6],  # after 3 come 4 (seen), 5, 6: rank 2
        [0, 5, 0],  # the target is not in the vocabulary: a case, a miss
        [0, 0, 7],  # no known past: no case
        [9],  # nothing before the target: no case
        [20, 10],  # 30 steps on, beyond the list of 12: a miss
        [1, 13],  # the list's last one: a miss
    )
    ratings = np.full(len(movie_ids), 4.0, np.float32)
    cases = leave_last_out(recommender, offsets, movie_ids, ratings, times(movie_ids))
    assert cases.targets.tolist() == [3, 6, 0, 10, 13]
    assert cases.context[0].tolist() == [0] * 8 + [1, 2]
    assert cases.seen.tolist() == [1, 2, 4, 3, 5, 20, 1]
    assert cases.seen_offsets.tolist() == [0, 2, 4, 5, 6, 7]
    done: list[int] = []
    ranks = target_ranks(recommender, cases, progress=done.append)
    assert ranks.tolist() == [1, 2, MISS, MISS, MISS]
    assert sum(done) == 5


def test_low_ratings_are_neither_history_nor_target_but_were_seen(tmp_path: Path) -> None:
    conversion = toy.source().conversion.model_copy(update={"min_rating": 3.0})
    recommender = Recommender(Bundle.load(toy.bundle(tmp_path, conversion=conversion)), "float32")
    offsets, movie_ids = timelines([1, 2, 4], [1, 2], [5, 6])
    # User 1 disliked movie 2: after movie 1 comes 2 (seen), 3, 4. User 2 disliked the target;
    # user 3 disliked the only past movie.
    ratings = np.asarray([5, 2.5, 3, 5, 1, 1, 5], np.float32)
    cases = leave_last_out(recommender, offsets, movie_ids, ratings, times(movie_ids))
    assert cases.targets.tolist() == [4]
    assert cases.context[0].tolist() == [0] * 9 + [1]
    assert target_ranks(recommender, cases).tolist() == [2]


def test_batches_do_not_change_ranks(recommender: Recommender) -> None:
    users = [[1 + i % 30, 2 + i % 30 + i % 5] for i in range(600)]
    offsets, movie_ids = timelines(*users)
    ratings = np.ones(len(movie_ids), np.float32)
    cases = leave_last_out(recommender, offsets, movie_ids, ratings, times(movie_ids))
    assert target_ranks(recommender, cases).tolist() == [1 + i % 5 for i in range(600)]


def test_metrics_by_hand() -> None:
    metrics = summarize(np.asarray([1, 3, 10, 11, MISS]))
    values = {name: estimate.value for name, estimate in metrics.items()}
    assert values == pytest.approx(
        {
            "recall_at_1": 1 / 5,
            "recall_at_5": 2 / 5,
            "recall_at_10": 3 / 5,
            "recall_at_50": 4 / 5,
            "ndcg_at_10": (1 + 1 / 2 + 1 / math.log2(11)) / 5,
            "mrr": (1 + 1 / 3 + 1 / 10 + 1 / 11) / 5,
        }
    )
    for estimate in metrics.values():
        assert 0 <= estimate.low < estimate.value < estimate.high <= 1


def test_wilsons_interval_by_hand() -> None:
    # 10 of 100, the textbook example.
    interval = wilson_interval(10, 100)
    assert (interval.low, interval.high) == pytest.approx((0.0552, 0.1744), abs=5e-5)
    assert wilson_interval(0, 10).low == 0.0
    assert wilson_interval(0, 10).high == pytest.approx(0.2775, abs=5e-5)
    assert wilson_interval(10, 10).high == 1.0


def test_the_means_interval_by_hand() -> None:
    # Mean .5, deviation sqrt(1/3) with n - 1, standard error sqrt(1/3)/2 = .288675.
    interval = mean_interval(np.asarray([0.0, 0.0, 1.0, 1.0]))
    assert interval.value == 0.5
    assert interval.high == pytest.approx(min(1.0, 0.5 + 1.959964 * 0.288675))
    assert interval.low == pytest.approx(max(0.0, 0.5 - 1.959964 * 0.288675))


def test_no_case_is_an_error() -> None:
    with pytest.raises(HistoryError, match="no user of this data makes a case"):
        summarize(np.asarray([], np.int64))
