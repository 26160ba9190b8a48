"""The network that weighs the blocks of an elastic table (PEEL, arXiv 2306.10532)."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf


class BlockController:
    """Weights of blocks by what is known of their segment.

    Attributes:
        variables: Its weights. New ones give every block the weight 1.
    """

    def __init__(self, *, features: int, hidden: int, blocks: int, seed: int) -> None:
        """Makes random weights inside, and zeros before the softmax.

        Args:
            features: Numbers a segment.
            hidden: Width inside.
            blocks: Of the table.
            seed: Of the weights.
        """
        first = keras.initializers.GlorotUniform(seed=seed)((features, hidden))
        self.variables = [
            tf.Variable(first),
            tf.Variable(tf.zeros([hidden])),
            tf.Variable(tf.zeros([hidden, blocks])),
            tf.Variable(tf.zeros([blocks])),
        ]

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Returns float32 [segments, blocks], of mean 1 in each segment.

        Args:
            features: float32 [segments, features].
        """
        inner, inner_bias, outer, outer_bias = self.variables
        logits = tf.matmul(tf.tanh(tf.matmul(features, inner) + inner_bias), outer) + outer_bias
        return tf.nn.softmax(logits) * outer_bias.shape[0]


def segment_features(
    popularity: npt.NDArray[np.float64], loss: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Returns what the network is told: float32 [segments, 2], each of mean 0 and variance 1.

    Args:
        popularity: float64 [segments], targets a movie; above zero.
        loss: float64 [segments], mean of the segment's targets.
    """
    columns = np.stack([np.log(popularity), loss], axis=1)
    spread = columns.std(axis=0)
    centred = columns - columns.mean(axis=0)
    return (centred / np.where(spread > 0, spread, 1)).astype(np.float32)
