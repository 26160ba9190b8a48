"""Ranks of targets, counted so that a broken model cannot look good.

- A movie that the user has already seen is taken out before ranks are counted.
- Ties count against the target, and so does a NaN score.
- A list is cut off at K: a target whose score is not above the lowest returned one may tie with
  movies beyond the list, so it is a miss. A NaN anywhere in the list therefore makes a miss.
- No target (0), a target that is not in the list, and a target that was seen are misses.

A public ranker that counts only *strictly greater* scores reports a recall of 1 for a model whose
scores are all equal; none of that is possible here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MISS = 2**31 - 1
"""The rank of a target that is not ranked."""

NO_REFERENCE = 0
"""The rank where there is nothing to rank with, e.g. no blessed model yet."""

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


class Ragged(NamedTuple):
    """Rows of different lengths.

    Attributes:
        values: int64 [values], the rows one after the other.
        offsets: int64 [rows + 1], row i is `values[offsets[i]:offsets[i + 1]]`.
    """

    values: IntArray
    offsets: IntArray

    @property
    def rows(self) -> IntArray:
        """int64 [values], the row each value belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def is_unseen(movie_ids: IntArray, seen: Ragged, movies: int) -> npt.NDArray[np.bool_]:
    """Tells which entries are movies of the catalogue that the row's user has not seen.

    Args:
        movie_ids: int64 [batch, K], vocabulary ids.
        seen: [batch, (seen)], vocabulary ids.
        movies: Size of the vocabulary; ids outside of 1..movies are not movies.

    Returns:
        bool [batch, K].
    """
    stride = movies + 1
    inside = (movie_ids >= 1) & (movie_ids <= movies)
    clipped = np.where(inside, movie_ids, 0)
    keys = clipped + np.arange(len(movie_ids))[:, np.newaxis] * stride
    return inside & ~np.isin(keys, seen.values + seen.rows * stride)


def list_ranks(
    movie_ids: IntArray, scores: FloatArray, targets: IntArray, seen: Ragged, movies: int
) -> IntArray:
    """Ranks each target in the list that a model returned for its window.

    Args:
        movie_ids: int64 [batch, K], vocabulary ids, best first.
        scores: float32 [batch, K], falling.
        targets: int64 [batch], vocabulary ids, 0 = none.
        seen: [batch, (seen)], vocabulary ids the user watched before the target.
        movies: Size of the vocabulary.

    Returns:
        int64 [batch], from 1, or `MISS`.
    """
    unseen = is_unseen(movie_ids, seen, movies)
    is_target = unseen & (movie_ids == targets[:, np.newaxis])
    position = is_target.argmax(axis=1)
    target_score = np.take_along_axis(scores, position[:, np.newaxis], axis=1)
    # Comparisons with NaN are false: "not below" counts NaN against the target.
    before = np.arange(movie_ids.shape[1]) < position[:, np.newaxis]
    above = unseen & (movie_ids != targets[:, np.newaxis]) & (before | ~(scores < target_score))
    ranks = 1 + above.sum(axis=1, dtype=np.int64)
    hit = is_target.any(axis=1) & (target_score[:, 0] > scores.min(axis=1))
    return np.where(hit, ranks, MISS)


def recommended(
    movie_ids: IntArray, scores: FloatArray, seen: Ragged, movies: int, k: int
) -> IntArray:
    """Returns what a user would be shown: the first k unseen movies of each list.

    Args:
        movie_ids: int64 [batch, K], vocabulary ids, best first.
        scores: float32 [batch, K]; a movie without a score (NaN) is not shown.
        seen: [batch, (seen)], vocabulary ids.
        movies: Size of the vocabulary.
        k: Movies shown, at most.

    Returns:
        int64 [batch, k], filled up with 0.
    """
    shown = is_unseen(movie_ids, seen, movies) & ~np.isnan(scores)
    place = np.cumsum(shown, axis=1) - 1
    rows, columns = np.nonzero(shown & (place < k))
    result = np.zeros((len(movie_ids), k), np.int64)
    result[rows, place[rows, columns]] = movie_ids[rows, columns]
    return result


def hits(ranks: IntArray, k: int) -> npt.NDArray[np.float64]:
    """Returns 1 where the target is among the first k, else 0: recall@k with one target.

    Args:
        ranks: int64 [batch].
        k: Length of the list.
    """
    return (ranks <= k).astype(np.float64)


def ndcg(ranks: IntArray, k: int) -> npt.NDArray[np.float64]:
    """Returns NDCG@k with one target: 1 / log2(rank + 1) within the first k, else 0.

    Args:
        ranks: int64 [batch].
        k: Length of the list.
    """
    return np.where(ranks <= k, 1.0 / np.log2(ranks + 1.0), 0.0)


def reciprocal_ranks(ranks: IntArray) -> npt.NDArray[np.float64]:
    """Returns 1 / rank, and 0 for a miss.

    Args:
        ranks: int64 [batch].
    """
    return np.where(ranks < MISS, 1.0 / ranks, 0.0)
