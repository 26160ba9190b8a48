"""Windows before and after a cut, by hand."""

from __future__ import annotations

import numpy as np

from benchmarks import warm_start
from benchmarks.render import warm_start as rendered
from components.movielens_example_gen.timelines import Timelines


def test_the_earlier_span_sees_nothing_later() -> None:
    # User 1 has five events before second 100, and two after it; user 2 all of them after it.
    timelines = Timelines(
        np.array([1, 2]),
        np.array([0, 7, 12]),
        np.array([9, 9, 8, 7, 6, 5, 4, 9, 8, 9, 5, 4]),
        np.ones(12, np.float32),
        np.array([1, 2, 3, 4, 5, 200, 201, 300, 301, 302, 303, 304]),
    )
    train, held_out, vocabulary = warm_start.split(timelines, 100)
    # Of 9, 9, 8, 7, 6 the last two are held out.
    assert vocabulary.tolist() == [9, 8]
    assert train.context[:, -2:].tolist() == [[1, 1]]
    assert train.target[:, -2:].tolist() == [[1, 2]]
    assert held_out.context[:, -3:].tolist() == [[1, 1, 2]]
    # Movie 7 is in no training window, so it is not in the vocabulary.
    assert held_out.target[0, -1] == 0
    assert held_out.seen.tolist() == [1, 1, 2]

    train, held_out, vocabulary = warm_start.split(timelines, None)
    assert vocabulary.tolist() == [9, 8, 6, 7]
    assert len(train) == len(held_out) == 2


def test_the_outcome_is_told() -> None:
    result = {
        "dataset": "ml-1m",
        "share": 0.8,
        "seed": 1,
        "users": [4000, 6040],
        "movies": [3300, 3416],
        "cold_best": 0.2,
        "cold_best_epoch": 9,
        "warm_best": 0.21,
        "warm_reaches_cold_best_at": 3,
        "rows": [{"epoch": 1, "new weights": 0.05, "warm start": 0.15}],
    }
    text = rendered(result)
    assert "0.2 after epoch 9; a warm start is there after epoch 3, and comes to 0.21" in text
    assert "does not reach that" in rendered({**result, "warm_reaches_cold_best_at": None})
