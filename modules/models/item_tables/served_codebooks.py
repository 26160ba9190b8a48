"""Codes and codebooks as a device reads them; the way was chosen by timing, see decisions.md."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.base import ServedTable
from pipeline.config.item_table import Composition

_PAIR = 16


class ServedCodebooks(ServedTable):
    """Two constants: codes, a byte each or two codes a byte, and the centroids of all codebooks."""

    def __init__(
        self,
        codes: npt.NDArray[np.uint8],
        centroids: npt.NDArray[np.float32],
        composition: Composition,
    ) -> None:
        """Packs two codes into a byte where they fit and codebooks are even.

        Args:
            codes: uint8 [movies + 1, books].
            centroids: float32 [books, codes, part], as in `coding`.
            composition: How centroids make a row.
        """
        self._books, self._size, self._part = centroids.shape
        self._product = composition == "product"
        self._centroids = centroids.reshape(-1, self._part)
        # A codebook after the other: scores read them so.
        by_book = np.ascontiguousarray(codes.T)
        self._pairs = self._size <= _PAIR and self._books % 2 == 0
        if self._pairs:
            by_book = by_book[0::2] * self._size + by_book[1::2]
        # One more axis, from which a scoring takes the only entry.
        self._codes = by_book[np.newaxis]

    def look_up(self, ids: tf.Tensor) -> tf.Tensor:
        """See `ServedTable.look_up`."""
        found = tf.gather(tf.constant(self._codes), tf.reshape(ids, [-1]), axis=2)
        codes = tf.transpose(tf.cast(found, tf.int32), [2, 1, 0])
        if self._pairs:
            first = codes // self._size
            codes = tf.concat([first, codes - first * self._size], axis=2)
        starts = np.arange(self._books, dtype=np.int32) * self._size
        places = tf.reshape(codes + starts.reshape(codes.shape[1:]), [-1])
        chosen = tf.gather(tf.constant(self._centroids), places)
        if self._product:
            return tf.reshape(chosen, [-1, ids.shape[1], self._books * self._part])
        chosen = tf.reshape(chosen, [-1, ids.shape[1], self._books, self._part])
        return tf.reduce_sum(chosen, axis=2)

    def scores(self, context: tf.Tensor) -> tf.Tensor:
        """See `ServedTable.scores`."""
        products = self._products(context)
        if self._pairs:
            # All sums that two codes can make: one is read instead of two products.
            split = tf.reshape(products, [-1, 2, self._size])
            both = split[:, 0, :, tf.newaxis] + split[:, 1, tf.newaxis, :]
            products = tf.reshape(both, [-1, self._books // 2, self._size**2])
        # Which entry is always the first, but a converter cannot know it: it would store these
        # numbers a second time, four bytes each.
        only = tf.cast(context[:, 0] > np.inf, tf.int32)
        codes = tf.cast(tf.gather(tf.constant(self._codes), only), tf.int32)
        return tf.reduce_sum(tf.gather(products, codes, axis=2, batch_dims=2), axis=1)

    def _products(self, context: tf.Tensor) -> tf.Tensor:
        """Returns a context's products with all centroids: float32 [batch, books, codes]."""
        centroids = tf.constant(self._centroids)
        if not self._product:
            products = tf.matmul(context, centroids, transpose_b=True)
            return tf.reshape(products, [-1, self._books, self._size])
        # Every part meets the centroids of all codebooks, as if parts were a batch: one product
        # with one constant, of which those of the part's own codebook are taken.
        parts = tf.reshape(context, [-1, self._part])
        products = tf.matmul(parts, centroids, transpose_b=True)
        products = tf.reshape(products, [-1, self._books**2, self._size])
        own = np.arange(self._books, dtype=np.int32) * (self._books + 1)
        return tf.gather(products, own, axis=1)
