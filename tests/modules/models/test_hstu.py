from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from modules.models.attention import by_distance
from modules.models.encoders.hstu import HstuEncoder, build, gap_buckets
from modules.models.history import History
from pipeline.config.model import HstuConfig, ModelConfig

# Longer than a span of queries, so that two of them are put together.
LENGTH, DIM, BUCKETS = 60, 6, 30
Array = npt.NDArray[np.float32]


def make_encoder(config: HstuConfig) -> HstuEncoder:
    """An encoder whose every weight is random."""
    keras.utils.set_random_seed(1)
    encoder = build(config, dim=DIM, history_length=LENGTH, dropout=0.0)
    rng = np.random.default_rng(2)
    for weight in encoder.trainable_variables:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return encoder


def make_history(events: list[int]) -> History:
    """Random items and rising times; each row has as many events as told, behind its padding."""
    rng = np.random.default_rng(3)
    items = rng.normal(0, 1, (len(events), LENGTH, DIM)).astype(np.float32)
    column = np.arange(LENGTH + 1)
    known = column >= LENGTH - np.array(events)[:, None]
    time = 10**9 + np.cumsum(2 ** rng.integers(0, 20, (len(events), LENGTH + 1)), axis=1)
    mask = known[:, :LENGTH, None].astype(np.float32)
    return History(
        tf.constant(items * mask), tf.constant(mask), tf.constant((time * known).astype(np.int32))
    )


def expected_context(encoder: HstuEncoder, items: Array, time: npt.NDArray[np.int32]) -> Array:
    """The equations of a layer, an event after the other, for a history without padding."""
    weights = {weight.path: weight.numpy() for weight in encoder.trainable_variables}
    by_name = {name.split("/", 1)[-1]: value for name, value in weights.items()}

    def norm(rows: Array, name: str) -> Array:
        rows = rows - rows.mean(axis=-1, keepdims=True)
        rows = rows / np.sqrt((rows**2).mean(axis=-1, keepdims=True) + 1e-6)
        return rows * weights[f"{name}/gain"] + weights[f"{name}/shift"]

    def dense(rows: Array, name: str) -> Array:
        return rows @ weights[f"{name}_0/kernel"] + weights[f"{name}_0/bias"]

    def silu(values: Array) -> Array:
        return values / (1 + np.exp(-values))

    normed = norm(items, "norm_0")
    gate, query = np.split(silu(dense(normed, "gate_query")), 2, axis=1)
    value, key = np.split(silu(dense(normed, "value_key")), 2, axis=1)
    mixed = np.zeros_like(items)
    for now in range(len(items)):
        for event in range(now + 1):
            bias = by_name["distance_0"][now - event]
            if "gap_0" in by_name:
                seconds = int(time[now + 1] - time[event])
                bias += by_name["gap_0"][min(seconds.bit_length(), BUCKETS - 1)]
            for head in (slice(0, 3), slice(3, 6)):
                score = silu(query[now, head] @ key[event, head] + bias)
                mixed[now, head] += score * value[event, head] / (now + 1)
    return norm(items + dense(norm(mixed, "seen_norm_0") * gate, "output"), "norm")


@pytest.mark.parametrize("events", [60, 57, 1])
@pytest.mark.parametrize("time_buckets", [0, BUCKETS])
def test_a_layer_by_hand(events: int, time_buckets: int) -> None:
    encoder = make_encoder(HstuConfig(layers=1, heads=2, time_buckets=time_buckets))
    history = make_history([events])
    assert history.time is not None
    expected = expected_context(
        encoder,
        history.items.numpy()[0, LENGTH - events :],
        history.time.numpy()[0, LENGTH - events :],
    )
    np.testing.assert_allclose(
        encoder(history).numpy()[0, LENGTH - events :], expected, rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(encoder.last(history).numpy()[0], expected[-1], rtol=1e-3, atol=1e-4)


def test_windows_cut_to_a_shorter_length_and_the_device_give_the_same() -> None:
    encoder = make_encoder(HstuConfig(layers=2, time_buckets=8))
    whole = make_history([7, 10, 1])
    assert whole.time is not None
    cut = History(whole.items[:, -10:], whole.known[:, -10:], whole.time[:, -11:])
    # Padding holds nothing of use.
    known = whole.known.numpy()[:, -10:]
    contexts = encoder(whole)[:, -10:]
    np.testing.assert_allclose(encoder(cut) * known, contexts * known, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(encoder.last(whole), contexts[:, -1], rtol=1e-4, atol=1e-5)


def test_buckets_of_time_by_hand() -> None:
    time = tf.constant([[0, 100, 101, 103, 107, 0], [5, 5, 9, 2, 2**30, 2**31 - 1]], tf.int32)
    # 30 buckets: 1 is less than a second, 2 is one, 3 is two and three, 4 is four to seven.
    assert gap_buckets(time, 3, 4, 30).numpy().tolist() == [
        [[0, 4, 4, 4]],
        [[30, 30, 30, 30]],
    ]
    assert gap_buckets(time, 0, 3, 30).numpy().tolist() == [
        [[0, 1, 1], [0, 2, 1], [0, 3, 3]],
        [[1, 1, 1], [4, 4, 1], [1, 1, 1]],
    ]
    # The moment of the request is not known.
    assert gap_buckets(time, 4, 5, 30).numpy()[0].tolist() == [[0, 0, 0, 0, 0]]


@pytest.mark.parametrize("power", range(1, 21))
def test_a_power_of_two_begins_its_bucket(power: int) -> None:
    start = 10**9
    gaps = [2**power - 1, 2**power]
    time = tf.constant([[start, start + gap] for gap in gaps], tf.int32)
    assert gap_buckets(time, 0, 1, 30).numpy().reshape(-1).tolist() == [power + 1, power + 2]


def test_fewer_buckets_are_wider() -> None:
    start = 10**9
    seconds = [0, 1, 127, 128, 2**14 - 1, 2**14, 2**21, 2**28]
    time = tf.constant([[start, start + gap] for gap in seconds], tf.int32)
    # Edges at 1, 2^7, 2^14, 2^21, 2^28.
    found = gap_buckets(time, 0, 1, 6).numpy().reshape(-1)
    assert found.tolist() == [1, 2, 2, 3, 3, 4, 5, 6]


def test_weights_of_distances_by_hand() -> None:
    weights = tf.constant([1.0, 2.0, 3.0, 4.0, 5.0])
    assert by_distance(weights, 0, 3).numpy().tolist() == [[1, 0, 0], [2, 1, 0], [3, 2, 1]]
    assert by_distance(weights, 2, 4).numpy().tolist() == [[3, 2, 1, 0], [4, 3, 2, 1]]
    assert by_distance(weights, 4, 5).numpy().tolist() == [[5, 4, 3, 2, 1]]


def test_time_buckets_need_times() -> None:
    encoder = make_encoder(HstuConfig(time_buckets=8))
    with pytest.raises(ValueError, match="time_buckets"):
        encoder.last(make_history([3])._replace(time=None))
    model = ModelConfig(encoder=HstuConfig(time_buckets=8))
    assert (model.reads_time, model.reads_request_time) == (True, True)
    model = ModelConfig(encoder=HstuConfig())
    assert (model.reads_time, model.reads_request_time) == (False, False)
