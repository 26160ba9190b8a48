"""The order in which updates take windows, and what one update reads.

Windows are batched with others of about their length and cut to it, so that hardly any padding is
computed. Every shape is one of a few, as a compiler wants them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modules.features import PADDING_ID
from modules.models.history import Context
from modules.training.halves import TaughtHalves, TeacherHalves, split
from modules.training.input import Windows
from modules.training.targets import wanted_targets
from pipeline.config.training import TrainingConfig


class Batch(NamedTuple):
    """What one update reads; as many shapes as there are buckets of lengths.

    Attributes:
        context: Arrays [shards, windows, length]; rows of 0 fill the last batch of an epoch.
        positions: int32 [shards, positions], flat indices into `[windows * length]`.
        targets: int32 [shards, positions, targets], 0 behind the last one.
        weights: float32 [shards, positions, targets], 0 where there is no target.
        stars: float32 [shards, positions], what the next movie was given, 0 = not known; None
            where nothing reads ratings.
        teacher: float16 [shards, positions, width], a teacher's contexts, 0 behind the last
            target; None where no scores are learned from.
        halves: The windows' popular and other events, and a teacher's vectors of them; None where
            they are not learned from.
    """

    context: Context
    positions: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    stars: npt.NDArray[np.float32] | None = None
    teacher: npt.NDArray[np.float16] | None = None
    halves: TaughtHalves | None = None

    def map(self, function: Callable[[Any], Any]) -> Batch:
        """Returns the same with each array that is there replaced by a function's result."""
        own: list[Any] = [None if part is None else function(part) for part in self[1:-1]]
        halves = None if self.halves is None else self.halves.map(function)
        return Batch(self.context.map(function), *own)._replace(halves=halves)


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Windows of about one length.

    Attributes:
        length: What they are cut to.
        batch: Windows an update takes.
        rows: int64 [windows], which windows.
    """

    length: int
    batch: int
    rows: npt.NDArray[np.int64]


class BatchPlan:
    """Cuts epochs into batches; their order is a function of seed and epoch alone."""

    def __init__(
        self,
        windows: Windows,
        config: TrainingConfig,
        *,
        shards: int,
        seed: int,
        teacher: npt.NDArray[np.float16] | None = None,
        halves: TeacherHalves | None = None,
    ) -> None:
        """Sorts the windows into buckets.

        Args:
            windows: Training windows.
            config: Batch size, buckets, weights of targets.
            shards: Equal parts of a batch that are computed side by side.
            seed: The run's seed.
            teacher: [targets, width], a teacher's context at each position with a target, windows
                in their order.
            halves: A teacher's vectors of the windows' halves.
        """
        self._windows = windows
        self._config = config
        self._shards = shards
        self._seed = seed
        self._teacher = teacher
        self._halves = halves
        target_counts = (windows.target != PADDING_ID).sum(axis=1)
        self._most_targets = int(target_counts.max())
        # Where each window's targets start among all: [windows, 1].
        self._first_targets = (np.cumsum(target_counts) - target_counts)[:, np.newaxis]
        self._buckets = _buckets(windows, config)

    @property
    def batches_an_epoch(self) -> int:
        """How many updates an epoch takes."""
        return len(self._assign([bucket.rows for bucket in self._buckets]))

    def epoch(self, epoch: int, *, skip: int = 0) -> Iterator[Batch]:
        """Yields the batches of an epoch.

        Args:
            epoch: From 0.
            skip: Batches to leave out at the start.
        """
        rng = np.random.default_rng([self._seed, epoch])
        picked = self._assign([rng.permutation(bucket.rows) for bucket in self._buckets])
        order = rng.permutation(len(picked))[skip:]
        # The next batch is put together while the processor works on the last one.
        with ThreadPoolExecutor(1) as ahead:
            pending = [ahead.submit(self._batch, *picked[index]) for index in order[:1]]
            for index in order[1:]:
                batch = pending.pop().result()
                pending.append(ahead.submit(self._batch, *picked[index]))
                yield batch
            for last in pending:
                yield last.result()

    def _assign(
        self, shuffled: Sequence[npt.NDArray[np.int64]]
    ) -> list[tuple[Bucket, npt.NDArray[np.int64]]]:
        """Cuts shuffled buckets into batches; what is left over goes with longer windows."""
        picked = []
        left = np.zeros(0, np.int64)
        for bucket, rows in zip(self._buckets, shuffled, strict=True):
            pool = np.concatenate([left, rows])
            last = bucket is self._buckets[-1]
            stop = len(pool) if last else len(pool) - len(pool) % bucket.batch
            for start in range(0, stop, bucket.batch):
                picked.append((bucket, pool[start : start + bucket.batch]))
            left = pool[stop:]
        return picked

    def _batch(self, bucket: Bucket, rows: npt.NDArray[np.int64]) -> Batch:
        shards = self._shards
        shard_size = -(-bucket.batch // shards)
        # Dealt out in turn, so that the parts of the last batch are equal too.
        order = np.arange(len(rows))
        places = order % shards * shard_size + order // shards

        def dealt(values: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
            filled = np.zeros((shards * shard_size, width), values.dtype)
            filled[places] = values[rows, values.shape[1] - width :]
            return filled.reshape(shards, shard_size, width)

        windows, length = self._windows, bucket.length
        context = Context(
            dealt(windows.context, length),
            None if windows.rating is None else dealt(windows.rating, length),
            None if windows.time is None else dealt(windows.time, length + 1),
            None if windows.user is None else dealt(windows.user, windows.user.shape[1]),
        )
        wanted, weight = self._wanted(dealt, length)
        flat = wanted.reshape(shards, shard_size * length, -1)
        flat_weight = weight.reshape(flat.shape)
        most = shard_size * min(length, self._most_targets)
        positions = np.zeros((shards, most), np.int32)
        targets = np.zeros((shards, most, flat.shape[2]), np.int32)
        weights = np.zeros(targets.shape, np.float32)
        rated = windows.target_rating
        flat_stars = None if rated is None else dealt(rated, length).reshape(shards, -1)
        stars = None if rated is None else np.zeros((shards, most), np.float32)
        for shard in range(shards):
            found = np.flatnonzero(flat[shard, :, 0])
            positions[shard, : len(found)] = found
            targets[shard, : len(found)] = flat[shard, found]
            weights[shard, : len(found)] = flat_weight[shard, found]
            if stars is not None and flat_stars is not None:
                stars[shard, : len(found)] = flat_stars[shard, found]
        teacher = None
        if self._teacher is not None:
            # Among all targets: those before the window, and those before this one in it.
            ranks = np.cumsum(wanted[..., 0] != PADDING_ID, axis=1) - 1
            ranks += dealt(self._first_targets, 1).reshape(-1, 1)
            taught = np.take_along_axis(ranks.reshape(shards, -1), positions, axis=1)
            teacher = self._teacher[taught] * (targets[..., :1] != PADDING_ID)
        halves = None
        if self._halves is not None:
            halves = self._taught(context, dealt, weight.reshape(shards, shard_size, -1))
        return Batch(context, positions, targets, weights, stars, teacher, halves)

    def _taught(
        self,
        context: Context,
        dealt: Callable[..., npt.NDArray[Any]],
        weight: npt.NDArray[np.float32],
    ) -> TaughtHalves:
        """Parts the windows of a batch.

        Args:
            context: The batch's.
            dealt: Deals rows of all windows out to the parts.
            weight: float32 [shards, windows, ...], of each target.
        """
        assert self._halves is not None
        shards, size, length = context.movie_id.shape
        flat = context.map(lambda values: values.reshape(shards * size, -1))
        target = dealt(self._windows.target, length).reshape(shards * size, length)
        halves = split(flat, target, self._halves.hot_movies)
        # Rows that fill the batch have no target, and those weigh nothing.
        own = weight.sum(axis=2)
        hot, cold = (
            half.map(lambda values: values.reshape(shards, size, -1))
            for half in (halves.hot, halves.cold)
        )
        return TaughtHalves(
            hot,
            cold,
            halves.target.reshape(shards, size),
            own,
            dealt(self._halves.hot, self._halves.hot.shape[1]),
            dealt(self._halves.cold, self._halves.cold.shape[1]),
        )

    def _wanted(
        self, dealt: Callable[..., npt.NDArray[Any]], length: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        windows, config = self._windows, self._config

        def rows(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return dealt(values, length).reshape(-1, length)

        return wanted_targets(
            rows(windows.context),
            rows(windows.target),
            later_weights=config.later_weights,
            rating=None if windows.rating is None else rows(windows.rating),
            target_rating=None if windows.target_rating is None else rows(windows.target_rating),
            rating_share=config.rating_share,
        )


def _buckets(windows: Windows, config: TrainingConfig) -> list[Bucket]:
    longest = windows.context.shape[1]
    lengths = [*(length for length in config.length_buckets if length < longest), longest]
    events = (windows.context != PADDING_ID).sum(axis=1)
    place = np.searchsorted(lengths, events)
    return [
        Bucket(
            length,
            config.batch_size
            if config.batch_unit == "windows"
            else max(1, config.batch_size // length),
            np.flatnonzero(place == index),
        )
        for index, length in enumerate(lengths)
    ]
