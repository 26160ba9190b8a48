"""A plain SASRec in TensorFlow and Keras, as one would write it first: the yardstick of training.

Kang and McAuley (2018), with the softmax over all movies instead of one negative. The equations are
those of `modules.models.encoders.transformer`; nothing here is made for speed. Histories are padded
to one length, every position is scored against every movie, and the loss is masked afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf


class PlainSasrec(keras.Model):
    """Scores every movie after every event."""

    def __init__(
        self, *, movies: int, length: int, dim: int = 64, blocks: int = 2, dropout: float = 0.1
    ) -> None:
        """Makes a model with random weights.

        Args:
            movies: Movies of the vocabulary, their ids being 1..movies.
            length: N, positions of a history.
            dim: Width of all vectors.
            blocks: Blocks of attention and feed-forward network.
            dropout: Share of values dropped in training.
        """
        super().__init__()
        self.items = keras.layers.Embedding(movies + 1, dim)
        self.positions = keras.layers.Embedding(length, dim)
        self.blocks = [Block(dim, dropout) for _ in range(blocks)]
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6)
        self.dropout = keras.layers.Dropout(dropout)
        self.scale = math.sqrt(dim)

    def call(self, movie_id: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns logits float32 [batch, length, movies] for ids int32 [batch, length]."""
        known = tf.cast(movie_id > 0, tf.float32)[..., tf.newaxis]
        places = tf.range(movie_id.shape[1])
        items = self.dropout(self.items(movie_id) * self.scale, training=training)
        positions = self.dropout(self.positions(places)[tf.newaxis], training=training)
        values = (items + positions) * known
        # Position i sees the events j <= i that are no padding.
        causal = places[:, tf.newaxis] >= places
        mask = tf.logical_and(causal, movie_id[:, tf.newaxis] > 0)
        for block in self.blocks:
            values = block(values, mask, training=training) * known
        return tf.matmul(self.norm(values), self.items.embeddings[1:], transpose_b=True)


class Block(keras.layers.Layer):
    """Self-attention of one head, then a feed-forward network at each position."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.query_norm = keras.layers.LayerNormalization(epsilon=1e-6)
        self.query = keras.layers.Dense(dim)
        self.key = keras.layers.Dense(dim)
        self.value = keras.layers.Dense(dim)
        self.output_projection = keras.layers.Dense(dim)
        self.forward_norm = keras.layers.LayerNormalization(epsilon=1e-6)
        self.inner = keras.layers.Dense(dim)
        self.outer = keras.layers.Dense(dim)
        self.dropout = keras.layers.Dropout(dropout)
        self.scale = 1 / math.sqrt(dim)

    def call(self, values: tf.Tensor, mask: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Maps float32 [batch, length, dim]; mask is boolean [batch, length, length]."""
        queries = self.query_norm(values)
        scores = tf.matmul(self.query(queries), self.key(values), transpose_b=True) * self.scale
        weights = tf.nn.softmax(tf.where(mask, scores, -1e9))
        weights = self.dropout(weights, training=training)
        seen = tf.matmul(weights, self.value(values))
        values = self.forward_norm(queries + self.output_projection(seen))
        inner = tf.nn.relu(self.dropout(self.inner(values), training=training))
        return values + self.dropout(self.outer(inner), training=training)


def make_update(
    model: PlainSasrec, *, learning_rate: float = 1e-3, beta_2: float = 0.98
) -> Callable[[np.ndarray, np.ndarray], tf.Tensor]:  # type: ignore[type-arg]
    """Returns a function that makes one update with Adam and returns the mean loss.

    Args:
        model: The model; its weights exist.
        learning_rate: Of Adam, constant.
        beta_2: Of Adam.

    Returns:
        A function of context and target, int32 [batch, length] each, 0 = padding or no target.
    """
    optimizer = keras.optimizers.Adam(learning_rate, beta_2=beta_2)
    optimizer.build(model.trainable_variables)

    @tf.function
    def update(context: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(context, training=True)
            labels = tf.maximum(target - 1, 0)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            wanted = tf.cast(target > 0, tf.float32)
            loss = tf.reduce_sum(losses * wanted) / tf.reduce_sum(wanted)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return lambda context, target: update(tf.constant(context), tf.constant(target))
