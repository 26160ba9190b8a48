"""Windows against hand-computed cases and against a plain reference over random timelines."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.movielens_example_gen.splits import Cuts, divide
from components.movielens_example_gen.timelines import Timelines
from modules import features
from modules.windows import TimelineBatch, make_windows
from pipeline.config.data import SplitConfig


@dataclasses.dataclass(frozen=True)
class Event:
    movie_id: int  # vocabulary id, 0 = not in it
    rating: float
    timestamp: int


@dataclasses.dataclass(frozen=True)
class Timeline:
    user_id: int
    events: tuple[Event, ...]
    first_target: int
    held_out: bool


@dataclasses.dataclass(frozen=True)
class Settings:
    length: int = 3
    stride: int = 2
    min_history: int = 1
    min_rating: float = 0.0
    padding: str = "left"


def batch(timelines: list[Timeline]) -> TimelineBatch:
    def ragged(name: str, dtype: tf.DType) -> tf.RaggedTensor:
        rows = [[getattr(event, name) for event in one.events] for one in timelines]
        return tf.ragged.constant(rows, dtype, ragged_rank=1, row_splits_dtype=tf.int64)

    def dense(name: str) -> tf.Tensor:
        return tf.constant([getattr(one, name) for one in timelines], tf.int64)

    return TimelineBatch(
        user_id=dense("user_id"),
        movie_id=ragged("movie_id", tf.int64),
        rating=ragged("rating", tf.float32),
        timestamp=ragged("timestamp", tf.int64),
        first_target=dense("first_target"),
        held_out=dense("held_out"),
    )


def windows(timelines: list[Timeline], setting: Settings) -> list[dict[str, Any]]:
    """Runs the code under test; one dictionary of lists a window."""
    columns = make_windows(batch(timelines), **dataclasses.asdict(setting))
    lists = {
        name: value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy().tolist()
        for name, value in columns.items()
    }
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def timeline(
    movie_ids: list[int],
    ratings: list[float] | None = None,
    *,
    first_target: int = 0,
    held_out: bool = False,
    user_id: int = 7,
) -> Timeline:
    """Events at seconds 100, 101, ...; ratings default to 5 stars."""
    rated = zip(movie_ids, ratings or [5.0] * len(movie_ids), strict=True)
    events = tuple(Event(movie, rating, 100 + i) for i, (movie, rating) in enumerate(rated))
    return Timeline(user_id, events, first_target, held_out)


def reference_windows(one: Timeline, setting: Settings) -> list[dict[str, Any]]:
    """The same windows, told event by event."""

    def usable(event: Event) -> bool:
        return event.movie_id > 0 and event.rating >= setting.min_rating

    def is_target(index: int) -> bool:
        event = one.events[index]
        return (
            index >= one.first_target
            and event.rating >= setting.min_rating
            and (event.movie_id > 0 or one.held_out)
            and sum(map(usable, one.events[:index])) >= setting.min_history
        )

    if one.held_out:
        groups = [[i] for i in range(len(one.events)) if is_target(i)]
    else:
        # The places of usable events, cut into runs of `stride` from the last one backwards.
        places = [i for i, event in enumerate(one.events) if usable(event)]
        runs = [
            places[max(0, end - setting.stride) : end]
            for end in range(len(places), 0, -setting.stride)
        ]
        groups = [[i for i in run if is_target(i)] for run in reversed(runs)]

    result = []
    for group in groups:
        if not group:
            continue
        end = group[-1]
        past = [event for event in one.events[:end] if usable(event)]
        context = past[-setting.length :]
        following = [*context[1:], one.events[end]]
        own = {one.events[i] for i in group}
        targets = [event if event in own else None for event in following]
        blank = [None] * (setting.length - len(context))

        def column(events: list[Any], name: str, blank: list[Any] = blank) -> list[Any]:
            padded = blank + events if setting.padding == "left" else events + blank
            return [0 if event is None else getattr(event, name) for event in padded]

        known_targets = [event if event and event.movie_id else None for event in targets]
        result.append(
            {
                features.CONTEXT_MOVIE_ID: column(context, "movie_id"),
                features.CONTEXT_RATING: column(context, "rating"),
                features.CONTEXT_TIMESTAMP: column(context, "timestamp"),
                features.TARGET_MOVIE_ID: column(known_targets, "movie_id"),
                features.TARGET_RATING: column(known_targets, "rating"),
                features.TARGET_TIMESTAMP: [one.events[end].timestamp],
                features.HISTORY_LENGTH: [len(past)],
                features.HELD_OUT: [int(one.held_out)],
                features.USER_ID: [one.user_id],
                features.SEEN_MOVIE_ID: [
                    event.movie_id for event in one.events[:end] if event.movie_id
                ]
                if one.held_out
                else [],
            }
        )
    return result


def test_training_windows_count_back_from_the_last_event() -> None:
    rows = windows([timeline([1, 2, 3, 4, 5, 6])], Settings(length=3, stride=2))

    assert [row[features.CONTEXT_MOVIE_ID] for row in rows] == [[0, 0, 1], [1, 2, 3], [3, 4, 5]]
    assert [row[features.TARGET_MOVIE_ID] for row in rows] == [[0, 0, 2], [0, 3, 4], [0, 5, 6]]
    assert [row[features.TARGET_TIMESTAMP] for row in rows] == [[101], [103], [105]]
    assert [row[features.HISTORY_LENGTH] for row in rows] == [[1], [3], [5]]
    assert [row[features.SEEN_MOVIE_ID] for row in rows] == [[], [], []]


def test_right_padding_puts_the_last_event_before_the_zeros() -> None:
    [row] = windows([timeline([4, 5, 6])], Settings(length=4, stride=4, padding="right"))

    assert row[features.CONTEXT_MOVIE_ID] == [4, 5, 0, 0]
    assert row[features.TARGET_MOVIE_ID] == [5, 6, 0, 0]
    assert row[features.CONTEXT_TIMESTAMP] == [100, 101, 0, 0]


def test_a_held_out_target_has_a_window_of_its_own() -> None:
    rows = windows(
        [timeline([1, 2, 3, 4, 5], first_target=3, held_out=True)], Settings(length=2, stride=2)
    )

    assert [row[features.CONTEXT_MOVIE_ID] for row in rows] == [[2, 3], [3, 4]]
    assert [row[features.TARGET_MOVIE_ID] for row in rows] == [[0, 4], [0, 5]]
    assert [row[features.SEEN_MOVIE_ID] for row in rows] == [[1, 2, 3], [1, 2, 3, 4]]


def test_an_unknown_held_out_target_stays_as_a_miss() -> None:
    rows = windows([timeline([1, 2, 0], first_target=2, held_out=True)], Settings(length=2))

    assert [row[features.CONTEXT_MOVIE_ID] for row in rows] == [[1, 2]]
    assert [row[features.TARGET_MOVIE_ID] for row in rows] == [[0, 0]]
    assert [row[features.TARGET_RATING] for row in rows] == [[0, 0]]
    assert rows[0][features.TARGET_TIMESTAMP] == [102]


def test_an_unknown_movie_is_neither_history_nor_training_target() -> None:
    rows = windows([timeline([1, 0, 2])], Settings(length=2, stride=2))

    assert [row[features.CONTEXT_MOVIE_ID] for row in rows] == [[0, 1]]
    assert [row[features.TARGET_MOVIE_ID] for row in rows] == [[0, 2]]


def test_a_low_rating_is_seen_but_neither_history_nor_target() -> None:
    low = timeline([1, 2, 3, 4], [5, 1, 5, 1], first_target=2, held_out=True)

    [row] = windows([low], Settings(length=2, min_rating=3.0))

    assert row[features.CONTEXT_MOVIE_ID] == [0, 1]
    assert row[features.TARGET_MOVIE_ID] == [0, 3]
    assert row[features.SEEN_MOVIE_ID] == [1, 2]


def test_min_history_counts_usable_events_alone() -> None:
    rows = windows([timeline([1, 0, 2, 3, 4])], Settings(length=4, stride=4, min_history=2))

    assert [row[features.TARGET_MOVIE_ID] for row in rows] == [[0, 0, 3, 4]]


def test_training_targets_start_at_first_target() -> None:
    [row] = windows([timeline([1, 2, 3, 4, 5], first_target=3)], Settings(length=4, stride=4))

    assert row[features.CONTEXT_MOVIE_ID] == [1, 2, 3, 4]
    assert row[features.TARGET_MOVIE_ID] == [0, 0, 4, 5]


def test_no_event_gives_no_window() -> None:
    assert windows([timeline([]), timeline([0, 0]), timeline([5])], Settings()) == []


def test_the_static_shape_is_the_window_length() -> None:
    columns = make_windows(batch([timeline([1, 2])]), **dataclasses.asdict(Settings(length=3)))
    assert columns[features.CONTEXT_MOVIE_ID].shape[1] == 3
    assert columns[features.CONTEXT_MOVIE_ID].dtype == tf.int64
    assert columns[features.TARGET_RATING].dtype == tf.float32


def test_lists_of_different_lengths_are_refused() -> None:
    whole = batch([timeline([1, 2, 3])])
    short = dataclasses.replace(whole, timestamp=whole.timestamp[:, :2])

    with pytest.raises(tf.errors.InvalidArgumentError, match="timestamp"):
        make_windows(short, **dataclasses.asdict(Settings()))


@st.composite
def histories(draw: st.DrawFn) -> dict[int, tuple[Event, ...]]:
    """Several users' whole timelines; a user watches a movie once, one second after the other."""

    def one_user() -> tuple[Event, ...]:
        size = draw(st.integers(0, 14))
        movies = draw(st.permutations(range(1, 15)))[:size]
        return tuple(
            Event(
                0 if draw(st.integers(0, 4)) == 0 else movie,
                draw(st.sampled_from([0.5, 2.5, 3.0, 5.0])),
                1000 + second,
            )
            for second, movie in enumerate(movies)
        )

    users = draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=4, unique=True))
    return {user: one_user() for user in sorted(users)}


@st.composite
def window_settings(draw: st.DrawFn) -> Settings:
    length = draw(st.integers(1, 6))
    return Settings(
        length=length,
        stride=draw(st.integers(1, length)),
        min_history=draw(st.integers(1, length)),
        min_rating=draw(st.sampled_from([0.0, 3.0])),
        padding=draw(st.sampled_from(["left", "right"])),
    )


SPLITS = {
    "leave_last_out": SplitConfig(strategy="leave_last_out"),
    "temporal": SplitConfig(
        strategy="temporal", eval_start=1005, test_start=1009, targets_per_user=3
    ),
    "by_user": SplitConfig(strategy="by_user", eval_share=0.4, test_share=0.4, targets_per_user=3),
}


def split_as_ingested(
    users: dict[int, tuple[Event, ...]], config: SplitConfig
) -> dict[str, list[Timeline]]:
    """Divides timelines with the very function that ExampleGen uses."""
    events = [event for one in users.values() for event in one]
    whole = Timelines(
        user_ids=np.array(list(users), np.int64),
        offsets=np.cumsum([0, *map(len, users.values())]),
        movie_ids=np.array([event.movie_id for event in events], np.int64),
        ratings=np.array([event.rating for event in events], np.float32),
        timestamps=np.array([event.timestamp for event in events], np.int64),
    )
    parts = divide(whole, config, Cuts(config.eval_start or 0, config.test_start or 0))
    ids = list(users)
    return {
        name: [
            Timeline(ids[user], users[ids[user]][:end], first, part.held_out)
            for user, end, first in zip(
                part.users.tolist(), part.ends.tolist(), part.first_targets.tolist(), strict=True
            )
        ]
        for name, part in parts.items()
    }


@pytest.mark.parametrize("strategy", SPLITS)
@given(users=histories(), setting=window_settings())
@settings(max_examples=25, deadline=None)
def test_windows_never_see_the_future_and_use_each_target_once(
    strategy: str, users: dict[int, tuple[Event, ...]], setting: Settings
) -> None:
    splits = split_as_ingested(users, SPLITS[strategy])
    for timelines in splits.values():
        rows = windows(timelines, setting)
        assert rows == [row for one in timelines for row in reference_windows(one, setting)]
        _check_no_future(rows, timelines)
        _check_each_target_once(rows, timelines, setting)
    # What is held out from training is in no training window, neither as history nor as target.
    for row in windows(splits["train"], setting):
        [user] = row[features.USER_ID]
        held_out = {
            event.timestamp
            for name in ("eval", "test")
            for one in splits[name]
            if one.user_id == user
            for event in one.events[one.first_target :]
        }
        assert not held_out & {*row[features.CONTEXT_TIMESTAMP], *row[features.TARGET_TIMESTAMP]}


def _check_no_future(rows: list[dict[str, Any]], timelines: list[Timeline]) -> None:
    seconds = {
        (one.user_id, event.movie_id): event.timestamp
        for one in timelines
        for event in one.events
        if event.movie_id
    }
    for row in rows:
        [user] = row[features.USER_ID]
        assert max(row[features.CONTEXT_TIMESTAMP]) < row[features.TARGET_TIMESTAMP][0]
        for position, target in enumerate(row[features.TARGET_MOVIE_ID]):
            if target:
                visible = row[features.CONTEXT_TIMESTAMP][: position + 1]
                assert max(visible) < seconds[user, target]
        for movie in row[features.SEEN_MOVIE_ID]:
            assert seconds[user, movie] < row[features.TARGET_TIMESTAMP][0]


def _check_each_target_once(
    rows: list[dict[str, Any]], timelines: list[Timeline], setting: Settings
) -> None:
    expected = []
    for one in timelines:
        before = 0
        for index, event in enumerate(one.events):
            if event.movie_id and event.rating >= setting.min_rating:
                if index >= one.first_target and before >= setting.min_history:
                    expected.append((one.user_id, event.movie_id))
                before += 1
    found = [
        (row[features.USER_ID][0], target)
        for row in rows
        for target in row[features.TARGET_MOVIE_ID]
        if target
    ]
    assert sorted(found) == sorted(expected)


def test_a_long_timeline_with_many_targets_stays_small() -> None:
    """Ten held-out targets after ten thousand events: ten windows of N, and ten seen lists."""
    movies = np.arange(1, 10_011)
    long = timeline(movies.tolist(), first_target=10_000, held_out=True)

    columns = make_windows(batch([long]), **dataclasses.asdict(Settings(length=50, stride=25)))

    assert columns[features.CONTEXT_MOVIE_ID].shape == (10, 50)
    np.testing.assert_array_equal(columns[features.CONTEXT_MOVIE_ID][-1], movies[-51:-1])
    assert columns[features.SEEN_MOVIE_ID].row_lengths().numpy().tolist() == list(
        range(10_000, 10_010)
    )
