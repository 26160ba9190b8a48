"""Leave-last-out evaluation of a bundle on timelines, through the runtime alone.

Each user's last event is the target; everything before it is the past. The whole catalogue is
ranked without the movies of the past; ties count against the model, and a score that is not a
number is a miss.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketrec_device.bundle import Bundle
from pocketrec_device.errors import HistoryError
from pocketrec_device.events import LAST_SECOND, Events
from pocketrec_device.recommender import Recommender

RECALL_AT = (1, 5, 10, 50)
NDCG_AT = 10
MISS = 0
"""The rank of a target that is not in the list."""

Z_95 = 1.959963984540054
"""The normal distribution's 97.5% point."""

_BATCH = 256

Int64s = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Cases:
    """What is asked of the model, one row a user.

    Attributes:
        context: int32 [rows, N], the encoded past.
        further: What a model may read beside it, by input name, see `Recommender.rank`.
        targets: int64 [rows], the model's id of the last movie, 0 where it does not know it.
        seen: int64 [seen movies], the model's ids of all past movies, row after row.
        seen_offsets: int64 [rows + 1], row r has `seen[seen_offsets[r]:seen_offsets[r + 1]]`.
    """

    context: npt.NDArray[np.int32]
    further: Mapping[str, npt.NDArray[Any]]
    targets: Int64s
    seen: Int64s
    seen_offsets: Int64s


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A metric's value with its 95% interval."""

    value: float
    low: float
    high: float


def leave_last_out(
    recommender: Recommender,
    offsets: Int64s,
    movie_ids: Int64s,
    ratings: npt.NDArray[np.float32],
    timestamps: Int64s,
    attributes: Mapping[str, Int64s] | None = None,
) -> Cases:
    """Makes one case of each user's timeline. The moment to recommend for is the target's time.

    A user whose last event is rated below the bundle's `min_rating`, or whose past holds fewer
    than `min_history` known movies rated at least so, makes no case.

    Args:
        recommender: Whose vocabulary, N and padding count.
        offsets: int64 [users + 1], user u has events `offsets[u]` to `offsets[u + 1]`.
        movie_ids: int64 [events], the release's ids, oldest first within a user.
        ratings: [events], stars.
        timestamps: int64 [events], seconds since 1970 UTC.
        attributes: int64 [users] by input name, numbers of categories, 0 = not known; what is
            left out is not known of anyone.
    """
    manifest = recommender.bundle.manifest
    known = _vocabulary_ids(recommender.bundle, movie_ids)
    liked = ratings >= manifest.min_rating
    seconds = np.clip(timestamps, 0, LAST_SECOND)
    histories: list[Events] = []
    moments: list[int] = []
    targets: list[int] = []
    seen: list[Int64s] = []
    users: list[int] = []
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    for user, (start, end) in enumerate(bounds):
        last = end - 1
        if last <= start or not liked[last]:
            continue
        past = known[start:last]
        history = start + np.flatnonzero((past > 0) & liked[start:last])
        if len(history) < manifest.min_history:
            continue
        kept = history[-manifest.history_length :]
        histories.append(Events(known[kept], ratings[kept], seconds[kept]))
        users.append(user)
        moments.append(int(seconds[last]))
        targets.append(int(known[last]))
        seen.append(past[past > 0])
    lengths = [len(movies) for movies in seen]
    context, further = recommender.encode_events(histories, moments)
    for name, numbers in (attributes or {}).items():
        further[name] = numbers[users].astype(np.int32).reshape(-1, 1)
    return Cases(
        context=context,
        further=further,
        targets=np.asarray(targets, np.int64),
        seen=np.concatenate([*seen, np.empty(0, np.int64)]),
        seen_offsets=np.cumsum([0, *lengths], dtype=np.int64),
    )


def target_ranks(
    recommender: Recommender,
    cases: Cases,
    progress: Callable[[int], object] | None = None,
) -> Int64s:
    """Ranks each case's target among the movies that the user has not seen.

    Args:
        recommender: The model.
        cases: See `leave_last_out`.
        progress: Called with the number of cases done since its last call.

    Returns:
        int64 [rows], from 1; `MISS` where the target is not in the model's top K, shares the
        lowest score of it (movies beyond the list may tie with it), was seen before, or where
        a score of the list is not a number.
    """
    ranks = np.full(len(cases.targets), MISS, np.int64)
    for start in range(0, len(ranks), _BATCH):
        rows = range(start, min(start + _BATCH, len(ranks)))
        further = {name: v[rows.start : rows.stop] for name, v in cases.further.items()}
        ids, scores = recommender.rank(cases.context[rows.start : rows.stop], further)
        for row, row_ids, row_scores in zip(rows, ids, scores, strict=True):
            seen = cases.seen[cases.seen_offsets[row] : cases.seen_offsets[row + 1]]
            ranks[row] = _rank(int(cases.targets[row]), seen, row_ids, row_scores)
        if progress is not None:
            progress(len(rows))
    return ranks


def summarize(ranks: Int64s) -> dict[str, Estimate]:
    """Returns recall@K, NDCG@10 and MRR with 95% intervals.

    Recall has Wilson's score interval; the others have the normal approximation of the mean.

    Args:
        ranks: int64 [rows], see `target_ranks`.

    Raises:
        HistoryError: There is no row.
    """
    if not len(ranks):
        raise HistoryError(
            "no user of this data makes a case: each needs a last event and, before it, movies "
            "that the model knows; is this the data that the model is meant for?"
        )
    hit = ranks != MISS
    safe = np.where(hit, ranks, 1)
    metrics = {
        f"recall_at_{k}": wilson_interval(int(np.sum(hit & (ranks <= k))), len(ranks))
        for k in RECALL_AT
    }
    gain = np.where(hit & (ranks <= NDCG_AT), 1.0 / np.log2(safe + 1.0), 0.0)
    metrics[f"ndcg_at_{NDCG_AT}"] = mean_interval(gain)
    metrics["mrr"] = mean_interval(np.where(hit, 1.0 / safe, 0.0))
    return metrics


def wilson_interval(hits: int, rows: int) -> Estimate:
    """Returns the share `hits / rows` with Wilson's score interval (Wilson, 1927)."""
    share = hits / rows
    widen = Z_95**2 / rows
    centre = (share + widen / 2) / (1 + widen)
    half = Z_95 * math.sqrt(share * (1 - share) / rows + widen / (4 * rows)) / (1 + widen)
    # Rounding may carry the ends a hair past the value where no or every row hits.
    return Estimate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def mean_interval(values: npt.NDArray[np.float64]) -> Estimate:
    """Returns the mean of `values` [rows] in [0, 1] with the normal approximation's interval."""
    mean = float(np.mean(values))
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    half = Z_95 * spread / math.sqrt(len(values))
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half))


def _rank(
    target: int,
    seen: Int64s,
    ids: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
) -> int:
    (places,) = np.nonzero(ids == target)
    if target == 0 or not len(places) or target in seen or np.isnan(scores).any():
        return MISS
    place = int(places[0])
    if not np.any(scores < scores[place]):
        return MISS
    # Whatever stands before the target counts, and behind it what ties with it.
    ahead = (np.arange(len(ids)) < place) | (scores >= scores[place])
    return 1 + int(np.count_nonzero(ahead & (ids != target) & ~np.isin(ids, seen)))


def _vocabulary_ids(bundle: Bundle, movie_ids: Int64s) -> Int64s:
    raw = np.asarray([movie.movie_id for movie in bundle.movies], np.int64)
    order = np.argsort(raw)
    places = np.minimum(np.searchsorted(raw[order], movie_ids), len(raw) - 1)
    candidates = order[places]
    return np.where(raw[candidates] == movie_ids, candidates + 1, 0)
