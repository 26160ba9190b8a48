"""Two recommenders that know no user: most popular of all time, and of the last days.

Both rank the whole vocabulary with the user's seen movies taken out, ties against the target, the
same rules as for the model.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from modules.evaluation.ranking import MISS, IntArray, Ragged

SECONDS_A_DAY = 86_400
SEGMENTS = ("head", "torso", "tail")
UNKNOWN_SEGMENT = "unknown"


@dataclasses.dataclass(frozen=True)
class TrainingEvents:
    """What was watched in training.

    Attributes:
        timestamps: int64 [events], seconds since 1970 UTC, never falling.
        movie_ids: int64 [events], vocabulary ids.
        counts: int64 [movies + 1], events by vocabulary id; entry 0 is not a movie.
    """

    timestamps: IntArray
    movie_ids: IntArray
    counts: IntArray

    @classmethod
    def of(cls, timestamps: IntArray, movie_ids: IntArray, movies: int) -> TrainingEvents:
        """Sorts and counts events.

        Args:
            timestamps: int64 [events], in any order.
            movie_ids: int64 [events], vocabulary ids; events with 0 are left out.
            movies: Size of the vocabulary.
        """
        known = movie_ids > 0
        timestamps, movie_ids = timestamps[known], movie_ids[known]
        order = np.argsort(timestamps, kind="stable")
        counts = np.bincount(movie_ids, minlength=movies + 1)
        return cls(timestamps[order], movie_ids[order], counts)

    @property
    def movies(self) -> int:
        """Size of the vocabulary."""
        return len(self.counts) - 1


def popularity_ranks(events: TrainingEvents, targets: IntArray, seen: Ragged) -> IntArray:
    """Ranks targets by how often they were watched in training.

    Args:
        events: Training events.
        targets: int64 [batch], vocabulary ids, 0 = none.
        seen: [batch, (seen)], vocabulary ids.

    Returns:
        int64 [batch], from 1, or `MISS`.
    """
    own = events.counts[targets]
    ascending = np.sort(events.counts[1:])
    at_least = events.movies - np.searchsorted(ascending, own, side="left")
    seen = _distinct(seen)
    seen_at_least = _sum_rows(events.counts[seen.values] >= own[seen.rows], seen)
    return _with_misses(at_least - seen_at_least, targets, seen)


def recent_popularity_ranks(
    events: TrainingEvents,
    targets: IntArray,
    target_timestamps: IntArray,
    seen: Ragged,
    window_days: int,
) -> IntArray:
    """Ranks targets by how often they were watched in the last days of training before them.

    Each target has a window of its own, `[end - window_days, end)`, where `end` is the target's
    time, or the end of training if that is earlier: after a date cut the recommender keeps the last
    days that it knows. Equal counts are ordered by the count of all time. The counts slide along
    the targets in time order, so that each event enters and leaves them once.

    Args:
        events: Training events.
        targets: int64 [batch], vocabulary ids, 0 = none.
        target_timestamps: int64 [batch], seconds since 1970 UTC.
        seen: [batch, (seen)], vocabulary ids.
        window_days: Length of the window.

    Returns:
        int64 [batch], from 1, or `MISS`.
    """
    seen = _distinct(seen)
    train_end = events.timestamps[-1] + 1 if len(events.timestamps) else 0
    ends = np.minimum(target_timestamps, train_end)
    first = np.searchsorted(events.timestamps, ends - window_days * SECONDS_A_DAY, side="left")
    last = np.searchsorted(events.timestamps, ends, side="left")

    # One number that orders by recent count first and by the count of all time second.
    scale = int(events.counts.max(initial=0)) + 1
    score = events.counts.copy()
    ranks = np.empty(len(targets), np.int64)
    window_first = window_last = 0
    for row in np.argsort(ends, kind="stable"):
        if first[row] >= window_last:
            window = np.bincount(
                events.movie_ids[first[row] : last[row]], minlength=len(events.counts)
            )
            score = events.counts + scale * window
        else:
            np.add.at(score, events.movie_ids[window_last : last[row]], scale)
            np.subtract.at(score, events.movie_ids[window_first : first[row]], scale)
        window_first, window_last = first[row], last[row]
        own = score[targets[row]]
        row_seen = seen.values[seen.offsets[row] : seen.offsets[row + 1]]
        ranks[row] = np.count_nonzero(score[1:] >= own) - np.count_nonzero(score[row_seen] >= own)
    return _with_misses(ranks, targets, seen)


def popularity_segments(events: TrainingEvents, targets: IntArray) -> npt.NDArray[np.str_]:
    """Names the popularity segment of each target.

    `head` are the most popular movies that make up the first third of all training events, `torso`
    those of the second third, `tail` the rest. Equal counts are ordered by vocabulary id.

    Args:
        events: Training events.
        targets: int64 [batch], vocabulary ids, 0 = `unknown`.
    """
    order = np.argsort(-events.counts[1:], kind="stable") + 1
    before = np.cumsum(events.counts[order]) - events.counts[order]
    segment = np.full(events.movies + 1, UNKNOWN_SEGMENT, dtype="<U7")
    third = before * len(SEGMENTS) // max(int(events.counts.sum()), 1)
    segment[order] = np.array(SEGMENTS)[np.minimum(third, len(SEGMENTS) - 1)]
    return segment[targets]


def _distinct(seen: Ragged) -> Ragged:
    """Drops repeats within a row, as a movie is taken out of the ranking once, and unknown ones."""
    stride = int(seen.values.max(initial=0)) + 1
    keys = np.unique((seen.rows * stride + seen.values)[seen.values > 0])
    rows, values = np.divmod(keys, stride)
    lengths = np.bincount(rows, minlength=len(seen.offsets) - 1)
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]))


def _sum_rows(flags: npt.NDArray[np.bool_], rows: Ragged) -> IntArray:
    sums = np.concatenate([[0], np.cumsum(flags)])
    return sums[rows.offsets[1:]] - sums[rows.offsets[:-1]]


def _with_misses(ranks: IntArray, targets: IntArray, seen: Ragged) -> IntArray:
    was_seen = _sum_rows(seen.values == targets[seen.rows], seen) > 0
    return np.where((targets == 0) | was_seen, MISS, ranks)
