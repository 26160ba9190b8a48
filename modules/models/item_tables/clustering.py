"""Codebooks of rows that are there already: centroids by k-means, before any training."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pipeline.config.item_table import Composition

Rows = npt.NDArray[np.float32]


def clustered(
    rows: Rows, composition: Composition, *, books: int, codes: int, iterations: int
) -> tuple[npt.NDArray[np.uint8], Rows]:
    """Finds codebooks of rows: k-means of each part, or of what the codebooks before left over.

    Args:
        rows: float32 [rows, width], at least `codes` of them.
        composition: How centroids make a row.
        books: Codebooks; of a product they divide the width.
        codes: Centroids of a codebook, at most 256.
        iterations: Of k-means, at most.

    Returns:
        Codes uint8 [rows, books] and centroids float32 [books, codes, part], as in `coding`. Equal
        rows give equal ones, on any number of threads.
    """
    found, centroids = [], []
    parts: Iterable[Rows] = np.split(rows, books, axis=1) if composition == "product" else ()
    for part in parts:
        own, book = _k_means(part, codes, iterations)
        found.append(own)
        centroids.append(book)
    for _ in range(books - len(centroids)):
        own, book = _k_means(rows, codes, iterations)
        found.append(own)
        centroids.append(book)
        rows = rows - book[own]
    return np.stack(found, axis=1), np.stack(centroids)


def _k_means(rows: Rows, codes: int, iterations: int) -> tuple[npt.NDArray[np.uint8], Rows]:
    """Returns labels uint8 [rows] and centroids float32 [codes, width]."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # Several threads would add up in any order.
    with threadpool_limits(limits=1):
        found = KMeans(codes, n_init=1, max_iter=iterations, tol=0, random_state=0)
        found.fit(np.ascontiguousarray(rows))
    return found.labels_.astype(np.uint8), found.cluster_centers_.astype(np.float32)
