"""Windows of the real MovieLens 1M, counted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

import modules
from components.movielens_example_gen.splits import Part, divide
from components.movielens_example_gen.timelines import Timelines, load_timelines
from modules import features
from modules.windows import TimelineBatch, make_windows
from pipeline.config.data import SplitConfig

PROJECT = Path(modules.__file__).parent.parent
DATA = Path(os.environ.get("POCKETREC_DATA", PROJECT.parent / "shared" / "data")) / "ml-1m"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no MovieLens 1M at {DATA}: set POCKETREC_DATA to its parent folder"
)


@pytest.fixture(scope="module")
def timelines() -> Timelines:
    return load_timelines(DATA, min_ratings_per_movie=5, min_ratings_per_user=5)


def _windows(timelines: Timelines, part: Part) -> dict[str, npt.NDArray[Any]]:
    """Cuts a whole split at once, movies numbered by ascending id, all of them known."""
    starts = timelines.offsets[part.users]
    rows = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, part.ends, strict=True)])
    splits = np.concatenate([[0], np.cumsum(part.ends)])

    def ragged(values: npt.NDArray[Any]) -> tf.RaggedTensor:
        return tf.RaggedTensor.from_row_splits(values[rows], splits)

    numbers = np.unique(timelines.movie_ids, return_inverse=True)[1] + 1
    batch = TimelineBatch(
        user_id=tf.constant(timelines.user_ids[part.users]),
        movie_id=ragged(numbers),
        rating=ragged(timelines.ratings),
        timestamp=ragged(timelines.timestamps),
        first_target=tf.constant(part.first_targets),
        held_out=tf.fill([len(part.users)], tf.constant(int(part.held_out), tf.int64)),
    )
    columns = make_windows(
        batch, length=50, stride=25, min_history=1, min_rating=0.0, padding="left"
    )
    seen = columns.pop(features.SEEN_MOVIE_ID)
    return {name: value.numpy() for name, value in columns.items()} | {
        features.SEEN_MOVIE_ID: seen.flat_values.numpy()
    }


def test_every_training_event_but_each_users_first_is_a_target_once(timelines: Timelines) -> None:
    train = _windows(timelines, divide(timelines, SplitConfig())["train"])

    # Of each of 6,040 users the last two events are held out, and the first is no target.
    targets = train[features.TARGET_MOVIE_ID]
    assert np.count_nonzero(targets) == 999_611 - 3 * 6_040
    in_train = timelines.lengths - 2
    # A window for each started run of 25 targets.
    np.testing.assert_array_equal(
        np.unique(train[features.USER_ID], return_counts=True)[1], -(-(in_train - 1) // 25)
    )


def test_each_user_has_one_test_window_with_the_last_event_as_target(timelines: Timelines) -> None:
    test = _windows(timelines, divide(timelines, SplitConfig())["test"])

    last = timelines.offsets[1:] - 1
    numbers = np.unique(timelines.movie_ids, return_inverse=True)[1] + 1
    np.testing.assert_array_equal(test[features.TARGET_MOVIE_ID][:, -1], numbers[last])
    np.testing.assert_array_equal(test[features.CONTEXT_MOVIE_ID][:, -1], numbers[last - 1])
    np.testing.assert_array_equal(test[features.TARGET_TIMESTAMP][:, 0], timelines.timestamps[last])
    assert len(test[features.SEEN_MOVIE_ID]) == 999_611 - 6_040
