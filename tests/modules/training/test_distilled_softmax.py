from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modules.training.losses.distilled_softmax import DistilledSoftmax, distilled_cross_entropy_sum
from modules.training.losses.full_softmax import FullSoftmax, softmax_cross_entropy_sum
from modules.training.teacher import Teacher
from pipeline.config.distillation import DistillationConfig
from pipeline.config.loss import FullSoftmaxConfig

POSITIONS, DIM, WIDTH, MOVIES = 11, 4, 6, 9
DRAW = tf.constant([1, 2])
Variables = tuple[tf.Variable, tf.Variable, tf.Variable]


def normal(*shape: int, seed: int) -> tf.Variable:
    return tf.Variable(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def inputs() -> tuple[Variables, tf.Tensor, tf.Tensor, Teacher]:
    """Context, table and bias; two targets a position with weights; a teacher."""
    variables = (
        normal(POSITIONS, DIM, seed=0),
        normal(MOVIES + 1, DIM, seed=1),
        normal(MOVIES + 1, seed=2),
    )
    targets = np.array([[3, 1, 9, 9, 2, 5, 7, 0, 0, 0, 0], [4, 0, 2, 9, 2, 1, 0, 0, 0, 0, 0]]).T
    weights = np.array([[1, 0.5]] * POSITIONS) * (targets > 0)
    teacher = Teacher(
        normal(POSITIONS, WIDTH, seed=3).numpy().astype(np.float16),
        normal(MOVIES + 1, WIDTH, seed=4).numpy(),
    )
    return variables, tf.constant(targets, tf.int32), tf.constant(weights, tf.float32), teacher


def distillation(**settings: Any) -> DistillationConfig:
    return DistillationConfig.model_validate({"teachers": [{}], **settings})


def plain(
    variables: Variables,
    targets: tf.Tensor,
    weights: tf.Tensor,
    teacher: Teacher,
    weight: float,
    temperature: float,
) -> tf.Tensor:
    """The same sum with all scores at once."""
    context, table, bias = variables
    scores = tf.matmul(context, table[1:], transpose_b=True) + bias[1:]
    logs = tf.pad(tf.nn.log_softmax(scores), [[0, 0], [1, 0]])
    hard = -tf.reduce_sum(tf.gather(logs, targets, batch_dims=1) * weights)
    wanted = tf.nn.log_softmax(
        teacher.contexts.astype(np.float32) @ teacher.table[1:].T / temperature
    )
    soft = tf.nn.log_softmax(scores / temperature)
    divergence = tf.reduce_sum(tf.exp(wanted) * (wanted - soft), axis=1)
    counts = tf.reduce_sum(weights, axis=1)
    return (1 - weight) * hard + weight * temperature**2 * tf.reduce_sum(counts * divergence)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(
    ("weight", "temperature", "chunk", "bounded"),
    [(0.3, 1.0, 3, True), (0.5, 2.0, 16, False), (1.0, 0.5, 4, True)],
)
def test_loss_and_gradients_agree_with_tensorflow(
    weight: float, temperature: float, chunk: int, bounded: bool, xla: bool
) -> None:
    variables, targets, weights, teacher = inputs()

    @tf.function(jit_compile=xla)
    def ours() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = distilled_cross_entropy_sum(
                *variables,
                targets,
                weights,
                tf.cast(teacher.contexts, tf.float32),
                tf.constant(teacher.table),
                weight=weight,
                temperature=temperature,
                chunk=chunk,
                bounded=bounded,
                teacher_bounded=bounded,
            )
            doubled = 2 * loss
        return loss, tape.gradient(doubled, variables)

    loss, gradients = ours()
    with tf.GradientTape() as tape:
        expected = plain(variables, targets, weights, teacher, weight, temperature)
        doubled = 2 * expected
    wanted = tape.gradient(doubled, variables)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    for ours_one, theirs in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(ours_one, tf.convert_to_tensor(theirs), atol=2e-5)


def test_two_movies_by_hand() -> None:
    context, table = tf.constant([[1.0]]), tf.constant([[50.0], [np.log(3)], [0.0]])
    teacher = Teacher(np.ones((1, 1), np.float16), np.array([[9], [0], [0]], np.float32))
    loss = DistilledSoftmax(FullSoftmaxConfig(), distillation(weight=0.25), teacher)
    one = tf.constant([[1]]), tf.constant([[1.0]])
    # The student says 3/4 and 1/4, the target is the first, the teacher says half and half.
    divergence = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
    expected = 0.75 * np.log(4 / 3) + 0.25 * divergence
    ours = tf.function(loss)(context, table, None, *one, tf.constant(teacher.contexts))
    assert float(ours) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("temperature", "xla"), [(2.0, False), (1.0, True)])
@pytest.mark.thorough
def test_without_the_teachers_share_it_is_the_full_softmax(temperature: float, xla: bool) -> None:
    variables, targets, weights, teacher = inputs()

    @tf.function(jit_compile=xla)
    def both() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        with tf.GradientTape(persistent=True) as tape:
            full = softmax_cross_entropy_sum(*variables, targets, weights, chunk=4)
            distilled = distilled_cross_entropy_sum(
                *variables, targets, weights,
                tf.cast(teacher.contexts, tf.float32), tf.constant(teacher.table),
                weight=0.0, temperature=temperature, chunk=4,
            )  # fmt: skip
        return (
            [full, *tape.gradient(full, variables)],
            [distilled, *tape.gradient(distilled, variables)],
        )

    for full, distilled in zip(*both(), strict=True):
        one, other = tf.convert_to_tensor(full).numpy(), tf.convert_to_tensor(distilled).numpy()
        if xla:
            # The compiler adds up in another order.
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(one, other)


def test_a_student_like_its_teacher_has_nothing_to_learn_from_it() -> None:
    _, targets, weights, teacher = inputs()
    context, table = tf.Variable(teacher.contexts.astype(np.float32)), tf.Variable(teacher.table)
    loss = DistilledSoftmax(
        FullSoftmaxConfig(chunk=16), distillation(weight=1.0, temperature=3.0), teacher
    )
    with tf.GradientTape() as tape:
        value = tf.function(loss)(context, table, None, targets, weights, teacher.contexts)
    assert float(value) == pytest.approx(0, abs=1e-5)
    for gradient in tape.gradient(value, [context, table]):
        np.testing.assert_allclose(tf.convert_to_tensor(gradient), 0, atol=1e-5)


def test_large_scores_do_not_overflow() -> None:
    teacher = Teacher(np.full((1, 1), 1e4, np.float16), np.array([[0], [1], [-1]], np.float32))
    assert teacher.score_bound == 1e4
    loss = DistilledSoftmax(FullSoftmaxConfig(), distillation(weight=0.5), teacher)
    # A student as sure of the wrong movie as the teacher is of the right one: 2e4 each.
    context, table = tf.constant([[1e4]]), tf.constant([[0.0], [-1.0], [1.0]])
    arguments = context, table, None, tf.constant([[1]]), tf.constant([[1.0]]), teacher.contexts
    assert float(tf.function(loss)(*arguments)) == pytest.approx(2e4)


def test_a_temperature_below_one_makes_scores_larger_than_their_bound() -> None:
    teacher = Teacher(np.full((1, 1), 30, np.float16), np.array([[0], [1], [-1]], np.float32))
    context, table = tf.constant([[30.0]]), tf.constant([[0.0], [-1.0], [1.0]])
    loss = DistilledSoftmax(
        FullSoftmaxConfig(),
        distillation(weight=1.0, temperature=0.25),
        teacher,
        score_bound=30.0,
    )
    arguments = context, table, None, tf.constant([[1]]), tf.constant([[1.0]]), teacher.contexts
    # 60 apart, four times that over the temperature, whose square is a sixteenth.
    assert float(tf.function(loss)(*arguments)) == pytest.approx(60 * 4 / 16)


def test_label_smoothing_is_of_the_targets_share() -> None:
    variables, targets, weights, teacher = inputs()
    smooth, sharp = FullSoftmaxConfig(chunk=16, label_smoothing=0.1), FullSoftmaxConfig(chunk=16)
    rest = (*variables, targets, weights)
    half = distillation(weight=0.5)
    gained = float(tf.function(DistilledSoftmax(smooth, half, teacher))(*rest, teacher.contexts))
    gained -= float(tf.function(DistilledSoftmax(sharp, half, teacher))(*rest, teacher.contexts))
    full = float(tf.function(FullSoftmax(16, label_smoothing=0.1))(*rest, DRAW))
    full -= float(tf.function(FullSoftmax(16))(*rest, DRAW))
    assert gained == pytest.approx(full / 2, rel=1e-4)
