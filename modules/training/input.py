"""Windows in memory, and the order in which updates take them.

Two int32 ids a position: 25 million ratings with N = 50 and a stride of 25 are 400 MB. In return
every epoch is shuffled over the whole of the data, a batch costs one gather, and where a killed
run stood is two numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules import features
from pipeline.errors import DataError

_READ_BATCH = 1024


@dataclasses.dataclass(frozen=True)
class Windows:
    """Windows of one split, ordered by user and time.

    Attributes:
        context: int32 [windows, history], ids of the vocabulary, 0 = padding.
        target: int32 [windows, history], what follows each position, 0 = not a target.
        seen: int32 [sum of all], the movies known to each window one after the other; empty in
            training.
        seen_splits: int64 [windows + 1], where each window's part of `seen` starts and ends.
    """

    context: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]
    seen: npt.NDArray[np.int32]
    seen_splits: npt.NDArray[np.int64]

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
        )

    def digest(self) -> str:
        """SHA-256 of the content, as hexadecimal digits."""
        digest = hashlib.sha256(repr(self.context.shape).encode())
        for part in (self.context, self.target, self.seen, self.seen_splits):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class Batch:
    """What one update reads; every shape is the same for each update of a run.

    Attributes:
        context: int32 [shards, windows, history]; rows of 0 fill the last batch of an epoch.
        positions: int32 [shards, targets], flat indices into `[windows * history]`.
        targets: int32 [shards, targets], 0 behind the last one.
    """

    context: npt.NDArray[np.int32]
    positions: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]


def read_windows(
    patterns: Sequence[str], feature_spec: Mapping[str, Any], *, with_seen: bool, movies: int
) -> Windows:
    """Reads transformed examples (gzipped TFRecords).

    Args:
        patterns: Files, with wildcards.
        feature_spec: Transform's feature specification.
        with_seen: Whether to read `seen_movie_id`.
        movies: Movies of the vocabulary.

    Raises:
        DataError: There is no such file, or an id is outside of the vocabulary.
    """
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    if not files:
        raise DataError(f"no transformed examples at {', '.join(patterns)}")
    names = [features.CONTEXT_MOVIE_ID, features.TARGET_MOVIE_ID]
    keys = [features.USER_ID, features.HISTORY_LENGTH]
    spec = {name: feature_spec[name] for name in names + keys}
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
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in names + keys}
    seen: list[npt.NDArray[np.int32]] = [np.zeros(0, np.int32)]
    lengths: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for rows in parsed:
        for name in names:
            parts[name].append(rows[name].numpy().astype(np.int32))
        for name in keys:
            parts[name].append(rows[name].numpy().reshape(-1))
        if with_seen:
            seen.append(rows[features.SEEN_MOVIE_ID].values.numpy().astype(np.int32))
            lengths.append(rows[features.SEEN_MOVIE_ID].row_lengths().numpy())
    if not parts[names[0]]:
        raise DataError(f"no windows in {', '.join(files)}: lower history.min_history or add data")
    context, target, user, length = (np.concatenate(parts[name]) for name in names + keys)
    # Workers of Beam write in no order that one could rely on.
    order = np.lexsort((length, user))
    counts = np.concatenate(lengths) if with_seen else np.zeros(len(order), np.int64)
    windows = _in_order(context, target, np.concatenate(seen), counts, order)
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
    return windows


def batches_an_epoch(windows: Windows, batch_size: int) -> int:
    """How many updates an epoch takes; the last one may be smaller."""
    return -(-len(windows) // batch_size)


def epoch_batches(
    windows: Windows, *, batch_size: int, shards: int, seed: int, epoch: int, skip: int = 0
) -> Iterator[Batch]:
    """Yields the batches of an epoch, the order being a function of `seed` and `epoch` alone.

    Args:
        windows: Training windows.
        batch_size: Windows an update.
        shards: Equal parts of a batch that are computed side by side.
        seed: The run's seed.
        epoch: From 0.
        skip: Batches to leave out at the start.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(windows))
    shard_size = -(-batch_size // shards)
    most_targets = int((windows.target != features.PADDING_ID).sum(axis=1).max())
    for start in range(skip * batch_size, len(order), batch_size):
        picked = order[start : start + batch_size]
        shape = (shards * shard_size, windows.context.shape[1])
        context, target = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        # Dealt out in turn, so that the parts of the last batch are equal too.
        rows = np.arange(len(picked))
        places = rows % shards * shard_size + rows // shards
        context[places], target[places] = windows.context[picked], windows.target[picked]
        flat = target.reshape(shards, -1)
        positions = np.zeros((shards, shard_size * most_targets), np.int32)
        targets = np.zeros_like(positions)
        for shard in range(shards):
            found = np.flatnonzero(flat[shard])
            positions[shard, : len(found)] = found
            targets[shard, : len(found)] = flat[shard, found]
        yield Batch(context.reshape(shards, shard_size, -1), positions, targets)


def left_padded(context: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Moves the events of each history `[windows, history]` to its end, in their order."""
    order = np.argsort(context != features.PADDING_ID, axis=1, kind="stable")
    return np.take_along_axis(context, order, axis=1)


def seen_mask(windows: Windows, start: int, stop: int, movies: int) -> npt.NDArray[np.bool_]:
    """Marks what windows `start` to `stop` have seen: [stop - start, movies + 1]."""
    splits = windows.seen_splits[start : stop + 1]
    mask = np.zeros((stop - start, movies + 1), np.bool_)
    rows = np.repeat(np.arange(stop - start), np.diff(splits))
    mask[rows, windows.seen[splits[0] : splits[-1]]] = True
    return mask


def _in_order(
    context: npt.NDArray[np.int32],
    target: npt.NDArray[np.int32],
    seen: npt.NDArray[np.int32],
    counts: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
) -> Windows:
    starts = np.cumsum(counts) - counts
    splits = np.concatenate([[0], np.cumsum(counts[order])])
    # For each element of the reordered list, where it stood: its window's start plus its rank.
    source = np.repeat(starts[order] - splits[:-1], counts[order]) + np.arange(splits[-1])
    return Windows(context[order], target[order], seen[source], splits)
