"""Reads a split of timelines into columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules import features
from modules.evaluation.ranking import IntArray
from modules.user_attributes import ATTRIBUTES, category_id

_USERS_A_BATCH = 512


@dataclasses.dataclass(frozen=True)
class Timelines:
    """The events of many users, one timeline after the other, each oldest first.

    Attributes:
        user_ids: int64 [users], ascending.
        offsets: int64 [users + 1], where each user's events start.
        movie_ids: int64 [events], the release's ids.
        ratings: float32 [events], stars.
        timestamps: int64 [events], seconds since 1970 UTC.
        first_targets: int64 [users], index in the timeline of the first possible target.
        attributes: int64 [users, attributes], ids of `modules.user_attributes`, 0 = not known.
    """

    user_ids: IntArray
    offsets: IntArray
    movie_ids: IntArray
    ratings: npt.NDArray[np.float32]
    timestamps: IntArray
    first_targets: IntArray
    attributes: IntArray

    @property
    def rows(self) -> IntArray:
        """int64 [events], the index of the event's user."""
        return np.repeat(np.arange(len(self.user_ids)), np.diff(self.offsets))


def read_timelines(files: Sequence[str]) -> Timelines:
    """Reads compressed TFRecord files of timelines (see `modules.features`).

    Args:
        files: Paths or URIs, of one split.

    Raises:
        tf.errors.InvalidArgumentError: A record is not a timeline.
    """
    ragged_int = tf.io.RaggedFeature(tf.int64)
    spec = {
        features.USER_ID: tf.io.FixedLenFeature([], tf.int64),
        features.FIRST_TARGET: tf.io.FixedLenFeature([], tf.int64),
        features.MOVIE_ID: ragged_int,
        features.TIMESTAMP: ragged_int,
        features.RATING: tf.io.RaggedFeature(tf.float32),
    }
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in spec}
    lengths: list[IntArray] = []
    attributes = [np.empty((0, len(ATTRIBUTES)), np.int64)]
    told = {
        name: tf.io.RaggedFeature(tf.int64 if name == features.USER_AGE else tf.string)
        for name in ATTRIBUTES
    }
    dataset = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP")
    for records in dataset.batch(_USERS_A_BATCH):
        batch = tf.io.parse_example(records, {**spec, **told})
        for name in spec:
            values = batch[name]
            flat = values.values if isinstance(values, tf.RaggedTensor) else values
            columns[name].append(flat.numpy())
        lengths.append(batch[features.MOVIE_ID].row_lengths().numpy())
        attributes.append(_attribute_ids(batch, len(records)))
    unsorted = Timelines(
        user_ids=_joined(columns[features.USER_ID], np.int64),
        offsets=np.concatenate([[0], np.cumsum(_joined(lengths, np.int64))]),
        movie_ids=_joined(columns[features.MOVIE_ID], np.int64),
        ratings=_joined(columns[features.RATING], np.float32),
        timestamps=_joined(columns[features.TIMESTAMP], np.int64),
        first_targets=_joined(columns[features.FIRST_TARGET], np.int64),
        attributes=np.concatenate(attributes),
    )
    return _by_user(unsorted)


def _joined(parts: Sequence[npt.NDArray[Any]], dtype: type[np.generic]) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype, copy=False)


def _attribute_ids(batch: Mapping[str, tf.RaggedTensor], users: int) -> IntArray:
    """Returns int64 [users, attributes]."""
    ids = np.zeros((users, len(ATTRIBUTES)), np.int64)
    for place, name in enumerate(ATTRIBUTES):
        rows, values = batch[name].value_rowids().numpy(), batch[name].values.numpy()
        for row, value in zip(rows, values, strict=True):
            told = value.decode() if isinstance(value, bytes) else int(value)
            ids[row, place] = category_id(name, told)
    return ids


def _by_user(timelines: Timelines) -> Timelines:
    order = np.argsort(timelines.user_ids, kind="stable")
    lengths = np.diff(timelines.offsets)[order]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    events = np.repeat(timelines.offsets[:-1][order] - offsets[:-1], lengths) + np.arange(
        offsets[-1]
    )
    return Timelines(
        user_ids=timelines.user_ids[order],
        offsets=offsets,
        movie_ids=timelines.movie_ids[events],
        ratings=timelines.ratings[events],
        timestamps=timelines.timestamps[events],
        first_targets=timelines.first_targets[order],
        attributes=timelines.attributes[order],
    )
