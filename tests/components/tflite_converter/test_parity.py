from __future__ import annotations

import numpy as np
import pytest

from components.tflite_converter.parity import Answers, HeldOut, recall_at_10, top10_overlap
from modules.evaluation.ranking import Ragged

K = 12


def windows(targets: list[int], seen: list[list[int]]) -> HeldOut:
    lengths = [len(row) for row in seen]
    return HeldOut(
        context=np.zeros((len(targets), 2), np.int64),
        target=np.array(targets),
        seen=Ragged(
            np.array([movie for row in seen for movie in row], np.int64),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        ),
        movies=30,
    )


def listed(*rows: list[int]) -> Answers:
    scores = np.tile(np.linspace(2, 1, K, dtype=np.float32), (len(rows), 1))
    return Answers(np.array(rows, np.int64), scores)


FIRST = list(range(1, K + 1))


@pytest.mark.parametrize(
    ("target", "seen", "expected"),
    [
        (10, [], 1.0),  # last of the first ten
        (11, [], 0.0),
        (11, [3], 1.0),  # one before it is taken out
        (0, [], 0.0),  # no target in the vocabulary
        (12, [1, 2, 3], 0.0),  # the lowest score: what ties with it may be cut off
    ],
)
def test_recall_counts_unseen_movies(target: int, seen: list[int], expected: float) -> None:
    assert recall_at_10(listed(FIRST), windows([target], [seen])) == expected


def test_equal_scores_and_nan_are_misses() -> None:
    one = windows([1], [[]])
    ids = np.array([FIRST], np.int64)
    assert recall_at_10(Answers(ids, np.ones((1, K), np.float32)), one) == 0
    assert recall_at_10(Answers(ids, np.full((1, K), np.nan, np.float32)), one) == 0


def test_overlap_is_the_mean_share_of_what_the_reference_shows() -> None:
    reference = listed(FIRST, FIRST)
    # First window: 1..8 of 1..10. Second, 1 seen: the reference shows 2..11, the model 3..12.
    answers = listed([*range(1, 9), 20, 21, 22, 23], [1, *range(3, 13), 2])
    both = windows([1, 1], [[], [1]])
    assert top10_overlap(answers, reference, both) == pytest.approx((0.8 + 0.9) / 2)
    assert top10_overlap(reference, reference, both) == 1.0


def test_overlap_leaves_out_windows_without_a_reference() -> None:
    both = windows([1, 1], [FIRST, []])
    answers = listed(FIRST, [*range(1, 6), *range(20, 27)])
    assert top10_overlap(answers, listed(FIRST, FIRST), both) == 0.5
    nothing = windows([1], [FIRST])
    assert top10_overlap(listed(FIRST), listed(FIRST), nothing) == 0.0
