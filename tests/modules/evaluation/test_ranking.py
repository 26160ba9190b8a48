from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.evaluation.ranking import (
    MISS,
    Ragged,
    hits,
    is_unseen,
    list_ranks,
    ndcg,
    reciprocal_ranks,
    recommended,
)

NAN = float("nan")


def rank(ids: list[int], scores: list[float], target: int, seen: list[int], movies: int = 9) -> int:
    ranks = list_ranks(
        np.array([ids]),
        np.array([scores], np.float32),
        np.array([target]),
        ragged([seen]),
        movies,
    )
    return int(ranks[0])


def ragged(rows: list[list[int]]) -> Ragged:
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    return Ragged(np.array([value for row in rows for value in row], np.int64), offsets)


@pytest.mark.parametrize(
    ("ids", "scores", "target", "seen", "expected"),
    [
        # In order, nothing seen.
        ([4, 2, 7, 1], [9, 8, 7, 6], 4, [], 1),
        ([4, 2, 7, 1], [9, 8, 7, 6], 7, [], 3),
        # Seen movies above the target are taken out, those below do not matter.
        ([4, 2, 7, 1], [9, 8, 7, 6], 7, [4], 2),
        ([4, 2, 7, 1], [9, 8, 7, 6], 7, [2, 4], 1),
        ([4, 2, 7, 1], [9, 8, 7, 6], 2, [7, 1, 5], 2),
        # Ties count against the target, wherever it stands among them.
        ([4, 2, 7, 1], [9, 9, 9, 6], 4, [], 3),
        ([4, 2, 7, 1], [9, 9, 9, 6], 7, [], 3),
        ([4, 2, 7, 1], [9, 9, 9, 6], 4, [7], 2),
        # The lowest returned score may be shared by movies beyond the list.
        ([4, 2, 7, 1], [9, 8, 7, 6], 1, [], MISS),
        ([4, 2, 7, 1], [9, 8, 6, 6], 7, [], MISS),
        # All equal: a dead model.
        ([4, 2, 7, 1], [5, 5, 5, 5], 4, [], MISS),
        # NaN anywhere in the list, or for the target.
        ([4, 2, 7, 1], [NAN, NAN, NAN, NAN], 4, [], MISS),
        ([4, 2, 7, 1], [9, 8, NAN, 6], 4, [], MISS),
        ([4, 2, 7, 1], [NAN, 8, 7, 6], 4, [], MISS),
        # No target, a target that was seen, a target that is not in the list.
        ([4, 2, 7, 1], [9, 8, 7, 6], 0, [], MISS),
        ([0, 2, 7, 1], [9, 8, 7, 6], 0, [], MISS),
        ([4, 2, 7, 1], [9, 8, 7, 6], 4, [4], MISS),
        ([4, 2, 7, 1], [9, 8, 7, 6], 3, [], MISS),
        # Padding and ids outside of the catalogue are not movies.
        ([0, 2, 7, 1], [9, 8, 7, 6], 2, [], 1),
        ([12, 2, 7, 1], [9, 8, 7, 6], 2, [], 1),
        ([-1, 2, 7, 1], [9, 8, 7, 6], 2, [], 1),
        # A list that is not falling: what stands before the target is above it.
        ([4, 2, 7, 1], [1, 8, 7, 0], 7, [], 3),
        # Repeats of another movie count each time, repeats of the target do not.
        ([4, 4, 7, 1], [9, 8, 7, 6], 7, [], 3),
        ([4, 4, 7, 1], [9, 8, 7, 6], 4, [], 1),
    ],
)
def test_rank_in_a_list(
    ids: list[int], scores: list[float], target: int, seen: list[int], expected: int
) -> None:
    assert rank(ids, scores, target, seen) == expected


def test_rows_of_a_batch_do_not_mix() -> None:
    ranks = list_ranks(
        np.array([[4, 2, 7], [4, 2, 7], [2, 4, 7]]),
        np.array([[9, 8, 7], [9, 8, 7], [9, 8, 7]], np.float32),
        np.array([2, 2, 4]),
        ragged([[4], [], [7, 2]]),
        9,
    )
    assert ranks.tolist() == [1, 2, 1]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_rank_agrees_with_a_full_ranking(data: st.DataObject) -> None:
    movies, k = 12, 6
    scores = data.draw(st.lists(st.integers(0, 5), min_size=movies, max_size=movies))
    seen = data.draw(st.lists(st.integers(1, movies), max_size=8))
    target = data.draw(st.integers(1, movies))
    top = sorted(range(1, movies + 1), key=lambda movie: (-scores[movie - 1], movie))[:k]
    found = rank(top, [scores[movie - 1] for movie in top], target, seen, movies)

    own = scores[target - 1]
    others = [m for m in range(1, movies + 1) if m != target and m not in seen]
    full_rank = 1 + sum(scores[movie - 1] >= own for movie in others)
    cut = scores[top[-1] - 1]
    expected = full_rank if target not in seen and own > cut else MISS
    assert found == expected


def test_recommended_skips_seen_padding_and_nan() -> None:
    shown = recommended(
        np.array([[4, 0, 2, 7, 1], [5, 6, 5, 99, 3]]),
        np.array([[9, 8, 7, 6, 5], [9, NAN, 7, 6, 5]], np.float32),
        ragged([[2], []]),
        movies=9,
        k=2,
    )
    assert shown.tolist() == [[4, 7], [5, 5]]


def test_recommended_fills_up_with_zero() -> None:
    scores = np.zeros((1, 2), np.float32)
    assert recommended(np.array([[4, 2]]), scores, ragged([[4]]), 9, 3).tolist() == [[2, 0, 0]]


def test_unseen_without_any_seen() -> None:
    assert is_unseen(np.array([[0, 1, 9, 10]]), ragged([[]]), 9).tolist() == [
        [False, True, True, False]
    ]


def test_metrics_of_ranks() -> None:
    ranks = np.array([1, 2, 10, 11, MISS])
    assert hits(ranks, 10).tolist() == [1, 1, 1, 0, 0]
    assert ndcg(ranks, 10) == pytest.approx([1, 1 / math.log2(3), 1 / math.log2(11), 0, 0])
    assert reciprocal_ranks(ranks) == pytest.approx([1, 0.5, 0.1, 1 / 11, 0])
