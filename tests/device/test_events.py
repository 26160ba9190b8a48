"""Ratings and times through the runtime, on a model whose answers can be told by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketrec_device import Bundle, BundleError, HistoryError, Recommender
from pocketrec_device.events import Events, make_events
from tests.device import toy

NOON = 978_350_400
DAY = 86_400


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.load(toy.event_bundle(tmp_path_factory.mktemp("events")))


@pytest.fixture(scope="module")
def recommender(bundle: Bundle) -> Recommender:
    return Recommender(bundle)


def numbers(recommender: Recommender, history: list[int], **more: Any) -> list[int]:
    """The first two recommendations in the model's own numbers."""
    found = recommender.recommend([toy.raw_id(number) for number in history], 2, **more)
    return [recommender.bundle.vocabulary_id(movie.movie_id) for movie in found]


def test_without_ratings_and_times_they_are_not_known(recommender: Recommender) -> None:
    assert numbers(recommender, [3, 20]) == [21, 22]


def test_ratings_belong_to_their_movies(recommender: Recommender) -> None:
    assert numbers(recommender, [3, 20], ratings=[5, 1.5]) == [19, 18]
    assert numbers(recommender, [3, 20], ratings=[1, 4]) == [21, 22]
    assert numbers(recommender, [3, 20], ratings=[1, None]) == [21, 22]
    # An unknown movie takes its rating with it.
    history = [toy.raw_id(3), 999_999, toy.raw_id(20)]
    found = recommender.recommend(history, 1, ratings=[5, 5, 2])
    assert [movie.movie_id for movie in found] == [toy.raw_id(19)]


def test_the_moment_is_now_unless_it_is_given(recommender: Recommender) -> None:
    times = [NOON, NOON + 60]
    assert numbers(recommender, [3, 20], times=times) == [31, 32]
    assert numbers(recommender, [3, 20], times=times, now=NOON + DAY) == [21, 22]
    assert numbers(recommender, [3, 20], times=times, now=NOON + 2 * DAY) == [31, 32]
    assert numbers(recommender, [3, 20], times=[NOON, None]) == [21, 22]


def test_a_long_history_keeps_the_last_ratings(recommender: Recommender) -> None:
    history = list(range(1, 16))
    assert numbers(recommender, history, ratings=[5.0] * 14 + [1.0])[:1] == [40]


@pytest.mark.parametrize("padding", ["left", "right"])
def test_what_belongs_to_an_event_is_padded_as_it_is(tmp_path: Path, padding: str) -> None:
    recommender = Recommender(Bundle.load(toy.event_bundle(tmp_path, padding=padding)))
    context, further = recommender.encode_events(
        [Events([7, 8], [4.5, 0], [NOON, NOON + 1]), Events([9], [1], [NOON])], [NOON + 5, NOON]
    )
    events = context > 0
    assert events.sum() == 3
    assert further["context_rating"].dtype == np.float32
    assert further["context_rating"][events].tolist() == [4.5, 0, 1]
    assert further["context_timestamp"][events].tolist() == [NOON, NOON + 1, NOON]
    assert not further["context_rating"][~events].any()
    assert not further["context_timestamp"][~events].any()
    assert further["request_timestamp"].tolist() == [[NOON + 5], [NOON]]


def test_low_ratings_are_no_history_but_are_not_shown_again(tmp_path: Path) -> None:
    recommender = Recommender(Bundle.load(toy.event_bundle(tmp_path, min_rating=3.0)))
    assert numbers(recommender, [20, 21, 30], ratings=[4, 2.5, None], now=NOON) == [31, 32]
    assert numbers(recommender, [20, 21], ratings=[4, 2.5]) == [22, 23]
    with pytest.raises(HistoryError, match=r"0 movie\(s\)"):
        numbers(recommender, [20, 21], ratings=[1, 2])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ratings": [4]}, "1 ratings for a history of 2; give one for each"),
        ({"times": [NOON] * 3}, "3 times for a history of 2"),
        ({"ratings": [4, 0]}, r"ratings\[1\] is 0; must be stars, 0.5 to 5, or None"),
        ({"ratings": [5.5, 4]}, r"ratings\[0\] is 5.5"),
        ({"ratings": [float("nan"), 4]}, r"ratings\[0\] is nan"),
        ({"ratings": ["5", 4]}, r"ratings\[0\] is '5'"),
        ({"times": [NOON, 0]}, r"times\[1\] is 0; must be whole seconds since 1970 UTC"),
        ({"times": [NOON * 1000, None]}, r"times\[0\] is 978350400000"),
        ({"times": [1.5, None]}, r"times\[0\] is 1.5"),
        ({"times": [NOON, NOON - 1]}, r"times\[1\] \(978350399\) is before times\[0\]"),
        ({"now": -1}, "now is -1; must be whole seconds"),
    ],
)
def test_what_is_no_rating_or_time_is_refused(
    recommender: Recommender, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(HistoryError, match=message):
        numbers(recommender, [3, 20], **more)


def test_unknown_times_between_known_ones_are_no_fall() -> None:
    events = make_events([1, 0, 2], None, [NOON, None, NOON], 0.0)
    assert events == Events([1, 2], [0, 0], [NOON, NOON])


def test_a_model_of_ids_alone_does_without(toy_bundle: Path) -> None:
    recommender = Recommender(Bundle.load(toy_bundle))
    assert recommender.bundle.manifest.further_inputs == {}
    assert numbers(recommender, [20], ratings=[1], times=[NOON], now=NOON) == [21, 22]


def test_many_histories_with_and_without(recommender: Recommender) -> None:
    context = recommender.encode([[20], [25]])
    ids, _ = recommender.rank(context)
    assert ids[:, 0].tolist() == [21, 26]
    ids, _ = recommender.rank(context, {"context_rating": recommender.encode([[1], [5]])})
    assert ids[:, 0].tolist() == [19, 26]
    with pytest.raises(HistoryError, match=r"context_rating has the shape \[2, 1\], must have"):
        recommender.rank(context, {"context_rating": np.ones((2, 1), np.float32)})


def test_a_model_that_reads_other_than_the_manifest_says_is_refused(bundle: Bundle) -> None:
    for promised in ({}, {"context_rating": ("float32", toy.LENGTH)}):
        manifest = dataclasses.replace(bundle.manifest, further_inputs=promised)
        with pytest.raises(BundleError, match=r"'request_timestamp'.*the manifest promises"):
            Recommender(Bundle(bundle.path, manifest, bundle.movies))
