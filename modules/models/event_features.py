"""Vectors of an event's rating and of its distances in time, added to its item vector.

Numbers become buckets, a bucket has a learned row, and a bucket of 0 - not known - has none: what
is not known adds nothing. All rows begin at zero, so that a model starts as it would without.

| bucket | rating | seconds |
|---|---|---|
| 0 | not known | one of the two times is not known |
| 1 | half a star | 0, or less: a clock was set back |
| 2 | one star | 1 |
| 3 | one and a half | 2 to 3 |
| b | b / 2 stars | 2^(b-2) up to 2^(b-1) - 1 |
| last | 10: five stars | 30: 2^28 (eight and a half years) and more |
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.history import Context
from pipeline.config.event_features import EventFeaturesConfig

RATING_BUCKETS = 10
_MOST_STARS = 5.0

# Comparing integers is exact where a logarithm of a float is not, and converts to TFLite.
STEP_BOUNDARIES: npt.NDArray[np.int32] = np.power(2, np.arange(29)).astype(np.int32)
STEP_BUCKETS = len(STEP_BOUNDARIES) + 1

# Far from the numbers of the places of dropout.
_FORGET_SITE = 900


class EventFeatures(keras.layers.Layer):
    """The tables of the features that a configuration names; at least one."""

    def __init__(self, config: EventFeaturesConfig, *, dim: int) -> None:
        super().__init__(name="event_features")
        self._config = config
        self._rating = self._table("rating", RATING_BUCKETS, dim) if config.rating else None
        self._gap = self._table("gap", STEP_BUCKETS, dim) if config.gap else None
        self._age = self._table("age", STEP_BUCKETS, dim) if config.age else None
        self.built = True

    def call(self, context: Context, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Adds up the rows of each event.

        Args:
            context: A batch; ratings and times where they are read.
            seed: int32 [2] in training: some ratings are forgotten. None outside of it.

        Returns:
            float32 [batch, history, dim].

        Raises:
            ValueError: The context lacks what is read.
        """
        picked, tables = [], []
        if self._rating is not None:
            ratings = self._forget(_given(context.rating, "ratings"), seed)
            picked.append(tf.one_hot(rating_buckets(ratings) - 1, RATING_BUCKETS))
            tables.append(self._rating)
        if self._config.reads_time:
            steps = step_buckets(_given(context.time, "times"))
            if self._gap is not None:
                before = tf.pad(steps[:, :-1], [[0, 0], [1, 0]])
                picked.append(tf.one_hot(before - 1, STEP_BUCKETS))
                tables.append(self._gap)
            if self._age is not None:
                picked.append(tf.one_hot(steps - 1, STEP_BUCKETS))
                tables.append(self._age)
        # One product for all: on the device it is an operator with static weights, and in training
        # its gradient is a product too, where that of a look-up is a loop over events.
        rows = tf.concat(picked, axis=-1)
        table = tf.concat([tf.convert_to_tensor(table) for table in tables], axis=0)
        added = tf.matmul(tf.reshape(rows, [-1, rows.shape[-1]]), table)
        return tf.reshape(added, [-1, rows.shape[1], added.shape[-1]])

    def _table(self, name: str, buckets: int, dim: int) -> keras.Variable:
        return self.add_weight(shape=(buckets, dim), initializer="zeros", name=name)

    def _forget(self, ratings: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        rate = self._config.rating_dropout
        if seed is None or rate == 0:
            return ratings
        here = seed + tf.constant([0, _FORGET_SITE], seed.dtype)
        draw = tf.random.stateless_uniform(tf.shape(ratings), here)
        return tf.where(draw >= rate, ratings, 0.0)


def rating_buckets(ratings: tf.Tensor) -> tf.Tensor:
    """Returns the half stars of ratings, 0 = not known: int32, of any shape."""
    return tf.cast(tf.clip_by_value(ratings, 0.0, _MOST_STARS) * 2 + 0.5, tf.int32)


def step_buckets(time: tf.Tensor) -> tf.Tensor:
    """Returns the bucket of the seconds from each moment to the next.

    Args:
        time: int32 [batch, moments], seconds since 1970 UTC, 0 = not known.

    Returns:
        int32 [batch, moments - 1], see the module.
    """
    now, after = time[:, :-1], time[:, 1:]
    reached = tf.cast((after - now)[..., None] >= STEP_BOUNDARIES, tf.int32)
    known = tf.cast(tf.minimum(now, after) > 0, tf.int32)
    return (tf.reduce_sum(reached, axis=-1) + 1) * known


def step_buckets_of_arrays(time: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Returns what `step_buckets` returns, of an array and without TensorFlow."""
    now, after = time[:, :-1], time[:, 1:]
    buckets = 1 + np.searchsorted(STEP_BOUNDARIES, after - now, side="right")
    return np.where(np.minimum(now, after) > 0, buckets, 0).astype(np.int32)


def _given(values: tf.Tensor | None, what: str) -> tf.Tensor:
    if values is None:
        raise ValueError(f"the model reads the {what} of events: the context needs them")
    return values
