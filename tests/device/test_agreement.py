"""The second opinion asks the same questions as the gate, and counts the same way.

It shares no code with Transform and Evaluator, so both are run here on random data.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from modules import features
from modules.evaluation.ranking import MISS as GATE_MISS
from modules.evaluation.ranking import Ragged, list_ranks
from modules.windows import TimelineBatch, make_windows
from pocketrec_device import Bundle, Recommender
from pocketrec_device.evaluation import MISS, Cases, leave_last_out, target_ranks
from tests.device import toy

START = 1_000_000_000


def random_timelines(seed: int, users: int) -> tuple[list[list[int]], list[list[float]]]:
    """Timelines in the model's numbers, 0 = unknown to it, without repeats."""
    random = np.random.default_rng(seed)
    movies, ratings = [], []
    for _ in range(users):
        length = int(random.integers(1, 25))
        numbers = random.permutation(toy.MOVIES)[:length] + 1
        movies.append(np.where(random.random(length) < 0.2, 0, numbers).tolist())
        ratings.append((random.integers(1, 11, length) / 2).tolist())
    return movies, ratings


def windows_of(
    movies: list[list[int]], ratings: list[list[float]], rules: dict[str, object]
) -> dict[str, Any]:
    lengths = [len(timeline) for timeline in movies]
    batch = TimelineBatch(
        user_id=tf.range(len(movies), dtype=tf.int64),
        movie_id=tf.ragged.constant(movies, tf.int64),
        rating=tf.ragged.constant(ratings, tf.float32),
        timestamp=tf.ragged.constant(
            [[START + 60 * place for place in range(n)] for n in lengths], tf.int64
        ),
        first_target=tf.constant([n - 1 for n in lengths], tf.int64),
        held_out=tf.ones(len(movies), tf.int64),
    )
    return make_windows(batch, length=toy.LENGTH, stride=1, **rules)  # type: ignore[arg-type]


def cases_of(
    recommender: Recommender, movies: list[list[int]], ratings: list[list[float]]
) -> Cases:
    flat = [number for timeline in movies for number in timeline]
    return leave_last_out(
        recommender,
        np.cumsum([0, *map(len, movies)]),
        np.asarray([toy.raw_id(number) if number else 999_999 for number in flat], np.int64),
        np.asarray([stars for timeline in ratings for stars in timeline], np.float32),
        np.asarray([START + 60 * place for timeline in movies for place in range(len(timeline))]),
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.load(toy.bundle(tmp_path_factory.mktemp("agreement")))


def with_rules(bundle: Bundle, rules: dict[str, object]) -> Recommender:
    manifest = dataclasses.replace(bundle.manifest, **rules)  # type: ignore[arg-type]
    return Recommender(Bundle(bundle.path, manifest, bundle.movies))


@pytest.mark.parametrize(
    "rules",
    [
        {"padding": "left", "min_history": 1, "min_rating": 0.0},
        {"padding": "right", "min_history": 3, "min_rating": 0.0},
        {"padding": "left", "min_history": 2, "min_rating": 3.5},
    ],
)
def test_cases_are_transforms_windows(bundle: Bundle, rules: dict[str, object]) -> None:
    movies, ratings = random_timelines(seed=3, users=200)
    cases = cases_of(with_rules(bundle, rules), movies, ratings)
    windows = windows_of(movies, ratings, rules)
    np.testing.assert_array_equal(cases.context, windows[features.CONTEXT_MOVIE_ID])
    for name, column in (
        ("context_rating", features.CONTEXT_RATING),
        ("context_timestamp", features.CONTEXT_TIMESTAMP),
        ("request_timestamp", features.TARGET_TIMESTAMP),
    ):
        np.testing.assert_array_equal(cases.further[name], windows[column])
    targets = np.max(windows[features.TARGET_MOVIE_ID], axis=1)
    np.testing.assert_array_equal(cases.targets, targets)
    assert 50 < len(targets) < 200
    assert (targets == 0).any()
    seen = windows[features.SEEN_MOVIE_ID].to_list()
    assert [
        sorted(cases.seen[start:end].tolist())
        for start, end in zip(cases.seen_offsets[:-1], cases.seen_offsets[1:], strict=True)
    ] == [sorted(row) for row in seen]


class Listing:
    """Stands in for a recommender: it returns given lists."""

    def __init__(self, ids: object, scores: object) -> None:
        self._lists = ids, scores

    def rank(self, context: object, further: object) -> tuple[object, object]:
        del context, further
        return self._lists


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_ranks_are_the_gates(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, length, movies = 8, 12, 20
    ids = np.argsort(random.random((rows, movies)), axis=1)[:, :length].astype(np.int32) + 1
    # Few different scores, so that ties are the rule; now and then one is not a number.
    scores = -np.sort(-random.integers(0, 6, (rows, length)).astype(np.float32), axis=1)
    scores[random.random((rows, length)) < 0.01] = np.nan
    targets = random.integers(0, movies, rows, endpoint=True).astype(np.int64)
    seen = [np.flatnonzero(random.random(movies) < 0.2) + 1 for _ in range(rows)]
    offsets = np.cumsum([0, *map(len, seen)])
    cases = Cases(np.zeros((rows, 1), np.int32), {}, targets, np.concatenate(seen), offsets)
    mine = target_ranks(Listing(ids, scores), cases)  # type: ignore[arg-type]
    gate = list_ranks(
        ids.astype(np.int64), scores, targets, Ragged(np.concatenate(seen), offsets), movies
    )
    np.testing.assert_array_equal(np.where(mine == MISS, GATE_MISS, mine), gate)
