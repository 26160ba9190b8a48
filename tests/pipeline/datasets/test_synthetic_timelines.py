from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import synthetic_timelines
from pipeline.datasets.synthetic_catalogue import Catalogue, make_catalogue
from pipeline.datasets.synthetic_timelines import Ratings, draw_lengths, simulate


def make(users: int, movies: int, ratings: int, seed: int = 7) -> tuple[Catalogue, Ratings]:
    first, second = np.random.SeedSequence(seed).spawn(2)
    catalogue = make_catalogue(movies, first)
    blocks = list(simulate(catalogue, users, ratings, second))
    return catalogue, Ratings(
        *(
            np.concatenate([getattr(block, field) for block in blocks])
            for field in ("users", "movies", "half_stars", "timestamps")
        )
    )


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    users, movies = draw(st.integers(1, 30)), draw(st.integers(1, 60))
    ratings = draw(st.integers(users, users * movies))
    return users, movies, ratings, draw(st.integers(0, 2**40))


@settings(max_examples=60, deadline=None)
@given(sizes())
def test_every_rating_is_valid_at_any_size(size: tuple[int, int, int, int]) -> None:
    users, movies, ratings, _ = size
    catalogue, made = make(*size)

    assert len(made.users) == ratings
    assert np.array_equal(np.unique(made.users), np.arange(1, users + 1))
    assert (np.diff(made.users) >= 0).all()
    assert made.movies.min() >= 0
    assert made.movies.max() < movies
    assert len(np.unique(made.users * movies + made.movies)) == ratings
    assert made.half_stars.min() >= 1
    assert made.half_stars.max() <= 10
    in_order = np.diff(made.timestamps) >= 0
    assert in_order[np.diff(made.users) == 0].all()
    assert len(set(catalogue.titles)) == movies
    assert len(set(catalogue.movie_ids.tolist())) == movies


def test_blocks_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_timelines, "MAX_BLOCK_USERS", 7)
    _, made = make(30, 50, 400)

    assert len(made.users) == 400
    assert np.array_equal(np.unique(made.users), np.arange(1, 31))
    assert (np.diff(made.users) >= 0).all()


def test_same_seed_same_ratings() -> None:
    first, again, other = (make(50, 100, 1000, seed)[1] for seed in (3, 3, 4))

    assert np.array_equal(first.movies, again.movies)
    assert np.array_equal(first.timestamps, again.timestamps)
    assert not np.array_equal(first.movies, other.movies)


@settings(max_examples=100, deadline=None)
@given(sizes())
def test_lengths_sum_up(size: tuple[int, int, int, int]) -> None:
    users, movies, ratings, seed = size

    lengths = draw_lengths(users, ratings, movies, np.random.default_rng(seed))

    assert lengths.sum() == ratings
    assert lengths.min() >= min(20, ratings // users)
    assert lengths.max() <= movies


def test_followers_stay_in_the_genre_and_lead_everywhere() -> None:
    catalogue = make_catalogue(500, np.random.SeedSequence(1))
    series = np.repeat(np.arange(len(catalogue.series_lengths)), catalogue.series_lengths)
    genre = catalogue.series_genre[series]

    assert catalogue.series_lengths.sum() == 500
    assert (genre[catalogue.followers] == genre).all()
    assert np.array_equal(np.sort(catalogue.followers), np.arange(500))
    inside = np.flatnonzero(np.diff(series) == 0)
    assert np.array_equal(catalogue.followers[inside], inside + 1)


def test_large_catalogues_have_distinct_titles() -> None:
    catalogue = make_catalogue(62_423, np.random.SeedSequence(1))

    assert len(set(catalogue.titles)) == 62_423
    assert all(title[-7:-5] == " (" and title[-1] == ")" for title in catalogue.titles)
    "".join(catalogue.titles).encode("latin-1")


class LeaveLastOut:
    """Recall@10 of simple recommenders: last is test, second last held back, the rest known."""

    def __init__(self, made: Ratings, movies: int) -> None:
        self._made, self._movies = made, movies
        last = np.append(np.diff(made.users) > 0, True)
        self._tests = np.flatnonzero(last)
        self._starts = np.append(0, self._tests[:-1] + 1)
        self.train = ~last & ~np.append(last[1:], False)
        self.counts = np.bincount(made.movies[self.train], minlength=movies)

    def recall(self, scores_of: Callable[[int], npt.NDArray[Any]]) -> float:
        hits = 0
        for start, test in zip(self._starts, self._tests, strict=True):
            scores = scores_of(int(test)).astype(float)
            scores[self._made.movies[start:test]] = -1
            hits += int((scores >= scores[self._made.movies[test]]).sum() <= 10)
        return hits / len(self._tests)

    def popularity(self) -> float:
        return self.recall(lambda _: self.counts)

    def recent_popularity(self) -> float:
        times, movies = self._made.timestamps[self.train], self._made.movies[self.train]

        def scores(test: int) -> npt.NDArray[np.float64]:
            now = self._made.timestamps[test]
            recent = (times >= now - 30 * 86_400) & (times < now)
            return np.bincount(movies[recent], minlength=self._movies) + self.counts * 1e-6

        return self.recall(scores)

    def first_order_markov(self) -> float:
        steps = np.zeros((self._movies, self._movies))
        both = np.flatnonzero(self.train[:-1] & self.train[1:])
        both = both[self._made.users[both] == self._made.users[both + 1]]
        np.add.at(steps, (self._made.movies[both], self._made.movies[both + 1]), 1)
        return self.recall(lambda test: steps[self._made.movies[test - 1]] + self.counts * 1e-6)


@pytest.fixture(scope="module")
def sample() -> Ratings:
    return make(600, 2000, 60_000)[1]


def test_order_says_much_more_than_popularity(sample: Ratings) -> None:
    protocol = LeaveLastOut(sample, 2000)

    markov = protocol.first_order_markov()
    popularity, recent = protocol.popularity(), protocol.recent_popularity()

    assert markov > 0.35
    assert 0.01 < popularity < 0.08
    assert recent < 0.08


def test_shuffled_order_says_nothing(sample: Ratings) -> None:
    """The margin comes from the order alone: it goes when a user's ratings change places."""
    rng = np.random.default_rng(0)
    order = np.lexsort((rng.random(len(sample.users)), sample.users))
    shuffled = Ratings(
        sample.users, sample.movies[order], sample.half_stars[order], sample.timestamps
    )

    assert LeaveLastOut(shuffled, 2000).first_order_markov() < 0.2


def test_popularity_is_skewed(sample: Ratings) -> None:
    counts = np.sort(np.bincount(sample.movies, minlength=2000))[::-1]
    head = int(np.searchsorted(np.cumsum(counts) / counts.sum(), 1 / 3))

    assert 100 < head < 300
    assert counts[0] > 5 * np.median(counts)


def test_times_look_like_sessions(sample: Ratings) -> None:
    same_user = np.diff(sample.users) == 0
    gaps = np.diff(sample.timestamps)[same_user]

    assert 0.03 < (gaps == 0).mean() < 0.08
    assert 0.85 < (gaps < 600).mean() < 0.95
    assert 0.04 < (gaps > 86_400).mean() < 0.12
    years = (sample.timestamps.max() - sample.timestamps.min()) / (365 * 86_400)
    assert 4 < years < 12
