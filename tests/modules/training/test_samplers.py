from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from modules.training.losses.samplers import (
    InBatchSampler,
    PopularitySampler,
    Sampler,
    UniformSampler,
    alias_table,
    build_sampler,
)
from pipeline.config.loss import SampledSoftmaxConfig
from pipeline.errors import ConfigError

COUNTS = np.array([99, 6, 0, 2, 1], np.int64)
TARGETS = tf.constant([[1, 3], [4, 0], [1, 0], [1, 2], [0, 0]], tf.int32)


def many_draws(sampler: Sampler, draws: int = 400) -> npt.NDArray[np.int32]:
    """Ids of many draws: [draws, negatives]."""

    @tf.function(jit_compile=True)
    def drawn(number: tf.Tensor) -> tf.Tensor:
        return sampler(TARGETS, tf.stack([3, number])).ids

    return np.stack([drawn(tf.constant(number)).numpy() for number in range(draws)])


def expected_counts(sampler: Sampler) -> dict[int, float]:
    ids, log_expected = sampler(TARGETS, tf.constant([1, 2]))
    return dict(zip(ids.numpy().tolist(), np.exp(log_expected.numpy()).tolist(), strict=True))


def test_uniform_draws_are_of_different_movies_with_even_chances() -> None:
    sampler = UniformSampler(4, 3)
    drawn = many_draws(sampler)
    assert all(len(set(row)) == 3 for row in drawn.tolist())
    shares = np.bincount(drawn.reshape(-1), minlength=5) / len(drawn)
    np.testing.assert_allclose(shares, [0, 0.75, 0.75, 0.75, 0.75], atol=0.08)
    assert list(expected_counts(sampler).values()) == pytest.approx([0.75] * 3)


def test_popular_movies_are_drawn_more_often_and_unknown_ones_too() -> None:
    sampler = PopularitySampler(COUNTS, 50)
    shares = np.bincount(many_draws(sampler).reshape(-1), minlength=5) / (400 * 50)
    # One is added to each count: 7, 1, 3 and 2 of 13.
    np.testing.assert_allclose(shares, np.array([0, 7, 1, 3, 2]) / 13, atol=0.015)
    expected = expected_counts(sampler)
    assert expected[1] == pytest.approx(50 * 7 / 13)
    assert expected[3] == pytest.approx(50 * 3 / 13)


def test_in_batch_draws_are_the_next_movies_of_the_batch() -> None:
    sampler = InBatchSampler(COUNTS, 50)
    shares = np.bincount(many_draws(sampler).reshape(-1), minlength=5) / (400 * 50)
    # The batch holds 1, 4, 1, 1; the training data 6 times 1 and once 4 among 9.
    np.testing.assert_allclose(shares, [0, 0.75, 0, 0, 0.25], atol=0.015)
    expected = expected_counts(sampler)
    assert expected == {1: pytest.approx(50 * 6 / 9), 4: pytest.approx(50 / 9)}


def test_a_batch_without_targets_has_no_movies() -> None:
    ids, log_expected = InBatchSampler(COUNTS, 3)(tf.zeros([5, 2], tf.int32), tf.constant([1, 2]))
    np.testing.assert_array_equal(ids, [0, 0, 0])
    assert np.isfinite(log_expected).all()


@pytest.mark.parametrize("name", ["uniform", "popularity", "in_batch"])
def test_a_draw_is_a_function_of_its_seed(name: str) -> None:
    config = SampledSoftmaxConfig.model_validate({"sampler": name, "negatives": 30})
    sampler = build_sampler(config, np.arange(1000))
    targets = tf.range(1, 400)[:, None]
    one, again, other = (sampler(targets, tf.constant([1, draw])).ids for draw in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert (one.numpy() != other.numpy()).any()


def test_more_movies_than_there_are_cannot_be_drawn() -> None:
    config = SampledSoftmaxConfig(negatives=5)
    with pytest.raises(ConfigError, match=r"training\.loss\.negatives: 5 .* from 4; lower it"):
        build_sampler(config, COUNTS)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60))
def test_the_alias_table_holds_the_distribution(counts: list[int]) -> None:
    chances = np.array(counts) / sum(counts)
    keep, other = alias_table(chances)
    cells = len(counts)
    reached = keep / cells + np.bincount(other, (1 - keep) / cells, minlength=cells)
    np.testing.assert_allclose(reached, chances, atol=1e-6)
