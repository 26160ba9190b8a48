"""The distance of a student's contexts from its teacher's: learning without any movie's score."""

from __future__ import annotations

import tensorflow as tf

from modules.training.teacher_space import TeacherSpace


class ContextMatching:
    """Learns a teacher's contexts, direction by direction as they count for scores.

    A position costs as many products as a context is wide, where a softmax needs that many for each
    movie: a student comes near its teacher in a fraction of the time, and learns the rest by the
    teacher's scores.
    """

    def __init__(self, space: TeacherSpace, *, length: float | None = None) -> None:
        """Makes the loss.

        Args:
            space: The teacher in the space of the student.
            length: Of all contexts of the student, where it has one; the teacher's are then
                brought to it too, and directions alone compared.
        """
        self._importance = tf.constant(space.importance)
        self._length = length

    def __call__(self, context: tf.Tensor, weights: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
        """Sums the weighted squared distances.

        Args:
            context: float32 [positions, width], the student's.
            weights: float32 [positions, targets], of which the first column counts.
            teacher: float16 [positions, width], the teacher's.

        Returns:
            float32 []. Gradients flow to `context`.
        """
        wanted = tf.cast(teacher, tf.float32)
        if self._length is not None:
            wanted = tf.math.l2_normalize(wanted, axis=1, epsilon=1e-6) * self._length
        distance = tf.reduce_sum(tf.square(context - wanted) * self._importance, axis=1)
        return tf.reduce_sum(weights[:, 0] * distance)
