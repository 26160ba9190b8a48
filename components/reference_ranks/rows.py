"""Reads test windows, and writes them with what was added to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.reference_ranks.replay import Windows
from modules import features
from modules.evaluation.ranking import IntArray, Ragged
from modules.serving_inputs import FURTHER_INPUTS, inputs_of_windows

ROWS_A_BATCH = 8192
"""Bounds memory: windows held at one time."""


@dataclasses.dataclass(frozen=True)
class WindowBatch:
    """Some test windows.

    Attributes:
        records: Serialized `tf.Example`s.
        windows: Whose they are and where they were cut.
        context: int64 [batch, N], the candidate's vocabulary ids.
        further: What the candidate reads beside them, by name.
        seen: [batch, (seen)], the candidate's vocabulary ids.
    """

    records: list[bytes]
    windows: Windows
    context: IntArray
    further: Mapping[str, npt.NDArray[Any]]
    seen: Ragged


def read_windows(
    files: Sequence[str], history_length: int, inputs: Sequence[str] = ()
) -> Iterator[WindowBatch]:
    """Reads compressed TFRecord files of windows, in the order of names and records.

    Args:
        files: Paths or URIs.
        history_length: N.
        inputs: What the candidate reads beside the ids, see `modules.serving_inputs`.

    Raises:
        tf.errors.InvalidArgumentError: A record is not a window of this length.
    """
    one = tf.io.FixedLenFeature([], tf.int64)
    row = tf.io.FixedLenFeature([history_length], tf.int64)
    spec = {
        features.USER_ID: one,
        features.HISTORY_LENGTH: one,
        features.TARGET_TIMESTAMP: one,
        features.CONTEXT_MOVIE_ID: row,
        features.TARGET_MOVIE_ID: row,
        features.SEEN_MOVIE_ID: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
    }
    for name in inputs:
        described = FURTHER_INPUTS[name]
        # Records hold integers of 64 bits alone.
        dtype = tf.float32 if described.dtype == "float32" else tf.int64
        spec[described.column] = tf.io.FixedLenFeature(described.shape(history_length)[1:], dtype)
    dataset = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP")
    for records in dataset.batch(ROWS_A_BATCH):
        batch = tf.io.parse_example(records, spec)
        seen = batch[features.SEEN_MOVIE_ID]
        yield WindowBatch(
            records=list(records.numpy()),
            windows=Windows(
                user_ids=batch[features.USER_ID].numpy(),
                history_lengths=batch[features.HISTORY_LENGTH].numpy(),
                # A held-out window has one target, the other positions hold 0.
                targets=batch[features.TARGET_MOVIE_ID].numpy().max(axis=1),
                target_timestamps=batch[features.TARGET_TIMESTAMP].numpy().reshape(-1),
            ),
            context=batch[features.CONTEXT_MOVIE_ID].numpy(),
            further=inputs_of_windows(inputs, batch),
            seen=Ragged(seen.values.numpy(), seen.row_splits.numpy()),
        )


def with_features(records: Sequence[bytes], added: Mapping[str, Any]) -> Iterator[bytes]:
    """Adds features to serialized examples.

    Args:
        records: Serialized `tf.Example`s, [batch].
        added: By feature name: arrays [batch] of integers or text, or a sequence of several texts
            for each example.
    """
    integers, texts = {}, {}
    for name, values in added.items():
        if not isinstance(values, np.ndarray):
            texts[name] = [[text.encode() for text in several] for several in values]
        elif values.dtype.kind == "i":
            integers[name] = values.tolist()
        else:
            texts[name] = [[text.encode()] for text in values.tolist()]
    for index, record in enumerate(records):
        example = tf.train.Example.FromString(record)
        feature = example.features.feature
        for name, numbers in integers.items():
            feature[name].int64_list.value[:] = [numbers[index]]
        for name, lists in texts.items():
            feature[name].bytes_list.value[:] = lists[index]
        yield example.SerializeToString(deterministic=True)


def history_segments(history_lengths: IntArray) -> Any:
    """Names the segment of each history's length: text [batch].

    Args:
        history_lengths: int64 [batch], known events before the target.
    """
    names = np.array(["1-9", "10-49", "50-199", "200+"])
    return names[np.digitize(history_lengths, [10, 50, 200])]
