"""What Transform runs: users' timelines in, windows out, with the movie vocabulary on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf
import tensorflow_transform as tft

from modules import features
from modules.user_attributes import AGE_GROUPS, GENDERS, OCCUPATIONS, id_feature
from modules.vocabulary import KEY_BASE
from modules.windows import TimelineBatch, make_windows
from pipeline.config.history import HistoryConfig

Tensor: TypeAlias = tf.Tensor | tf.SparseTensor | tf.RaggedTensor


def preprocessing_fn(
    inputs: Mapping[str, Tensor], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor | tf.SparseTensor]:
    """Builds the movie vocabulary and cuts timelines into windows.

    The number of rows changes: a batch of users goes in, a batch of windows comes out.

    Args:
        inputs: The timeline features of `modules.features`; lists ragged or sparse
            [users, (events)], single values dense [users, 1], attributes of users likewise or
            as lists [users, (0 or 1)].
        custom_config: `history`: a `HistoryConfig` as JSON.

    Returns:
        The window features of `modules.features`, `seen_movie_id` sparse.
    """
    history = HistoryConfig.model_validate_json(custom_config["history"])
    movie_id = _ragged(inputs[features.MOVIE_ID])
    rating = _ragged(inputs[features.RATING])
    timelines = TimelineBatch(
        user_id=_scalars(inputs[features.USER_ID]),
        movie_id=_vocabulary_ids(movie_id, rating, history),
        rating=rating,
        timestamp=_ragged(inputs[features.TIMESTAMP]),
        first_target=_scalars(inputs[features.FIRST_TARGET]),
        held_out=_scalars(inputs[features.HELD_OUT]),
        attributes=_attributes(inputs),
    )
    windows = make_windows(
        timelines,
        length=history.length,
        stride=history.stride,
        min_history=history.min_history,
        min_rating=history.min_rating,
        padding=history.padding,
    )
    # A ragged output would be written under the name `seen_movie_id$ragged_values`.
    seen = windows[features.SEEN_MOVIE_ID].to_sparse()
    return {**windows, features.SEEN_MOVIE_ID: seen}


def _vocabulary_ids(
    movie_id: tf.RaggedTensor, rating: tf.RaggedTensor, history: HistoryConfig
) -> tf.RaggedTensor:
    """Computes the vocabulary over the analyzed split and looks movies up: 0 = not in it.

    Only events that pass `min_rating` count: a movie that is never history nor target in training
    would enter with an untrained row.
    """
    # See modules.vocabulary for the key.
    keys = tf.constant(KEY_BASE, tf.int64) - movie_id.flat_values
    vocabulary = tft.vocabulary(
        tf.boolean_mask(keys, rating.flat_values >= history.min_rating),
        # A threshold of 1 keeps everything, and Transform warns of it.
        frequency_threshold=history.min_movie_count if history.min_movie_count > 1 else None,
        vocab_filename=features.MOVIE_VOCABULARY,
        store_frequency=True,
    )
    ids = tft.apply_vocabulary(
        keys, vocabulary, default_value=-1, lookup_fn=_lookup, name=features.MOVIE_VOCABULARY
    )
    return movie_id.with_flat_values(ids + 1)


def _lookup(keys: tf.Tensor, vocabulary_file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns each key's line (from 0; -1 = none) and the number of lines, int64."""
    # Once the file exists, the table is built outside of the graph of a batch: it is read once.
    lift = contextlib.nullcontext() if tf.is_symbolic_tensor(vocabulary_file) else tf.init_scope()
    with lift:
        # Lines are `count key`; Transform's own lookup would take the whole line for the key.
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                vocabulary_file,
                key_dtype=tf.int64,
                key_index=1,
                value_dtype=tf.int64,
                value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
                delimiter=" ",
            ),
            default_value=-1,
        )
        size = table.size()
    return table.lookup(keys), size


def _attributes(inputs: Mapping[str, Tensor]) -> dict[str, tf.Tensor]:
    """Returns int64 [users] by window feature: ids of `modules.user_attributes`, 0 = not known."""
    gender = _at_most_one(inputs[features.USER_GENDER], "")
    age = _at_most_one(inputs[features.USER_AGE], 0)
    occupation = _at_most_one(inputs[features.USER_OCCUPATION], "")
    return {
        id_feature(features.USER_GENDER): _category(gender, GENDERS),
        id_feature(features.USER_AGE): tf.reduce_sum(
            tf.cast(age[:, tf.newaxis] >= tf.constant(AGE_GROUPS, tf.int64), tf.int64), axis=1
        ),
        id_feature(features.USER_OCCUPATION): _category(occupation, OCCUPATIONS),
    }


def _at_most_one(feature: Tensor, default: str | int) -> tf.Tensor:
    """Returns [users], the default where there is no value."""
    if isinstance(feature, tf.Tensor):
        return _scalars(feature)
    return _ragged(feature).to_tensor(default, shape=[None, 1])[:, 0]


def _category(values: tf.Tensor, categories: Sequence[str]) -> tf.Tensor:
    """Returns the number of each value among the categories from 1; 0 = it is none of them."""
    found = tf.cast(values[:, tf.newaxis] == tf.constant(categories), tf.int64)
    return tf.linalg.matvec(found, tf.range(1, len(categories) + 1, dtype=tf.int64))


def _ragged(feature: Tensor) -> tf.RaggedTensor:
    """Lists arrive sparse or ragged, as the schema says."""
    if isinstance(feature, tf.SparseTensor):
        return tf.RaggedTensor.from_sparse(feature)
    return feature


def _scalars(feature: tf.Tensor) -> tf.Tensor:
    return tf.reshape(feature, [-1])
