from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from modules.models.dropout import Dropout

COUNT = 200_000


def kept(site: int, seed: tuple[int, int], rate: float = 0.5) -> npt.NDArray[np.bool_]:
    values = Dropout(rate, site)(tf.ones([COUNT // 4, 4]), tf.constant(seed, tf.int32))
    return np.asarray(values.numpy().reshape(-1) > 0)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
def test_drops_its_share_and_scales_the_rest(rate: float) -> None:
    values = Dropout(rate, 3)(tf.fill([COUNT], 2.0), tf.constant([1, 2])).numpy()
    # Four standard deviations of a fair draw.
    assert abs((values == 0).mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / COUNT)
    np.testing.assert_allclose(values[values > 0], 2 / (1 - rate), rtol=1e-6)


def test_neighbours_and_rows_do_not_follow_each_other() -> None:
    mask = kept(1, (5, 6))
    for step in (1, 2, 3, 4, 64, 4096):
        agree = (mask[step:] == mask[:-step]).mean()
        assert abs(agree - 0.5) < 4 * 0.5 / np.sqrt(COUNT - step), step


def test_other_seeds_and_sites_draw_other_masks() -> None:
    masks = [kept(1, (5, 6)), kept(2, (5, 6)), kept(1, (5, 7)), kept(1, (6, 6)), kept(1, (-5, 6))]
    for one in range(len(masks)):
        for other in range(one):
            agree = (masks[one] == masks[other]).mean()
            assert abs(agree - 0.5) < 4 * 0.5 / np.sqrt(COUNT), (one, other)


def test_the_same_seed_draws_the_same_mask_compiled_or_not() -> None:
    drop = Dropout(0.3, 1)
    compiled = tf.function(drop, jit_compile=True)
    values, seed = tf.random.normal([7, 5], seed=1), tf.constant([3, 4])
    np.testing.assert_allclose(drop(values, seed), compiled(values, seed), rtol=1e-6)
    np.testing.assert_array_equal(drop(values, seed), drop(values, seed))


def test_nothing_is_dropped_outside_of_training_or_at_rate_zero() -> None:
    values = tf.ones([100])
    np.testing.assert_array_equal(Dropout(0.5, 1)(values, None), values)
    np.testing.assert_array_equal(Dropout(0.0, 1)(values, tf.constant([1, 2])), values)
