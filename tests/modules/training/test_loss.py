from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from modules.training.losses import full_softmax
from modules.training.losses.base import build_loss
from modules.training.losses.chunked import are_safe
from modules.training.losses.full_softmax import FullSoftmax
from pipeline.config.loss import FullSoftmaxConfig

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


@pytest.mark.parametrize(("bounded", "xla"), [(False, False), (True, True)])
def test_without_a_bias_and_without_the_highest_logit_nothing_changes(
    bounded: bool, xla: bool
) -> None:
    context, table, bias, targets = inputs()
    bias.assign(tf.zeros_like(bias))
    wanted = targets[:, tf.newaxis]
    weights = tf.cast(wanted > 0, tf.float32)

    @tf.function(jit_compile=xla)
    def gradients(with_bias: bool, bounded: bool) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = full_softmax.softmax_cross_entropy_sum(
                context, table, bias if with_bias else None, wanted, weights, chunk=4,
                bounded=bounded,
            )  # fmt: skip
        return [loss, *tape.gradient(loss, [context, table])]

    for ours, theirs in zip(gradients(False, bounded), gradients(True, False), strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(ours), tf.convert_to_tensor(theirs), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize(
    ("bias", "scale", "safe"),
    # The longest vectors are 5 and 10 long: no score exceeds 50.
    [(0.0, 1.0, False), (0.0, 0.79, True), (0.0, 0.81, False), (-1.0, 0.79, False)],
)
def test_lengths_of_vectors_tell_how_high_scores_can_be(
    bias: float, scale: float, safe: bool
) -> None:
    context = tf.constant([[3.0, -4.0], [0.0, 1.0]])
    table = tf.constant([[0.0, 0.0], [1.0, 2.0], [6.0, 8.0]])
    biases = tf.constant([0.0, bias, 0.0])
    assert bool(are_safe(context, table, biases, scale=scale)) == safe
    if not bias:
        assert bool(are_safe(context, table, None, scale=scale)) == safe


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("length", [1.0, 300.0])
def test_scores_of_no_known_bound_are_exact_however_high(length: float, xla: bool) -> None:
    context = tf.constant([[length, 0.0], [0.0, -length]])
    table = tf.constant([[0.0, 0.0], [1.0, 1.0], [0.5, -1.0], [-1.0, 0.0]])
    targets = tf.constant([[2], [1]])

    @tf.function(jit_compile=xla)
    def loss() -> tf.Tensor:
        weights = tf.ones([2, 1])
        return full_softmax.softmax_cross_entropy_sum(
            context, table, None, targets, weights, chunk=2
        )

    scores = length * np.array([[1.0, 0.5, -1.0], [-1.0, 1.0, 0.0]])
    sums = np.logaddexp.reduce(scores, axis=1)
    np.testing.assert_allclose(loss(), sums.sum() - scores[0, 1] - scores[1, 0], rtol=1e-6)


def test_the_highest_logit_is_left_out_only_where_exponentials_are_safe() -> None:
    counts = np.ones(3, np.int64)
    arguments = (
        tf.constant([[100.0]]),
        tf.constant([[0.0], [1.0], [-1.0]]),
        None,
        tf.constant([[2]]),
        tf.constant([[1.0]]),
        tf.constant([1, 2]),
    )
    for bound in (None, 100.0):
        loss = build_loss(FullSoftmaxConfig(), movie_counts=counts, score_bound=bound)
        assert float(tf.function(loss)(*arguments)) == pytest.approx(200)
    wrong = build_loss(FullSoftmaxConfig(), movie_counts=counts, score_bound=40.0)
    assert not np.isfinite(tf.function(wrong)(*arguments))


def test_label_smoothing_by_hand() -> None:
    context, table, bias, first = inputs()
    targets = tf.stack([first, tf.constant([4, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0], tf.int32)], axis=1)
    weights = np.array([[1, 0.5]] * POSITIONS, np.float32) * (targets.numpy() > 0)
    logits = context.numpy() @ table.numpy()[1:].T + bias.numpy()[1:]
    logs = np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    expected = 0.0
    for row, column in np.argwhere(weights > 0):
        spread = np.full(MOVIES, 0.1 / MOVIES)
        spread[targets.numpy()[row, column] - 1] += 0.9
        expected -= weights[row, column] * (spread * logs[row]).sum()
    loss = tf.function(FullSoftmax(4, label_smoothing=0.1))
    smoothed = loss(context, table, bias, targets, tf.constant(weights), tf.constant([1, 2]))
    assert float(smoothed) == pytest.approx(expected, rel=1e-5)
