from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.training.batches import Batch, BatchPlan
from modules.training.input import Windows
from modules.training.targets import wanted_targets
from pipeline.config.training import TrainingConfig

HISTORY = 8


def random_windows(count: int, seed: int = 0) -> Windows:
    """No id occurs twice, so that each tells where it came from; targets are ids plus 10,000."""
    rng = np.random.default_rng(seed)
    context = np.arange(1, count * HISTORY + 1, dtype=np.int32).reshape(count, HISTORY)
    events = rng.integers(1, HISTORY + 1, count)
    context *= np.arange(HISTORY) >= HISTORY - events[:, None]
    target = np.where(rng.random(context.shape) < 0.7, context + 10_000, 0) * (context > 0)
    target[:, -1] = context[:, -1] + 10_000
    return Windows(
        context, target.astype(np.int32), np.zeros(0, np.int32), np.zeros(count + 1, np.int64)
    )


def config(**settings: object) -> TrainingConfig:
    return TrainingConfig.model_validate({"length_buckets": [2, 5], **settings})


def pairs(batches: list[Batch]) -> list[tuple[int, int]]:
    """Each context movie with its target, from the flat positions."""
    found: list[tuple[int, int]] = []
    for batch in batches:
        for context, positions, targets, weights in zip(
            batch.context.movie_id, batch.positions, batch.targets, batch.weights, strict=True
        ):
            kept = targets[:, 0] > 0
            assert not kept[kept.sum() :].any(), "targets come first"
            np.testing.assert_array_equal(weights[:, 0], kept)
            found += zip(context.reshape(-1)[positions[kept]], targets[kept, 0], strict=True)
    return sorted(found)


@settings(deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 30),
    st.integers(1, 3),
    st.sampled_from(["windows", "positions"]),
)
def test_an_epoch_is_every_target_once(count: int, size: int, shards: int, unit: str) -> None:
    windows = random_windows(count)
    training = config(batch_size=size, batch_unit=unit)
    plan = BatchPlan(windows, training, shards=shards, seed=1)
    batches = list(plan.epoch(0))
    assert len(batches) == plan.batches_an_epoch
    shapes = {(b.context.movie_id.shape, b.positions.shape, b.targets.shape) for b in batches}
    assert len(shapes) <= 3, "one shape a bucket"
    has_target = windows.target > 0
    assert pairs(batches) == sorted(
        zip(windows.context[has_target], windows.target[has_target], strict=True)
    )


def test_windows_are_cut_to_their_bucket_and_leftovers_go_with_longer_ones() -> None:
    windows = random_windows(40)
    events = (windows.context > 0).sum(axis=1)
    batches = list(BatchPlan(windows, config(batch_size=4), shards=1, seed=1).epoch(0))
    rows = dict.fromkeys((2, 5, HISTORY), 0)
    for batch in batches:
        ids = batch.context.movie_id[0]
        assert len(ids) == 4
        rows[ids.shape[1]] += int((ids > 0).any(axis=1).sum())
    short, middle = int((events <= 2).sum()), int((events <= 5).sum())
    assert rows[2] == short - short % 4
    assert rows[5] == middle - rows[2] - (middle - rows[2]) % 4
    assert sum(rows.values()) == 40


def test_batches_of_positions_hold_more_windows_where_they_are_short() -> None:
    plan = BatchPlan(
        random_windows(60), config(batch_size=16, batch_unit="positions"), shards=2, seed=1
    )
    assert {batch.context.movie_id.shape for batch in plan.epoch(0)} == {
        (2, 4, 2),
        (2, 2, 5),
        (2, 1, HISTORY),
    }


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    windows = random_windows(50)

    def contexts(seed: int, epoch: int, skip: int = 0) -> list[bytes]:
        plan = BatchPlan(windows, config(batch_size=8), shards=2, seed=seed)
        return [batch.context.movie_id.tobytes() for batch in plan.epoch(epoch, skip=skip)]

    assert contexts(1, 0) == contexts(1, 0)
    assert contexts(1, 0) != contexts(1, 1)
    assert contexts(1, 0) != contexts(2, 0)
    assert contexts(1, 3, skip=2) == contexts(1, 3)[2:]


def test_ratings_and_times_travel_with_their_windows() -> None:
    windows = random_windows(9)
    stars = windows.context.astype(np.float32) / 10
    times = np.pad(windows.context, [(0, 0), (0, 1)], constant_values=7) * 3
    whole = Windows(
        windows.context, windows.target, windows.seen, windows.seen_splits, stars, stars, times
    )
    for batch in BatchPlan(whole, config(batch_size=2), shards=2, seed=1).epoch(0):
        ids, rating, time, _ = batch.context
        assert rating is not None
        assert time is not None
        np.testing.assert_allclose(rating, ids / 10, rtol=1e-6)
        np.testing.assert_array_equal(time[..., :-1], ids * 3)
        filled = ids.any(axis=-1)
        np.testing.assert_array_equal(time[..., -1], filled * 21)


def test_later_movies_are_targets_of_less_weight() -> None:
    context = np.array([[0, 1, 2, 3]], np.int32)
    target = np.array([[0, 0, 3, 4]], np.int32)
    movies, weights = wanted_targets(context, target, later_weights=(0.5, 0.25))
    assert movies[0].tolist() == [[0, 0, 0], [0, 0, 0], [3, 4, 0], [4, 0, 0]]
    assert weights[0].tolist() == [[0, 0, 0], [0, 0, 0], [1, 0.5, 0], [1, 0, 0]]


def test_ratings_weigh_targets() -> None:
    context, target = np.array([[1, 2]], np.int32), np.array([[2, 3]], np.int32)
    _, weights = wanted_targets(
        context,
        target,
        later_weights=(0.5,),
        rating=np.array([[5, 1]], np.float32),
        target_rating=np.array([[1, 4]], np.float32),
        rating_share=0.5,
    )
    # One star: 0.5 + 0.5 / 5; four stars: 0.5 + 0.5 * 4 / 5.
    np.testing.assert_allclose(weights[0], [[0.6, 0.45], [0.9, 0.0]], rtol=1e-6)
    with pytest.raises(ValueError, match="needs the ratings"):
        wanted_targets(context, target, later_weights=(), rating_share=0.5)


def test_stars_go_with_the_first_target() -> None:
    windows = random_windows(9)
    stars = (windows.target % 5 + (windows.target > 0)).astype(np.float32)
    rated = Windows(
        windows.context, windows.target, windows.seen, windows.seen_splits, stars, stars
    )
    settings = config(batch_size=2, later_weights=[0.5])
    for batch in BatchPlan(rated, settings, shards=2, seed=1).epoch(0):
        first = batch.targets[..., 0]
        assert batch.stars is not None
        np.testing.assert_array_equal(batch.stars, first % 5 + (first > 0))
    assert all(
        batch.stars is None for batch in BatchPlan(windows, settings, shards=2, seed=1).epoch(0)
    )


def test_attributes_of_users_go_with_their_windows_whole() -> None:
    windows = random_windows(40)
    # Each window's last id, thrice: it tells which window a row came from.
    user = np.repeat(windows.context.max(axis=1)[:, None], 3, axis=1)
    plan = BatchPlan(
        dataclasses.replace(windows, user=user), config(batch_size=4), shards=2, seed=1
    )
    for batch in plan.epoch(0):
        attributes = batch.context.user
        assert attributes is not None
        assert attributes.shape == (*batch.context.movie_id.shape[:2], 3)
        last = batch.context.movie_id.max(axis=-1)
        np.testing.assert_array_equal(attributes, np.repeat(last[..., None], 3, axis=-1))


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 60), st.integers(1, 30), st.integers(1, 3))
def test_a_teachers_vectors_go_with_their_targets(count: int, size: int, shards: int) -> None:
    windows = random_windows(count)
    # In float16 that is exact; no two targets have the same.
    ids = windows.target[windows.target > 0]
    vectors = np.stack([ids // 1000, ids % 1000], axis=1).astype(np.float16)
    plan = BatchPlan(
        windows,
        config(batch_size=size, later_weights=[0.5]),
        shards=shards,
        seed=1,
        teacher=vectors,
    )
    for batch in plan.epoch(0):
        assert batch.teacher is not None
        assert batch.teacher.dtype == np.float16
        first = batch.targets[..., 0]
        np.testing.assert_array_equal(batch.teacher @ np.array([1000, 1]), first)


def test_without_a_teacher_there_are_no_vectors() -> None:
    plan = BatchPlan(random_windows(9), config(batch_size=2), shards=2, seed=1)
    assert all(batch.teacher is None for batch in plan.epoch(0))
