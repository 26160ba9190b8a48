from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from modules.training.losses import full_softmax

cross_entropy_sum = tf.function(full_softmax.softmax_cross_entropy_sum)
POSITIONS, DIM, MOVIES = 11, 4, 9


def softmax_cross_entropy_sum(
    context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor, *, chunk: int
) -> tf.Tensor:
    """One target a position, each of weight one."""
    wanted = targets[:, tf.newaxis]
    weights = tf.cast(wanted > 0, tf.float32)
    return cross_entropy_sum(context, table, bias, wanted, weights, chunk=chunk)


def inputs() -> tuple[tf.Variable, tf.Variable, tf.Variable, tf.Tensor]:
    rng = np.random.default_rng(0)
    context = tf.Variable(rng.normal(size=(POSITIONS, DIM)).astype(np.float32))
    table = tf.Variable(rng.normal(size=(MOVIES + 1, DIM)).astype(np.float32))
    bias = tf.Variable(rng.normal(size=MOVIES + 1).astype(np.float32))
    targets = tf.constant([3, 1, 9, 9, 2, 5, 7, 0, 0, 0, 0], tf.int32)
    return context, table, bias, targets


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("chunk", [3, 7, 16])
def test_loss_and_gradients_agree_with_tensorflow(chunk: int, xla: bool) -> None:
    context, table, bias, targets = inputs()

    @tf.function(jit_compile=xla)
    def ours() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = softmax_cross_entropy_sum(context, table, bias, targets, chunk=chunk)
            doubled = 2 * loss
        return loss, tape.gradient(doubled, [context, table, bias])

    loss, gradients = ours()
    with tf.GradientTape() as tape:
        logits = tf.matmul(context[:7], table[1:], transpose_b=True) + bias[1:]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets[:7] - 1, logits)
        expected = tf.reduce_sum(losses)
        doubled = 2 * expected
    wanted = tape.gradient(doubled, [context, table, bias])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    for ours_one, theirs in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(ours_one, tf.convert_to_tensor(theirs), atol=1e-5)


def test_one_movie_by_hand() -> None:
    context = tf.constant([[1.0, 0.0]])
    table = tf.constant([[50.0, 0.0], [np.log(3), 0.0], [0.0, 1.0]])
    loss = softmax_cross_entropy_sum(context, table, tf.zeros(3), tf.constant([2]), chunk=16)
    # e^0 / (e^ln3 + e^0) = 1/4; the padding's 50 is out of the race.
    assert float(loss) == pytest.approx(np.log(4), rel=1e-6)


def test_large_logits_do_not_overflow() -> None:
    context, table = tf.constant([[1e4]]), tf.constant([[0.0], [1.0], [-1.0]])
    loss = softmax_cross_entropy_sum(context, table, tf.zeros(3), tf.constant([2]), chunk=16)
    assert float(loss) == pytest.approx(2e4)


def test_no_targets_no_loss() -> None:
    context, table, bias, _ = inputs()
    none = tf.zeros(POSITIONS, tf.int32)
    assert float(softmax_cross_entropy_sum(context, table, bias, none, chunk=4)) == 0


@pytest.mark.parametrize("xla", [False, True])
def test_several_weighted_targets_are_a_weighted_sum_of_single_ones(xla: bool) -> None:
    context, table, bias, first = inputs()
    second = tf.constant([4, 0, 2, 9, 2, 1, 0, 0, 0, 0, 0], tf.int32)
    targets = tf.stack([first, second], axis=1)
    weights = np.array([[1, 0.5]] * POSITIONS, np.float32) * (targets.numpy() > 0)

    @tf.function(jit_compile=xla)
    def ours() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = full_softmax.softmax_cross_entropy_sum(
                context, table, bias, targets, tf.constant(weights), chunk=4
            )
        return loss, tape.gradient(loss, [context, table, bias])

    loss, gradients = ours()
    with tf.GradientTape() as tape:
        logs = tf.nn.log_softmax(tf.matmul(context, table[1:], transpose_b=True) + bias[1:])
        padded = tf.pad(logs, [[0, 0], [1, 0]])
        expected = -tf.reduce_sum(tf.gather(padded, targets, batch_dims=1) * weights)
    wanted = tape.gradient(expected, [context, table, bias])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    for ours_one, theirs in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(ours_one, tf.convert_to_tensor(theirs), atol=1e-5)
