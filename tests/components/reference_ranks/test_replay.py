from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.reference_ranks.replay import (
    HistoryRules,
    Locator,
    Replayer,
    Vocabulary,
    Windows,
)
from components.reference_ranks.timelines import Timelines
from pipeline.errors import DataError


def timelines(users: dict[int, list[tuple[int, float]]], first_target: int = 0) -> Timelines:
    """Events (movie, stars) by user; the k-th event is at time 10 * k."""
    lengths = [len(events) for events in users.values()]
    flat = [event for events in users.values() for event in events]
    return Timelines(
        user_ids=np.array(list(users)),
        offsets=np.cumsum([0, *lengths]),
        movie_ids=np.array([movie for movie, _ in flat], np.int64),
        ratings=np.array([stars for _, stars in flat], np.float32),
        timestamps=np.concatenate([np.arange(length) * 10 for length in lengths]),
        first_targets=np.full(len(users), first_target),
        # Told apart by the user: categories user, user + 1, user + 2.
        attributes=np.array(list(users))[:, np.newaxis] + np.arange(3),
    )


def window(user: int, history: int, target: int, time: int) -> Windows:
    return Windows(np.array([user]), np.array([history]), np.array([target]), np.array([time]))


def test_vocabulary_translates_and_knows_what_it_does_not_know() -> None:
    vocabulary = Vocabulary(np.array([30, 10, 20]))
    assert vocabulary.ids(np.array([[10, 20], [30, 40]])).tolist() == [[2, 3], [1, 0]]
    assert Vocabulary(np.array([], np.int64)).ids(np.array([1])).tolist() == [0]


def test_window_is_replayed_in_the_terms_of_another_model() -> None:
    # The candidate does not know movie 40 and takes every rating.
    test = timelines(
        {
            7: [(10, 5.0), (40, 4.0), (20, 1.0), (30, 4.0), (50, 4.0)],
            9: [(50, 4.0), (10, 4.0)],
        }
    )
    candidate = Vocabulary(np.array([10, 20, 30, 50]))
    locator = Locator(test, candidate, HistoryRules(length=2, min_rating=0.0))
    # User 7's fourth event, 30, after the three known events 10, 20 and not 40.
    events = locator.events(window(7, 2, 3, 30))
    assert events.tolist() == [3]

    # The other model knows 40 but not 20, wants three stars, and looks further back.
    other = Replayer(test, Vocabulary(np.array([40, 30, 10])), HistoryRules(3, min_rating=3.0))
    replay = other.replay(events)
    assert replay.context.tolist() == [[0, 3, 1]]
    # What belongs to the events 10 and 40, and the time of the target.
    assert replay.columns["context_rating"].tolist() == [[0.0, 5.0, 4.0]]
    assert replay.columns["context_timestamp"].tolist() == [[0, 0, 10]]
    assert replay.columns["target_timestamp"].tolist() == [[30]]
    assert replay.targets.tolist() == [2]
    attributes = ("user_gender_id", "user_age_id", "user_occupation_id")
    assert [replay.columns[name].tolist() for name in attributes] == [[[7]], [[8]], [[9]]]
    assert replay.seen.values.tolist() == [3, 1, 0]
    assert replay.seen.offsets.tolist() == [0, 3]


def test_low_rated_movies_are_seen_but_no_history() -> None:
    test = timelines({1: [(10, 1.0), (20, 5.0), (30, 5.0)]})
    rules = HistoryRules(length=2, min_rating=3.0)
    vocabulary = Vocabulary(np.array([10, 20, 30]))
    events = Locator(test, vocabulary, rules).events(window(1, 1, 3, 20))
    replay = Replayer(test, vocabulary, rules).replay(events)
    assert replay.context.tolist() == [[0, 2]]
    assert replay.seen.values.tolist() == [1, 2]


def test_history_does_not_reach_into_the_previous_user() -> None:
    test = timelines({1: [(10, 5.0), (20, 5.0)], 2: [(30, 5.0), (10, 5.0)]})
    vocabulary, rules = Vocabulary(np.array([10, 20, 30])), HistoryRules(4, 0.0)
    events = Locator(test, vocabulary, rules).events(window(2, 1, 1, 10))
    assert Replayer(test, vocabulary, rules).replay(events).context.tolist() == [[0, 0, 0, 3]]


def test_an_unknown_target_is_found_by_its_time() -> None:
    test = timelines({1: [(10, 5.0), (77, 5.0), (88, 5.0), (20, 5.0)]}, first_target=1)
    locator = Locator(test, Vocabulary(np.array([10, 20])), HistoryRules(2, 0.0))
    assert locator.events(window(1, 1, 0, 10)).tolist() == [1]
    assert locator.events(window(1, 1, 0, 20)).tolist() == [2]


@pytest.mark.parametrize(
    "wrong",
    [
        window(8, 1, 2, 10),  # no such user
        window(1, 5, 2, 10),  # no such event
        window(1, 1, 2, 11),  # another time
        window(1, 1, 0, 10),  # its target is known
    ],
)
def test_windows_of_another_run_are_refused(wrong: Windows) -> None:
    test = timelines({1: [(10, 5.0), (20, 5.0)]})
    locator = Locator(test, Vocabulary(np.array([10, 20])), HistoryRules(2, 0.0))
    with pytest.raises(DataError, match="come from different runs"):
        locator.events(wrong)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_replay_agrees_with_walking_through_the_timelines(data: st.DataObject) -> None:
    event = st.tuples(st.integers(1, 8), st.sampled_from([1.0, 3.0, 5.0]))
    users = data.draw(
        st.dictionaries(st.integers(1, 50), st.lists(event, min_size=2, max_size=9), min_size=1)
    )
    test = timelines(dict(sorted(users.items())))
    known = sorted(data.draw(st.sets(st.integers(1, 8), min_size=1)))
    other = sorted(data.draw(st.sets(st.integers(1, 8), min_size=1)), reverse=True)
    rules = HistoryRules(length=3, min_rating=data.draw(st.sampled_from([0.0, 3.0])))
    other_rules = HistoryRules(length=4, min_rating=data.draw(st.sampled_from([0.0, 3.0])))

    wanted, rows = [], []
    for user, events in sorted(users.items()):
        history = 0
        for index, (movie, stars) in enumerate(events):
            if stars < rules.min_rating:
                continue
            target = known.index(movie) + 1 if movie in known else 0
            rows.append((user, history, target, index * 10))
            before = events[:index]
            usable = [m for m, s in before if s >= other_rules.min_rating and m in other]
            context = [other.index(m) + 1 for m in usable[-4:]]
            wanted.append(
                (
                    [0] * (4 - len(context)) + context,
                    other.index(movie) + 1 if movie in other else 0,
                    [other.index(m) + 1 if m in other else 0 for m, _ in before],
                )
            )
            history += target > 0
    if not rows:
        return
    windows = Windows(*(np.array(column) for column in zip(*rows, strict=True)))
    locator = Locator(test, Vocabulary(np.array(known)), rules)
    replay = Replayer(test, Vocabulary(np.array(other)), other_rules).replay(
        locator.events(windows)
    )
    seen = [part.tolist() for part in np.split(replay.seen.values, replay.seen.offsets[1:-1])]
    found = list(zip(replay.context.tolist(), replay.targets.tolist(), seen, strict=True))
    assert found == wanted
