"""Rows as codes: which centroid of each codebook a row takes, and the row that they make.

Two compositions. Product: a row is as many parts as there are codebooks, one centroid each (Jegou
et al., 2011). Additive: a row is the sum of one centroid of each codebook, all as wide as the row;
they are chosen one after the other, each the nearest to what those before have left over (Chen et
al., 2010).
"""

from __future__ import annotations

import tensorflow as tf

from pipeline.config.item_table import Composition


def encoded(rows: tf.Tensor, centroids: tf.Tensor, composition: Composition) -> tf.Tensor:
    """Returns the code of each row in each codebook; of equally near centroids the first.

    Args:
        rows: float32 [rows, width].
        centroids: float32 [books, codes, part]; `part` is `width / books` of a product, else
            `width`.
        composition: How centroids make a row.

    Returns:
        int32 [rows, books].
    """
    # A codebook at a time: the distances of all would take as many times the memory.
    books = tf.unstack(centroids)
    if composition == "product":
        parts = tf.split(rows, len(books), axis=1)
        found = [_nearest(part, book) for part, book in zip(parts, books, strict=True)]
        return tf.stack(found, axis=1)
    found = []
    for book in books:
        found.append(_nearest(rows, book))
        rows = rows - tf.gather(book, found[-1])
    return tf.stack(found, axis=1)


def decoded(codes: tf.Tensor, centroids: tf.Tensor, composition: Composition) -> tf.Tensor:
    """Returns the rows that codes stand for.

    Args:
        codes: int32 [rows, books].
        centroids: float32 [books, codes, part], as in `encoded`.
        composition: How centroids make a row.

    Returns:
        float32 [rows, width].
    """
    books, size, part = centroids.shape
    places = codes + tf.range(books) * size
    chosen = tf.gather(tf.reshape(centroids, [books * size, part]), places)
    if composition == "product":
        return tf.reshape(chosen, [-1, books * part])
    return tf.reduce_sum(chosen, axis=1)


def _nearest(rows: tf.Tensor, book: tf.Tensor) -> tf.Tensor:
    """Returns int32 [rows], the centroid at the smallest Euclidean distance of each row."""
    # A row's own length makes no difference to which is nearest.
    lengths = tf.reduce_sum(tf.square(book), axis=1)
    return tf.argmin(lengths - 2 * tf.matmul(rows, book, transpose_b=True), 1, tf.int32)
