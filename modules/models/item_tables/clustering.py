"""Codebooks of rows that are there already: centroids by k-means, before any training."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pipeline.config.item_table import Composition

# Centroids that training goes on with need no last digit.
_ITERATIONS = 25

Rows = npt.NDArray[np.float32]


def clustered(
    rows: Rows, composition: Composition, *, books: int, codes: int
) -> tuple[npt.NDArray[np.uint8], Rows]:
    """Finds codebooks of rows: k-means of each part, or of what the codebooks before left over.

    Args:
        rows: float32 [rows, width], at least `codes` of them.
        composition: How centroids make a row.
        books: Codebooks; of a product they divide the width.
        codes: Centroids of a codebook, at most 256.

    Returns:
        Codes uint8 [rows, books] and centroids float32 [books, codes, part], as in `coding`. Equal
        rows give equal ones, on any number of threads.
    """
    found, centroids = [], []
    parts: Iterable[Rows] = np.split(rows, books, axis=1) if composition == "product" else ()
    for part in parts:
        own, book = _k_means(part, codes)
        found.append(own)
        centroids.append(book)
    for _ in range(books - len(centroids)):
        own, book = _k_means(rows, codes)
        found.append(own)
        centroids.append(book)
        rows = rows - book[own]
    return np.stack(found, axis=1), np.stack(centroids)


def projected(table: Rows, width: int, *, parts: int) -> Rows:
    """Brings rows to another width, keeping what counts most in the products between them.

    The columns of the singular value decomposition are dealt to parts so that the product of their
    variances is about the same in each, which loses least in a product of codebooks (Ge et al.,
    2013: parametric solution).

    Args:
        table: float32 [rows, any width].
        width: Of the result. Where the table has fewer independent columns, the others are zero.
        parts: That the result will be split into; they divide the width.

    Returns:
        float32 [rows, width].
    """
    left, values, _ = np.linalg.svd(table.astype(np.float64), full_matrices=False)
    kept = min(width, len(values))
    result = np.zeros((len(table), width), np.float32)
    # The largest columns come first, and each goes where the least is so far.
    places: list[list[int]] = [
        list(range(part * width // parts, (part + 1) * width // parts)) for part in range(parts)
    ]
    smallest = max(values[:kept].min(), np.finfo(np.float32).eps * values[0], 1e-30)
    share = np.zeros(parts)
    for column in range(kept):
        free = [part for part in range(parts) if places[part]]
        part = min(free, key=lambda part: (share[part], part))
        share[part] += np.log(max(values[column], smallest) / smallest)
        sign = np.sign(left[np.argmax(np.abs(left[:, column])), column])
        result[:, places[part].pop(0)] = sign * left[:, column] * values[column]
    return result


def _k_means(rows: Rows, codes: int) -> tuple[npt.NDArray[np.uint8], Rows]:
    """Returns labels uint8 [rows] and centroids float32 [codes, width]."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # Several threads would add up in any order.
    with threadpool_limits(limits=1):
        found = KMeans(
            codes, init="random", n_init=1, max_iter=_ITERATIONS, tol=0, random_state=0
        ).fit(np.ascontiguousarray(rows))
    return found.labels_.astype(np.uint8), found.cluster_centers_.astype(np.float32)
