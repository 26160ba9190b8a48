"""Windows in memory.

Two int32 ids a position: 25 million ratings with N = 50 and a stride of 25 are 400 MB. In return
every epoch is shuffled over the whole of the data, a batch costs one gather, and where a killed
run stood is two numbers. Ratings and times are held where the settings use them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules import features
from modules.training.columns import Columns
from modules.user_attributes import ID_FEATURES
from pipeline.errors import DataError

_READ_BATCH = 1024


@dataclasses.dataclass(frozen=True)
class Windows:
    """Windows of one split, ordered by user and time, all padded on the left.

    Attributes:
        context: int32 [windows, history], ids of the vocabulary, 0 = padding.
        target: int32 [windows, history], what follows each position, 0 = not a target.
        seen: int32 [sum of all], the movies known to each window one after the other; empty in
            training.
        seen_splits: int64 [windows + 1], where each window's part of `seen` starts and ends.
        rating: float32 [windows, history], stars of the context, 0 at padding; or None.
        target_rating: float32 [windows, history], stars of the targets; or None.
        time: int32 [windows, history + 1], seconds since 1970 UTC of the context, and of the last
            target in the last column; or None.
        user: int32 [windows, attributes], ids of `modules.user_attributes`; or None.
    """

    context: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]
    seen: npt.NDArray[np.int32]
    seen_splits: npt.NDArray[np.int64]
    rating: npt.NDArray[np.float32] | None = None
    target_rating: npt.NDArray[np.float32] | None = None
    time: npt.NDArray[np.int32] | None = None
    user: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.context)

    def first(self, count: int) -> Windows:
        """The first `count` windows, or all where there are fewer."""
        count = min(count, len(self))
        end = self.seen_splits[count]
        return Windows(
            self.context[:count],
            self.target[:count],
            self.seen[:end],
            self.seen_splits[: count + 1],
            *(None if part is None else part[:count] for part in self._extras()),
        )

    def only(self, needed: Columns) -> Windows:
        """The same windows without the columns that are not needed."""
        return dataclasses.replace(
            self,
            rating=self.rating if needed.rating else None,
            target_rating=self.target_rating if needed.rating else None,
            time=self.time if needed.time else None,
            user=self.user if needed.user else None,
        )

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The context's columns that are held, by the names of `modules.features`."""
        columns: dict[str, npt.NDArray[Any]] = {features.CONTEXT_MOVIE_ID: self.context}
        if self.rating is not None:
            columns[features.CONTEXT_RATING] = self.rating
        if self.time is not None:
            columns[features.CONTEXT_TIMESTAMP] = self.time[:, :-1]
            columns[features.TARGET_TIMESTAMP] = self.time[:, -1:]
        if self.user is not None:
            for place, name in enumerate(ID_FEATURES):
                columns[name] = self.user[:, place : place + 1]
        return columns

    def digest(self) -> str:
        """SHA-256 of the content, as hexadecimal digits."""
        digest = hashlib.sha256(repr(self.context.shape).encode())
        for part in (self.context, self.target, self.seen, self.seen_splits, *self._extras()):
            digest.update(b"none" if part is None else np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def _extras(self) -> tuple[npt.NDArray[Any] | None, ...]:
        return self.rating, self.target_rating, self.time, self.user


def read_windows(
    patterns: Sequence[str], feature_spec: Mapping[str, Any], **columns: Any
) -> Windows:
    """Reads transformed examples; takes and raises what `read_owned_windows` does."""
    return read_owned_windows(patterns, feature_spec, **columns)[0]


def read_owned_windows(
    patterns: Sequence[str],
    feature_spec: Mapping[str, Any],
    *,
    with_seen: bool,
    movies: int,
    with_rating: bool = False,
    with_time: bool = False,
    with_user: bool = False,
) -> tuple[Windows, npt.NDArray[np.int64]]:
    """Reads transformed examples (gzipped TFRecords).

    Args:
        patterns: Files, with wildcards.
        feature_spec: Transform's feature specification.
        with_seen: Whether to read `seen_movie_id`.
        movies: Movies of the vocabulary.
        with_rating: Whether to read the ratings of context and targets.
        with_time: Whether to read the times of context and last target.
        with_user: Whether to read the attributes of users.

    Returns:
        The windows, and the user of each, int64 [windows].

    Raises:
        DataError: There is no such file, or an id is outside of the vocabulary.
    """
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    if not files:
        raise DataError(f"no transformed examples at {', '.join(patterns)}")
    names = [features.CONTEXT_MOVIE_ID, features.TARGET_MOVIE_ID]
    names += [features.USER_ID, features.HISTORY_LENGTH]
    if with_rating:
        names += [features.CONTEXT_RATING, features.TARGET_RATING]
    if with_time:
        names += [features.CONTEXT_TIMESTAMP, features.TARGET_TIMESTAMP]
    if with_user:
        names += ID_FEATURES
    columns, seen, counts = _read_columns(files, feature_spec, names, with_seen=with_seen)
    # Workers of Beam write in no order that one could rely on.
    order = np.lexsort((columns[features.HISTORY_LENGTH][:, 0], columns[features.USER_ID][:, 0]))
    columns = {name: values[order] for name, values in columns.items()}
    windows = _left_padded_windows(columns, *_reordered_lists(seen, counts, order))
    for name, ids in (
        (features.CONTEXT_MOVIE_ID, windows.context),
        (features.TARGET_MOVIE_ID, windows.target),
        (features.SEEN_MOVIE_ID, windows.seen),
    ):
        if ids.size and not 0 <= ids.min() <= ids.max() <= movies:
            raise DataError(
                f"{files[0]}: {name} holds ids {ids.min()}..{ids.max()}, the vocabulary has "
                f"1..{movies}: examples and transform graph are not of the same run"
            )
    return windows, columns[features.USER_ID][:, 0]


def _read_columns(
    files: Sequence[str], feature_spec: Mapping[str, Any], names: Sequence[str], *, with_seen: bool
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Returns the named columns [windows, ...], all seen movies, and how many each window has."""
    spec = {name: feature_spec[name] for name in names}
    if with_seen:
        spec[features.SEEN_MOVIE_ID] = tf.io.RaggedFeature(
            tf.int64, value_key=features.SEEN_MOVIE_ID, row_splits_dtype=tf.int64
        )
    parsed = (
        tf.data.TFRecordDataset(files, compression_type="GZIP")
        .batch(_READ_BATCH)
        .map(lambda rows: tf.io.parse_example(rows, spec), num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(2)
    )
    narrow: dict[str, type] = {features.USER_ID: np.int64, features.HISTORY_LENGTH: np.int64}
    narrow |= {features.CONTEXT_RATING: np.float32, features.TARGET_RATING: np.float32}
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in names}
    seen: list[npt.NDArray[np.int32]] = [np.zeros(0, np.int32)]
    counts: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for rows in parsed:
        for name in names:
            parts[name].append(rows[name].numpy().astype(narrow.get(name, np.int32)))
        if with_seen:
            seen.append(rows[features.SEEN_MOVIE_ID].values.numpy().astype(np.int32))
            counts.append(rows[features.SEEN_MOVIE_ID].row_lengths().numpy())
    if not parts[names[0]]:
        raise DataError(f"no windows in {', '.join(files)}: lower history.min_history or add data")
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    if not with_seen:
        counts = [np.zeros(len(columns[names[0]]), np.int64)]
    return columns, np.concatenate(seen), np.concatenate(counts)


def _left_padded_windows(
    columns: Mapping[str, npt.NDArray[Any]],
    seen: npt.NDArray[np.int32],
    seen_splits: npt.NDArray[np.int64],
) -> Windows:
    context = columns[features.CONTEXT_MOVIE_ID]
    order = np.argsort(context != features.PADDING_ID, axis=1, kind="stable")

    def aligned(name: str) -> npt.NDArray[Any] | None:
        return np.take_along_axis(columns[name], order, axis=1) if name in columns else None

    time = aligned(features.CONTEXT_TIMESTAMP)
    if time is not None:
        time = np.concatenate([time, columns[features.TARGET_TIMESTAMP]], axis=1)
    return Windows(
        np.take_along_axis(context, order, axis=1),
        np.take_along_axis(columns[features.TARGET_MOVIE_ID], order, axis=1),
        seen,
        seen_splits,
        aligned(features.CONTEXT_RATING),
        aligned(features.TARGET_RATING),
        time,
        np.concatenate([columns[name] for name in ID_FEATURES], axis=1)
        if ID_FEATURES[0] in columns
        else None,
    )


def seen_mask(windows: Windows, start: int, stop: int, movies: int) -> npt.NDArray[np.bool_]:
    """Marks what windows `start` to `stop` have seen: [stop - start, movies + 1]."""
    splits = windows.seen_splits[start : stop + 1]
    mask = np.zeros((stop - start, movies + 1), np.bool_)
    rows = np.repeat(np.arange(stop - start), np.diff(splits))
    mask[rows, windows.seen[splits[0] : splits[-1]]] = True
    return mask


def _reordered_lists(
    values: npt.NDArray[np.int32], counts: npt.NDArray[np.int64], order: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Reorders lists that stand one after the other; returns them and where each starts and ends.

    Args:
        values: [sum of counts].
        counts: [lists].
        order: [lists], which list comes first, second ...
    """
    starts = np.cumsum(counts) - counts
    splits = np.concatenate([[0], np.cumsum(counts[order])])
    # For each element of the reordered list, where it stood: its list's start plus its rank.
    source = np.repeat(starts[order] - splits[:-1], counts[order]) + np.arange(splits[-1])
    return values[source], splits
