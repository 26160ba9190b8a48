from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.training.halves import TeacherHalves, hot_movies, joined, split, teacher_halves
from modules.training.input import Windows
from pipeline.config.model import CnnConfig, ModelConfig
from pipeline.errors import ConfigError
from tests.modules.training.planted import HISTORY, MOVIES, planted_windows


def test_some_movies_are_popular_and_some_are_not() -> None:
    assert [hot_movies(3416, 0.2), hot_movies(2, 0.01), hot_movies(2, 0.99)] == [683, 1, 1]


def test_events_before_the_last_target_go_to_their_half_in_order() -> None:
    movie_id = np.array([[0, 7, 2, 9, 1, 3], [4, 5, 6, 7, 8, 9], [0, 0, 0, 0, 1, 2]], np.int32)
    # The first window's last position belongs to another window; the third has no target at all.
    target = np.array([[0, 2, 0, 1, 3, 0], [0, 0, 0, 0, 0, 5], [0, 0, 0, 0, 0, 0]], np.int32)
    rating = movie_id / np.float32(2)
    time = np.concatenate([movie_id * 10, [[99], [98], [97]]], axis=1).astype(np.int32)
    user = np.array([[1, 2, 3]] * 3, np.int32)

    hot, cold, last = split(Context(movie_id, rating, time, user), target, 3)

    assert last.tolist() == [3, 5, 0]
    assert hot.movie_id.tolist() == [[0, 0, 0, 0, 2, 1], [0] * 6, [0] * 6]
    assert cold.movie_id.tolist() == [[0, 0, 0, 0, 7, 9], [4, 5, 6, 7, 8, 9], [0] * 6]
    assert hot.rating is not None
    assert hot.rating.tolist()[0] == [0, 0, 0, 0, 1.0, 0.5]
    assert hot.time is not None
    assert cold.time is not None
    # The moment that is predicted for is the last target's: that of the event after the fourth.
    assert cold.time.tolist()[:2] == [
        [0, 0, 0, 0, 70, 90, 30],
        [40, 50, 60, 70, 80, 90, 98],
    ]
    assert hot.time.tolist()[0] == [0, 0, 0, 0, 20, 10, 30]
    assert (str(hot.movie_id.dtype), str(hot.time.dtype)) == ("int32", "int32")
    assert hot.user is user


def mixed_windows() -> Windows:
    """Windows of both halves, of one half alone, and one whose last position is no target."""
    windows = planted_windows(7)
    windows.context[0] = [0, 0, 1, 15, 2, 16]
    windows.context[1] = [1, 2, 1, 2, 3, 1]
    windows.context[2] = [0, 0, 0, 11, 12, 13]
    windows.target[3, 4:] = 0
    return windows


@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_a_teacher_encodes_each_half(xla: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(1)
    config = ModelConfig(encoder=CnnConfig(layers=1, kernel=2), dim=8, dropout=0.5)
    model = Recommender(config, history_length=HISTORY, movies=MOVIES)
    windows = mixed_windows()
    # In parts, the last of which is not full.
    monkeypatch.setattr("modules.training.halves._EVENTS", 3 * HISTORY)
    found = teacher_halves(model, windows, 5, xla=xla)
    assert (found.hot_movies, str(found.hot.dtype), found.hot.shape) == (5, "float16", (7, 8))
    for row, history in enumerate(windows.context):
        read = history[: 4 if row == 3 else HISTORY]
        for half, events in (
            (found.hot, read[(read > 0) & (read <= 5)]),
            (found.cold, read[read > 5]),
        ):
            if not len(events):
                assert not half[row].any()
                continue
            alone = np.zeros((1, HISTORY), np.int32)
            alone[0, HISTORY - len(events) :] = events
            wanted = model.encode_last(Context(alone)).numpy()[0]
            np.testing.assert_allclose(half[row], wanted, atol=2e-3)
    assert not found.hot[2].any()
    assert not found.cold[1].any()


def test_vectors_too_long_for_float16_are_refused() -> None:
    config = ModelConfig(dim=8, scoring="cosine", cosine_scale=1e6)
    model = Recommender(config, history_length=HISTORY, movies=MOVIES)
    with pytest.raises(ConfigError, match=r"exceed float16.*cosine_scale \(1000000"):
        teacher_halves(model, planted_windows(2), 5, xla=False)


def test_several_teachers_stand_side_by_side() -> None:
    ones, twos = (np.full((2, width), width, np.float16) for width in (1, 2))
    both = joined([TeacherHalves(5, ones, 3 * ones), TeacherHalves(5, twos, twos)])
    assert (both.hot_movies, both.hot.tolist()) == (5, [[1, 2, 2]] * 2)
    assert both.cold.tolist() == [[3, 2, 2]] * 2


@pytest.mark.thorough
def test_inputs_of_events_go_with_them() -> None:
    reads = {"rating": True, "age": True}
    config = ModelConfig.model_validate({"dim": 8, "event_features": reads})
    keras.utils.set_random_seed(1)
    model = Recommender(config, history_length=HISTORY, movies=MOVIES)
    for weights in model.trainable_variables:
        if not np.array(weights).any():
            weights.assign(np.random.default_rng(0).normal(size=weights.shape))
    windows = mixed_windows()
    rating = np.where(windows.context > 0, 3.0, 0).astype(np.float32)
    time = np.arange(1, HISTORY + 2, dtype=np.int32) * np.ones((7, 1), np.int32) * 5000
    told = dataclasses.replace(windows, rating=rating, time=time)
    other = dataclasses.replace(told, rating=rating / 2)
    later = dataclasses.replace(told, time=time * 100)
    found = [teacher_halves(model, one, 5, xla=False).cold for one in (told, other, later)]
    assert np.abs(found[0] - found[1]).max() > 1e-2
    assert np.abs(found[0] - found[2]).max() > 1e-2
