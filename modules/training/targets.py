"""What each position should predict, and how much that counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modules.features import PADDING_ID

_MOST_STARS = 5.0


def wanted_targets(
    context: npt.NDArray[np.int32],
    target: npt.NDArray[np.int32],
    *,
    later_weights: Sequence[float],
    rating: npt.NDArray[np.float32] | None = None,
    target_rating: npt.NDArray[np.float32] | None = None,
    rating_share: float = 0.0,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Lists the movies wanted at each position, with weights.

    The first is the next movie. Those after it follow further behind: which of several movies
    rated in one sitting comes first is chance, so that they are right answers too, of less weight.

    Args:
        context: [windows, history], padded on the left.
        target: [windows, history], the next movie, 0 = the position has no target.
        later_weights: Weights of the second, third ... movie that follows.
        rating: [windows, history], stars of the context; needed with `rating_share`.
        target_rating: [windows, history], stars of the targets; likewise.
        rating_share: Part of a target's weight that is its rating in five stars: 0 = all count
            the same, 1 = one star counts a fifth of five.

    Returns:
        Movies and weights, both [windows, history, 1 + len(later_weights)]; 0 where there is none.
    """
    wanted = [target]
    stars = [target_rating]
    following = np.concatenate([context[:, 1:], target[:, -1:]], axis=1)
    following_stars = (
        None
        if rating is None or target_rating is None
        else np.concatenate([rating[:, 1:], target_rating[:, -1:]], axis=1)
    )
    for place in range(1, 1 + len(later_weights)):
        # Positions without a target of their own belong to another window.
        has_target = target != PADDING_ID
        wanted.append(np.where(has_target, _earlier(following, place), PADDING_ID))
        stars.append(None if following_stars is None else _earlier(following_stars, place))
    weights = []
    for movie, star, weight in zip(wanted, stars, (1.0, *later_weights), strict=True):
        value = np.full(movie.shape, weight, np.float32)
        if rating_share:
            if star is None:
                raise ValueError("rating_share needs the ratings")
            value *= 1 - rating_share + rating_share * star / _MOST_STARS
        weights.append(np.where(movie != PADDING_ID, value, 0))
    return np.stack(wanted, axis=2), np.stack(weights, axis=2).astype(np.float32)


def _earlier(values: npt.NDArray[Any], steps: int) -> npt.NDArray[Any]:
    """Moves `[windows, history]` to earlier positions, zeros coming in at the end."""
    moved = np.zeros_like(values)
    moved[:, :-steps] = values[:, steps:]
    return moved
