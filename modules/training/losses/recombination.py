"""Halves of histories, one by the student and one by its teacher, put together and compared.

The self-supervised terms of OD-Rec (arXiv 2204.11091, section 4): of a history's popular and other
events, one combination takes the popular half from the student and the other half from the teacher,
a second one the other way round. Both stand for the same user, so that they are to be alike, unlike
those of other users (contrast); and either is to predict what the user saw next (prediction).
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from modules.features import PADDING_ID
from modules.models.history import Context
from modules.models.layers import unit_rows
from modules.models.recommender import Recommender
from modules.training.halves import TaughtHalves
from modules.training.losses.full_softmax import softmax_cross_entropy_sum
from pipeline.config.distillation import RecombinationConfig

_STREAM = 2
"""Keeps the draws of these weights apart from others of the same seed."""

Weights = Sequence[tf.Tensor]


class Recombination:
    """Sums the terms of windows; its weights belong to training alone.

    Attributes:
        variables: Of two networks with one hidden layer: of the combination with the student's
            popular half, then of the other. All exist once the object is made.
    """

    def __init__(
        self,
        config: RecombinationConfig,
        model: Recommender,
        *,
        teacher_width: int,
        chunk: int,
        seed: int,
    ) -> None:
        """Makes the networks.

        Args:
            config: The section.
            model: The student.
            teacher_width: Of the teacher's vectors.
            chunk: Windows whose logits exist at one time.
            seed: The run's.
        """
        self._config = config
        self._model = model
        self._chunk = chunk
        width = model.scoring_table().shape[1]
        # Draws of their own: the student begins with the weights that it would have without.
        rng = np.random.default_rng([seed, _STREAM])
        self.variables = [
            keras.Variable(value, name=f"recombination_{which}_{name}")
            for which in ("student", "teacher")
            for name, value in _network(rng, width + teacher_width, width).items()
        ]

    def __call__(
        self, halves: TaughtHalves, weights: Weights, table: tf.Tensor, bias: tf.Tensor | None
    ) -> tf.Tensor:
        """Sums the terms. Called inside a `tf.function`, which may be compiled by XLA.

        A window counts as much as all its targets together. The windows that one is to be unlike
        are those of the same part of a batch.

        Args:
            halves: Of one part of a batch, without the axis of the parts.
            weights: What `variables` hold now.
            table: float32 [movies + 1, width], the student's scoring table.
            bias: float32 [movies + 1], the student's, or None.

        Returns:
            float32 [], natural logarithm. Gradients flow to the student, `weights`, `table` and
            `bias`; the teacher's vectors are constants.
        """
        own = len(weights) // 2
        hot, cold = tf.split(self._encoded(_joined(halves.hot, halves.cold)), 2)
        with_hot = tf.concat([hot, _float(halves.teacher_cold)], axis=1)
        with_cold = tf.concat([cold, _float(halves.teacher_hot)], axis=1)
        student = _perceptron(with_hot, weights[:own])
        teacher = _perceptron(with_cold, weights[own:])
        loss = tf.constant(0.0)
        if self._config.contrastive_weight:
            loss += self._config.contrastive_weight * info_nce_sum(
                unit_rows(student),
                unit_rows(teacher),
                halves.weight,
                temperature=self._config.temperature,
            )
        if self._config.predictive_weight:
            for vectors in (student, teacher):
                loss += self._config.predictive_weight * softmax_cross_entropy_sum(
                    self._as_contexts(vectors),
                    table,
                    bias,
                    _targets(halves)[:, tf.newaxis],
                    halves.weight[:, tf.newaxis],
                    chunk=self._chunk,
                )
        return loss

    def _encoded(self, half: Context) -> tf.Tensor:
        """Returns the student's vectors: float32 [windows, width], zeros without any event."""
        known = tf.reduce_any(half.movie_id != PADDING_ID, axis=1, keepdims=True)
        # Of all positions, as in training: the operators that a device computes the last one with
        # have gradients that take ten times as long.
        return tf.where(known, self._model(half, training=False)[:, -1], 0.0)

    def _as_contexts(self, vectors: tf.Tensor) -> tf.Tensor:
        """Gives vectors the length that contexts of the student have."""
        if self._model.config.scoring == "dot":
            return vectors
        return unit_rows(vectors) * self._model.config.cosine_scale


def info_nce_sum(
    anchors: tf.Tensor, others: tf.Tensor, weights: tf.Tensor, *, temperature: float
) -> tf.Tensor:
    """Sums InfoNCE (van den Oord et al., 2018), the others of a batch being the negatives.

    Args:
        anchors: float32 [windows, width], rows of length one.
        others: float32 [windows, width], likewise; row i belongs to row i of the anchors.
        weights: float32 [windows]; a row of 0 is no window, and nobody's negative.
        temperature: Cosines are divided by it, above 0.

    Returns:
        float32 [], natural logarithm.
    """
    similarity = tf.matmul(anchors, others, transpose_b=True) / temperature
    # No cosine over a temperature comes near it.
    negatives = tf.where(weights[tf.newaxis] > 0, similarity, similarity.dtype.min / 2)
    lost = tf.reduce_logsumexp(negatives, axis=1) - tf.linalg.diag_part(similarity)
    return tf.reduce_sum(tf.where(weights > 0, weights * lost, 0.0))


def _network(rng: np.random.Generator, read: int, width: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Draws a network of one hidden layer (Glorot and Bengio, 2010)."""

    def drawn(rows: int, columns: int) -> np.ndarray:  # type: ignore[type-arg]
        bound = np.sqrt(6 / (rows + columns))
        return rng.uniform(-bound, bound, (rows, columns)).astype(np.float32)

    zeros = np.zeros(width, np.float32)
    return {
        "hidden": drawn(read, width),
        "hidden_bias": zeros,
        "output": drawn(width, width),
        "output_bias": zeros,
    }


def _perceptron(values: tf.Tensor, weights: Weights) -> tf.Tensor:
    hidden, hidden_bias, output, output_bias = weights
    return tf.matmul(tf.nn.relu(tf.matmul(values, hidden) + hidden_bias), output) + output_bias


def _joined(one: Context, other: Context) -> Context:
    """Puts batches one behind the other, for one call of the model: XLA compiles each anew."""
    parts = zip(one, other, strict=True)
    return Context(*(None if part[0] is None else tf.concat(part, axis=0) for part in parts))


def _targets(halves: TaughtHalves) -> tf.Tensor:
    """Targets int32 [windows]: any movie in the place of none, whose weight is 0."""
    return tf.maximum(halves.target, 1)


def _float(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(values, tf.float32)
