from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.movielens_example_gen.splits import (
    COARSE_SECONDS,
    Counts,
    Cuts,
    Part,
    bins_of,
    divide,
    find_cuts,
)
from components.movielens_example_gen.timelines import Timelines
from pipeline.config.data import SplitConfig

STRATEGIES = ("leave_last_out", "temporal", "by_user")


def timelines_of(times: dict[int, list[int]]) -> Timelines:
    flat = np.array([t for user in times.values() for t in user], np.int64)
    return Timelines(
        np.array(list(times), np.int64),
        np.concatenate([[0], np.cumsum([len(user) for user in times.values()])]).astype(np.int64),
        np.arange(len(flat)),
        np.ones(len(flat), np.float32),
        flat,
    )


def table(timelines: Timelines, part: Part) -> list[tuple[int, int, int]]:
    """User id, events, first target."""
    users = timelines.user_ids[part.users].tolist()
    return list(zip(users, part.ends.tolist(), part.first_targets.tolist(), strict=True))


def test_leave_last_out() -> None:
    timelines = timelines_of({3: [1], 4: [1, 2], 5: [1, 2, 3], 9: [1, 1, 1, 1, 1]})

    parts = divide(timelines, SplitConfig())

    assert table(timelines, parts["train"]) == [(3, 1, 0), (4, 2, 0), (5, 1, 0), (9, 3, 0)]
    assert table(timelines, parts["eval"]) == [(5, 2, 1), (9, 4, 3)]
    assert table(timelines, parts["test"]) == [(5, 3, 2), (9, 5, 4)]
    assert [parts[name].held_out for name in ("train", "eval", "test")] == [False, True, True]


def test_temporal_with_given_cuts() -> None:
    config = SplitConfig(strategy="temporal", eval_start=10, test_start=20, targets_per_user=2)
    timelines = timelines_of(
        {
            1: [1, 2, 9],
            2: [9, 10, 11, 12, 19, 20],
            3: [20, 21, 22],
            4: [5, 15],
        }
    )

    parts = divide(timelines, config, Cuts(10, 20))

    assert table(timelines, parts["train"]) == [(1, 3, 0), (2, 1, 0), (4, 1, 0)]
    # User 2 has four events in eval, of which the last two are targets.
    assert table(timelines, parts["eval"]) == [(2, 5, 3), (4, 2, 1)]
    assert table(timelines, parts["test"]) == [(2, 6, 5), (3, 3, 1)]


def test_by_user_gives_each_user_to_one_split_whoever_else_is_there() -> None:
    config = SplitConfig(strategy="by_user", eval_share=0.2, test_share=0.3, targets_per_user=3)
    users = {user: list(range(1 + user % 6)) for user in range(2000)}
    timelines = timelines_of(users)

    parts = divide(timelines, config)

    found = {name: {row[0]: row for row in table(timelines, part)} for name, part in parts.items()}
    assert not set(found["train"]) & set(found["eval"])
    assert not set(found["eval"]) & set(found["test"])
    assert not set(found["train"]) & set(found["test"])
    for user, length in ((u, len(t)) for u, t in users.items()):
        if user in found["train"]:
            assert found["train"][user] == (user, length, 0)
        for name in ("eval", "test"):
            if user in found[name]:
                assert found[name][user] == (user, length, max(1, length - 3))
    # A held-out user with a single event has no target, and is left out.
    absent = [u for u in users if not any(u in found[name] for name in found)]
    assert all(len(users[u]) == 1 for u in absent)
    assert 0.17 < len(found["eval"]) / 2000 * 6 / 5 < 0.23
    assert 0.27 < len(found["test"]) / 2000 * 6 / 5 < 0.33
    some = divide(timelines_of({u: users[u] for u in range(0, 2000, 7)}), config)
    again = table(timelines_of({u: users[u] for u in range(0, 2000, 7)}), some["test"])
    assert again == [found["test"][u] for u in range(0, 2000, 7) if u in found["test"]]


TIMES = st.lists(
    st.lists(st.integers(0, 60).map(lambda t: t * 30_000), max_size=12).map(sorted), max_size=8
)


@settings(max_examples=80, deadline=None)
@given(
    times=TIMES,
    strategy=st.sampled_from(STRATEGIES),
    cuts=st.tuples(st.integers(0, 900_000), st.integers(900_001, 2_000_000)),
    most=st.integers(1, 4),
)
def test_no_split_sees_what_it_must_not(
    times: list[list[int]], strategy: str, cuts: tuple[int, int], most: int
) -> None:
    timelines = timelines_of(
        {user: user_times for user, user_times in enumerate(times) if user_times}
    )
    config = SplitConfig.model_validate({"strategy": strategy, "targets_per_user": most})

    parts = divide(timelines, config, Cuts(*cuts))

    lengths = timelines.lengths
    targets: set[tuple[int, int]] = set()
    seen_by_training: set[tuple[int, int]] = set()
    for name in ("train", "eval", "test"):
        part = parts[name]
        for user, end, first in zip(part.users, part.ends, part.first_targets, strict=True):
            assert 0 <= first < end <= lengths[user]
            if name == "train":
                seen_by_training |= {(int(user), i) for i in range(end)}
                continue
            held_out = {(int(user), i) for i in range(first, end)}
            # Every held-out event is a target of one split alone, and never trained on.
            assert not held_out & targets
            assert not held_out & seen_by_training
            targets |= held_out
            if strategy != "leave_last_out":
                assert end - first <= most
            if strategy == "temporal":
                start = timelines.offsets[user]
                low, high = (cuts[0], cuts[1]) if name == "eval" else (cuts[1], 1 << 62)
                inside = timelines.timestamps[start + first : start + end]
                assert ((inside >= low) & (inside < high)).all()


@settings(max_examples=80, deadline=None)
@given(
    times=st.lists(st.integers(0, 4 * COARSE_SECONDS), min_size=1, max_size=60),
    parts=st.integers(1, 4),
    eval_share=st.floats(0.01, 0.49),
    test_share=st.floats(0.01, 0.49),
)
def test_cuts_are_exact_quantiles(
    times: list[int], parts: int, eval_share: float, test_share: float
) -> None:
    config = SplitConfig(strategy="temporal", eval_share=eval_share, test_share=test_share)
    buckets = [np.array(times[i::parts], np.int64) for i in range(parts)]

    coarse = Counts.merge(Counts.of(bucket // COARSE_SECONDS) for bucket in buckets)
    bins = bins_of(coarse, config)
    fine = Counts.merge(
        Counts.of(bucket[np.isin(bucket // COARSE_SECONDS, bins)]) for bucket in buckets
    )
    cuts = find_cuts(coarse, fine, config)

    n = len(times)
    at = n - round(n * test_share)
    assert cuts.test_start == sorted(times)[min(at, n - 1)]
    assert cuts.eval_start == sorted(times)[min(max(at - round(n * eval_share), 0), n - 1)]


def test_temporal_needs_cuts() -> None:
    with pytest.raises(ValueError, match="needs cuts"):
        divide(timelines_of({1: [1, 2]}), SplitConfig(strategy="temporal"))
