"""Ranks of held-out movies in the full catalogue, and the metrics over them.

One held-out movie a window, so that recall@K is the share of windows with a rank up to K.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from modules.features import PADDING_ID

MISSED = np.iinfo(np.int32).max
RECALL_CUTS = (1, 5, 10, 50)


def ranks_of_targets(
    scores: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int32],
    seen: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Ranks each window's target among the movies that it has not seen.

    Every doubt counts against the model: movies that score the same as the target, or not a
    number, stand before it.

    Args:
        scores: [windows, movies + 1]; column 0 is padding and is left out.
        targets: [windows], ids of the vocabulary; 0 is a movie outside of it.
        seen: [windows, movies + 1], the movies to leave out.

    Returns:
        [windows], ranks from 1. `MISSED` where the target is unknown, seen, or scored with
        something that is not a number.
    """
    rows = np.arange(len(targets))
    own = scores[rows, targets]
    # The negation also catches scores that are not numbers; the target itself is taken off again.
    ahead = ~(scores < own[:, None]) & ~seen
    ahead[:, PADDING_ID] = False
    ranks = ahead.sum(axis=1, dtype=np.int64)
    missed = (targets == PADDING_ID) | seen[rows, targets] | np.isnan(own)
    return np.where(missed, MISSED, ranks)


def metrics_of_ranks(ranks: npt.NDArray[np.int64]) -> Mapping[str, float]:
    """Averages over windows; a missed window counts as zero in each.

    Args:
        ranks: [windows], from 1, `MISSED` where there is none; at least one.

    Returns:
        `recall_at_1`, `_5`, `_10`, `_50`, `ndcg_at_10` (1 / log2(rank + 1) up to rank 10) and
        `mrr` (1 / rank), each in [0, 1].

    Raises:
        ValueError: There are no ranks.
    """
    if len(ranks) == 0:
        raise ValueError("metrics need at least one window")
    metrics = {f"recall_at_{cut}": float(np.mean(ranks <= cut)) for cut in RECALL_CUTS}
    gains = np.where(ranks <= 10, 1 / np.log2(ranks + 1.0), 0.0)
    metrics["ndcg_at_10"] = float(np.mean(gains))
    metrics["mrr"] = float(np.mean(np.where(ranks < MISSED, 1 / ranks, 0.0)))
    return metrics
