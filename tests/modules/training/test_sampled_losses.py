"""Sampled softmax and generalised binary cross-entropy, against sums written out in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from modules.training.losses.base import Loss, build_loss
from modules.training.losses.full_softmax import FullSoftmax
from modules.training.losses.gbce import gbce_terms, positive_power
from modules.training.losses.sampled_softmax import SampledSoftmax
from modules.training.losses.samplers import Negatives
from modules.training.losses.shared_negatives import Scores, sum_over_chunks
from pipeline.config.loss import GbceConfig, SampledSoftmaxConfig

DIM, MOVIES = 4, 9
DRAW = tf.constant([1, 2])
# Several targets a position, the same one twice, rows without any.
TARGETS = np.array([[3, 0], [1, 4], [9, 9], [2, 5], [7, 0], [0, 0], [0, 0]], np.int32)
WEIGHTS = np.array([[1, 0], [1, 0.5], [0.5, 0.25], [2, 1], [0.3, 0], [0, 0], [0, 0]], np.float32)
DRAWN = np.array([1, 8, 8, 3, 5, 0], np.int32)
EXPECTED = np.array([0.5, 1.5, 1.5, 0.2, 1.0, 1.0], np.float32)


class FixedSampler:
    """Always the same draw."""

    def __init__(self, ids: npt.NDArray[np.int32], expected: npt.NDArray[np.float32]) -> None:
        self._negatives = Negatives(tf.constant(ids), tf.constant(np.log(expected)))

    def __call__(self, targets: tf.Tensor, draw: tf.Tensor) -> Negatives:
        del targets, draw
        return self._negatives


def inputs(scale: float = 1.0) -> tuple[tf.Variable, tf.Variable, tf.Variable]:
    rng = np.random.default_rng(0)
    context = tf.Variable(rng.normal(size=(len(TARGETS), DIM)).astype(np.float32) * scale)
    table = tf.Variable(rng.normal(size=(MOVIES + 1, DIM)).astype(np.float32))
    return context, table, tf.Variable(rng.normal(size=MOVIES + 1).astype(np.float32))


def value_and_gradients(
    loss: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor], *, xla: bool = False
) -> list[npt.NDArray[np.float32]]:
    variables = inputs()

    @tf.function(jit_compile=xla)
    def computed() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            total = loss(*variables)
        return [total, *tape.gradient(total, variables)]

    return [tf.convert_to_tensor(part).numpy() for part in computed()]


def plain_scores(
    context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Scores of targets and of the draw, and which of the draw are no negatives."""
    scores = tf.matmul(context, table, transpose_b=True) + bias
    own = tf.gather(scores, TARGETS, batch_dims=1)
    hit = (TARGETS[:, :, None] == DRAWN).any(axis=1) | (DRAWN == 0)
    return own, tf.gather(scores, DRAWN, axis=1), tf.constant(hit)


def plain_sampled_softmax(context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    own, others, hit = plain_scores(context, table, bias)
    sums = tf.reduce_sum(tf.where(hit, 0.0, tf.exp(others) / EXPECTED), axis=1)
    twice = TARGETS[:, 1] == TARGETS[:, 0]
    counted = np.stack([TARGETS[:, 0] > 0, (TARGETS[:, 1] > 0) & ~twice], axis=1)
    sums += tf.reduce_sum(tf.where(counted, tf.exp(own), 0.0), axis=1)
    # Positions without a target have no part in it.
    logs = tf.math.log(tf.where(WEIGHTS.any(axis=1), sums, 1.0))
    return tf.reduce_sum(WEIGHTS * (logs[:, None] - own))


def plain_gbce(context: tf.Tensor, table: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    own, others, hit = plain_scores(context, table, bias)
    negative = tf.reduce_sum(tf.where(hit, 0.0, tf.nn.softplus(others)), axis=1)
    positive = -0.4 * tf.math.log(tf.sigmoid(own))
    return tf.reduce_sum(WEIGHTS * (positive + negative[:, None])) / (len(DRAWN) + 1)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("bounded", "chunk", "xla"), [(False, 3, True), (True, 3, False), (True, 16, True)]
)
def test_sampled_softmax_agrees_with_plain_tensorflow(bounded: bool, chunk: int, xla: bool) -> None:
    loss = SampledSoftmax(FixedSampler(DRAWN, EXPECTED), chunk=chunk, bounded=bounded)
    ours = value_and_gradients(
        lambda context, table, bias: loss(
            context, table, bias, tf.constant(TARGETS), tf.constant(WEIGHTS), DRAW
        ),
        xla=xla,
    )
    for one, wanted in zip(ours, value_and_gradients(plain_sampled_softmax), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("chunk", "xla"), [(3, True), (16, False)])
def test_gbce_agrees_with_plain_tensorflow(chunk: int, xla: bool) -> None:
    ours = value_and_gradients(
        lambda context, table, bias: sum_over_chunks(
            context,
            table,
            bias,
            tf.constant(TARGETS),
            tf.constant(WEIGHTS),
            tf.constant(DRAWN),
            terms=lambda scores: gbce_terms(scores, 0.4, len(DRAWN)),
            chunk=chunk,
        ),
        xla=xla,
    )
    for one, wanted in zip(ours, value_and_gradients(plain_gbce), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-5)


def one_position(loss: Loss, scores: list[float], target: int) -> float:
    """Loss of one position whose movies 1, 2 ... have these scores."""
    table = tf.constant([[50.0], *([score] for score in scores)])
    one = tf.constant([[1.0]])
    return float(tf.function(loss)(one, table, None, tf.constant([[target]]), one, DRAW))


def test_sampled_softmax_by_hand() -> None:
    sampler = FixedSampler(np.array([2, 3], np.int32), np.array([0.5, 2], np.float32))
    loss = SampledSoftmax(sampler, chunk=16)
    scores = [np.log(3), np.log(2), np.log(8)]
    # The target's own 3, then 2 / 0.5 and 8 / 2: 3 of 11.
    assert one_position(loss, scores, 1) == pytest.approx(np.log(11 / 3), rel=1e-6)
    # The second movie is the target and was drawn: 2 once, and 8 / 2: 2 of 6.
    assert one_position(loss, scores, 2) == pytest.approx(np.log(6 / 2), rel=1e-6)


def test_a_hit_is_gone_also_beside_low_scores() -> None:
    # One movie drawn, and it is the target: a probability of one, whatever the scores.
    sampler = FixedSampler(np.array([1], np.int32), np.array([1], np.float32))
    loss = SampledSoftmax(sampler, chunk=16)
    assert one_position(loss, [-1e6, 5.0], 1) == 0.0


@pytest.mark.parametrize("bound", [None, 30.0])
def test_a_sample_of_the_whole_catalogue_is_the_full_softmax(bound: float | None) -> None:
    config = SampledSoftmaxConfig(negatives=MOVIES, chunk=16)
    sampled = build_loss(config, movie_counts=np.ones(MOVIES + 1, np.int64), score_bound=bound)
    rest = (tf.constant(TARGETS), tf.constant(WEIGHTS), DRAW)
    full = FullSoftmax(16)
    ours = value_and_gradients(lambda context, table, bias: sampled(context, table, bias, *rest))
    theirs = value_and_gradients(lambda context, table, bias: full(context, table, bias, *rest))
    for one, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sampler", ["uniform", "popularity", "in_batch"])
def test_larger_samples_come_closer_to_the_full_softmax(sampler: str) -> None:
    rng = np.random.default_rng(2)
    movies, positions = 200, 3000
    counts = np.concatenate([[0], rng.integers(1, 50, movies)])
    targets = rng.choice(movies + 1, positions, p=counts / counts.sum()).astype(np.int32)
    context = tf.constant(rng.normal(size=(positions, DIM)).astype(np.float32))
    table = tf.constant(rng.normal(size=(movies + 1, DIM)).astype(np.float32))
    rest = (tf.constant(targets[:, None]), tf.ones([positions, 1]), DRAW)
    full = float(tf.function(FullSoftmax(512))(context, table, None, *rest)) / positions

    def error(negatives: int) -> float:
        config = SampledSoftmaxConfig.model_validate({"sampler": sampler, "negatives": negatives})
        loss = tf.function(build_loss(config, movie_counts=counts))
        draws = [
            float(loss(context, table, None, *rest[:2], tf.constant([1, draw]))) / positions - full
            for draw in range(4)
        ]
        return float(np.sqrt(np.mean(np.square(draws))))

    few, many = error(5), error(190 if sampler == "uniform" else 3000)
    assert many < 0.3 * few
    assert many < 0.04


def test_gbce_by_hand() -> None:
    config = GbceConfig(negatives=2, t=0.5)
    loss = build_loss(config, movie_counts=np.ones(3, np.int64))
    # Two movies, both drawn, one the target: alpha = 1 at most, so that beta is 1.
    # sigmoid(ln 3) = 3/4, 1 - sigmoid(ln 4) = 1/5; a third for the two drawn and the target.
    expected = -(np.log(3 / 4) + np.log(1 / 5)) / 3
    assert one_position(loss, [np.log(3), np.log(4)], 1) == pytest.approx(expected, rel=1e-5)


def test_beta_by_hand() -> None:
    # A tenth of the others is drawn.
    assert positive_power(10, 101, 0.0) == pytest.approx(1.0)
    assert positive_power(10, 101, 1.0) == pytest.approx(0.1)
    assert positive_power(10, 101, 0.75) == pytest.approx(0.1 * (0.75 * (1 - 10) + 10))
    assert positive_power(101, 101, 1.0) == 1.0


@pytest.mark.parametrize("score", [-3.0, 0.0, 4.0])
def test_the_power_is_the_transform_of_the_paper(score: float) -> None:
    beta = positive_power(256, 3417, 0.75)
    positive_chance = 1 / (1 + np.exp(-score))
    transformed = np.log(1 / (positive_chance**-beta - 1))
    published = -np.log(1 / (1 + np.exp(-transformed)))
    none = tf.constant([[float("-inf")]])
    own = Scores(
        tf.constant([[1]]), tf.constant([[1.0]]), tf.constant([[score]]), none, tf.constant(True)
    )
    assert float(gbce_terms(own, beta, 0).loss) == pytest.approx(published, rel=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        SampledSoftmaxConfig(negatives=3),
        SampledSoftmaxConfig(negatives=3, sampler="popularity"),
        SampledSoftmaxConfig(negatives=3, sampler="in_batch"),
        GbceConfig(negatives=3),
    ],
    ids=repr,
)
def test_no_targets_no_loss_and_no_gradient(
    config: SampledSoftmaxConfig | GbceConfig,
) -> None:
    loss = build_loss(config, movie_counts=np.ones(MOVIES + 1, np.int64))
    none = (tf.zeros([len(TARGETS), 2], tf.int32), tf.zeros([len(TARGETS), 2]), DRAW)
    for part in value_and_gradients(lambda context, table, bias: loss(context, table, bias, *none)):
        np.testing.assert_array_equal(part, 0)
