from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.training.ranking import MISSED, metrics_of_ranks, ranks_of_targets


def rank(scores: list[float], target: int, seen: tuple[int, ...] = ()) -> int:
    mask = np.zeros((1, len(scores)), np.bool_)
    mask[0, list(seen)] = True
    row = np.array([scores], np.float32)
    return int(ranks_of_targets(row, np.array([target], np.int32), mask)[0])


def test_rank_counts_better_movies() -> None:
    assert rank([0, 0.1, 0.9, 0.5], target=2) == 1
    assert rank([0, 0.1, 0.9, 0.5], target=3) == 2
    assert rank([0, 0.1, 0.9, 0.5], target=1) == 3


def test_padding_is_no_rival() -> None:
    assert rank([99, 0.1, 0.9], target=2) == 1


def test_seen_movies_are_no_rivals() -> None:
    assert rank([0, 0.7, 0.9, 0.5, 0.6], target=3, seen=(1, 2)) == 2


def test_ties_stand_before_the_target() -> None:
    assert rank([0, 0.5, 0.5, 0.5, 0.1], target=1) == 3
    assert rank([0, 1, 1, 1, 1, 1], target=5) == 5


def test_what_is_not_a_number_counts_against_the_model() -> None:
    assert rank([0, math.nan, 0.9], target=1) == MISSED
    assert rank([0, math.nan, 0.9], target=2) == 2
    assert rank([0, math.nan, math.nan], target=2) == MISSED


def test_infinite_scores_compare() -> None:
    assert rank([0, math.inf, 0.9], target=2) == 2
    assert rank([0, -math.inf, 0.9], target=1) == 2


def test_unknown_and_seen_targets_are_missed() -> None:
    assert rank([9, 0.5, 0.9], target=0) == MISSED
    assert rank([0, 0.5, 0.9], target=2, seen=(2,)) == MISSED


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan]), min_size=3, max_size=12),
    st.data(),
)
def test_agrees_with_a_loop(scores: list[float], data: st.DataObject) -> None:
    movies = range(1, len(scores))
    target = data.draw(st.sampled_from(movies))
    seen = tuple(data.draw(st.sets(st.sampled_from(movies))))
    expected = 1
    for movie in movies:
        if movie != target and movie not in seen and not scores[movie] < scores[target]:
            expected += 1
    if target in seen or math.isnan(scores[target]):
        expected = MISSED
    assert rank(scores, target, seen) == expected


def test_metrics_by_hand() -> None:
    metrics = metrics_of_ranks(np.array([1, 3, 11, MISSED], np.int64))
    assert metrics["recall_at_1"] == 0.25
    assert metrics["recall_at_5"] == 0.5
    assert metrics["recall_at_10"] == 0.5
    assert metrics["recall_at_50"] == 0.75
    assert metrics["ndcg_at_10"] == pytest.approx((1 + 1 / 2) / 4)
    assert metrics["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 11) / 4)


def test_metrics_of_nothing_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one window"):
        metrics_of_ranks(np.zeros(0, np.int64))
