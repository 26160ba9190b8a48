"""Cross-entropy of the softmax over a whole catalogue, beside a teacher's softmax."""

from __future__ import annotations

import tensorflow as tf

from modules.training.losses.chunked import (
    ChunkPart,
    Exponentials,
    are_safe,
    chunked_sum,
    exponentials,
    in_chunks,
    is_safe,
)
from modules.training.losses.full_softmax import spread_sum
from modules.training.teacher import Teacher
from pipeline.config.distillation import DistillationConfig
from pipeline.config.loss import FullSoftmaxConfig


class DistilledSoftmax:
    """Learns from targets and from a teacher's scores (Hinton et al., 2015)."""

    def __init__(
        self,
        config: FullSoftmaxConfig,
        distillation: DistillationConfig,
        teacher: Teacher,
        *,
        score_bound: float | None = None,
    ) -> None:
        """Makes the loss.

        Args:
            config: Of the targets' part.
            distillation: Of the teacher's.
            teacher: What the teacher's scores are products of.
            score_bound: What no score of the student exceeds in magnitude, where it is known.
        """
        self._config = config
        self._weight = distillation.weight
        self._temperature = distillation.temperature
        self._table = tf.constant(teacher.table)
        coldest = min(1.0, self._temperature)
        self._bounded = is_safe(score_bound and score_bound / coldest)
        self._teacher_bounded = is_safe(teacher.score_bound / self._temperature)

    def __call__(
        self,
        context: tf.Tensor,
        table: tf.Tensor,
        bias: tf.Tensor | None,
        targets: tf.Tensor,
        weights: tf.Tensor,
        teacher: tf.Tensor,
    ) -> tf.Tensor:
        """Sums the loss of positions.

        Args:
            context: As in `losses.base.Loss`, like all that follow.
            table: Likewise.
            bias: Likewise.
            targets: Likewise.
            weights: Likewise.
            teacher: float16 [positions, width], the teacher's contexts.

        Returns:
            float32 [], natural logarithm. Gradients flow to `context`, `table` and `bias`.
        """
        loss = distilled_cross_entropy_sum(
            context,
            table,
            bias,
            targets,
            weights,
            tf.cast(teacher, tf.float32),
            self._table,
            weight=self._weight,
            temperature=self._temperature,
            chunk=self._config.chunk,
            bounded=self._bounded,
            teacher_bounded=self._teacher_bounded,
        )
        spread = (1 - self._weight) * self._config.label_smoothing
        if spread:
            loss += spread * spread_sum(context, table, bias, targets, weights)
        return loss


def distilled_cross_entropy_sum(
    context: tf.Tensor,
    table: tf.Tensor,
    bias: tf.Tensor | None,
    targets: tf.Tensor,
    weights: tf.Tensor,
    teacher_context: tf.Tensor,
    teacher_table: tf.Tensor,
    *,
    weight: float,
    temperature: float,
    chunk: int,
    bounded: bool = False,
    teacher_bounded: bool = False,
) -> tf.Tensor:
    """Sums `(1 - weight) * cross-entropy + weight * temperature^2 * divergence`.

    The divergence is Kullback and Leibler's, of the teacher's softmax from the student's, both of
    scores over the temperature; its square keeps the gradients' size. A position's divergence
    counts as much as all its targets together. One matrix of errors feeds the gradients' products:
    what the teacher costs is one product of its own width and one exponential, and where the
    temperature is not 1 another exponential.

    Args:
        context: float32 [positions, dim].
        table: float32 [movies + 1, dim]; row 0 is padding and never predicted.
        bias: float32 [movies + 1], added to the scores; or None.
        targets: int32 [positions, targets], 0 = none; positions without one come last.
        weights: float32 [positions, targets], 0 where there is no target.
        teacher_context: float32 [positions, width].
        teacher_table: float32 [movies + 1, width].
        weight: The teacher's share, 0 to 1.
        temperature: Above 0.
        chunk: Positions at a time.
        bounded: See `chunked.exponentials`; of the student's scores, over the temperature too.
            False leaves it to the vectors of this update.
        teacher_bounded: Likewise, of the teacher's scores over the temperature.

    Returns:
        float32 [], natural logarithm. Gradients flow to `context`, `table` and `bias`.
    """
    weight_blocks = in_chunks(weights, chunk)
    teacher_blocks = in_chunks(teacher_context, chunk)
    teacher_movies = teacher_table[1:] / temperature
    safe = bounded or are_safe(context, table, bias, scale=1 / min(1.0, temperature))

    def softened(scores: tf.Tensor, hard: Exponentials) -> tuple[tf.Tensor, Exponentials]:
        if temperature == 1:
            return scores, hard
        return scores / temperature, exponentials(scores / temperature, bounded=safe)

    def part(index: tf.Tensor, scores: tf.Tensor) -> ChunkPart:
        counts = tf.reduce_sum(weight_blocks[index], axis=1, keepdims=True)
        hard = exponentials(scores, bounded=safe)
        soft_scores, soft = softened(scores, hard)
        wanted_scores = tf.matmul(teacher_blocks[index], teacher_movies, transpose_b=True)
        wanted = exponentials(wanted_scores, bounded=teacher_bounded)
        ahead = tf.reduce_sum(wanted.values * (wanted_scores - soft_scores), axis=1, keepdims=True)
        divergence = ahead / wanted.total - wanted.log_total + soft.log_total
        loss = (1 - weight) * hard.log_total + weight * temperature**2 * divergence
        # All to the hard softmax's sum, by which `share` divides.
        pull = weight * temperature
        errors = -pull * (hard.total / wanted.total) * wanted.values
        if temperature == 1:
            errors += hard.values
        else:
            errors += (1 - weight) * hard.values
            errors += pull * (hard.total / soft.total) * soft.values
        return ChunkPart(tf.reduce_sum(counts * loss), errors, counts / hard.total)

    return chunked_sum(
        context, table, bias, targets, (1 - weight) * weights, chunk=chunk, part=part
    )
