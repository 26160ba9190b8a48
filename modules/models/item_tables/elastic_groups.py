"""Groups of users, and how a device tells its own from the history alone. Without TensorFlow.

A user is where the mean of the history's item vectors points (PEEL). A group's affinity with a
movie is the product of the group's direction with the movie's row; the user's group is the one
whose affinities with the movies of the history add up to most. So a device needs a few bytes a
movie, and sends nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

AFFINITIES_FILE = "groups.bin"
"""int8 [movies + 1, groups], row after row; row 0, of padding, is zero."""

_TOP = 127
_ITERATIONS = 50


def user_vectors(
    rows: npt.NDArray[np.float32], histories: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    """Returns the direction of each history: float32 [users, width], of length one or zero.

    Args:
        rows: float32 [movies + 1, width]; that of padding is zero.
        histories: int32 [users, history], 0 = padding.
    """
    sums = np.stack([rows[history].sum(axis=0) for history in histories])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)


def cluster(vectors: npt.NDArray[np.float32], groups: int, *, seed: int) -> npt.NDArray[np.float32]:
    """Finds groups of directions: spherical k-means (Dhillon and Modha, 2001).

    Args:
        vectors: float32 [users, width], of length one.
        groups: At most as many as there are vectors.
        seed: Of where the search begins.

    Returns:
        float32 [groups, width], directions of length one. The same vectors and seed give the same.
    """
    random = np.random.default_rng(seed)
    centroids = vectors[random.choice(len(vectors), groups, replace=False)]
    for _ in range(_ITERATIONS):
        own = np.argmax(vectors @ centroids.T, axis=1)
        sums = np.zeros_like(centroids)
        np.add.at(sums, own, vectors)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        # A group that lost all of its users stays where it was.
        moved = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = moved.astype(np.float32)
    return centroids


def affinities(
    rows: npt.NDArray[np.float32], centroids: npt.NDArray[np.float32]
) -> npt.NDArray[np.int8]:
    """Returns what a device adds up over its history: int8 [movies + 1, groups].

    Args:
        rows: float32 [movies + 1, width], those of `user_vectors`.
        centroids: float32 [groups, width].
    """
    products = rows @ centroids.T
    step = max(float(np.abs(products).max()) / _TOP, 1e-12)
    return np.rint(products / step).astype(np.int8)


def groups_of(
    table: npt.NDArray[np.int8], histories: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Returns each history's group, from 1; of equal ones the first.

    Args:
        table: int8 [movies + 1, groups], see `affinities`.
        histories: int32 [users, history], 0 = padding.
    """
    found: npt.NDArray[np.int64] = 1 + np.argmax(
        np.stack([table[history].sum(axis=0, dtype=np.int64) for history in histories]), axis=1
    )
    return found


def description(groups: int, movies: int) -> dict[str, Any]:
    """Returns what a manifest says of the file.

    Args:
        groups: How many.
        movies: Of the vocabulary.
    """
    return {
        "count": groups,
        "file": AFFINITIES_FILE,
        "dtype": "int8",
        "shape": [movies + 1, groups],
        "formula": (
            "sum the rows of the model's ids of the history; the place of the largest sum, from 1, "
            "is the user's group"
        ),
    }
