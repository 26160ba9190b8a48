from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from modules.models.attention import spans
from modules.models.encoders.transformer import TransformerEncoder, build
from modules.models.history import History
from pipeline.config.model import ModelConfig, TransformerConfig

# Longer than a span of queries, so that two of them are put together.
LENGTH, DIM = 60, 6
Array = npt.NDArray[np.float32]


def make_encoder(config: TransformerConfig, length: int = LENGTH) -> TransformerEncoder:
    """An encoder whose every weight is random."""
    keras.utils.set_random_seed(1)
    encoder = build(config, dim=DIM, history_length=length, dropout=0.0)
    rng = np.random.default_rng(2)
    for weight in encoder.trainable_variables:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return encoder


def make_history(events: list[int], length: int = LENGTH) -> History:
    """Random items; each row has as many events as told, behind its padding."""
    items = np.random.default_rng(3).normal(0, 1, (len(events), length, DIM)).astype(np.float32)
    known = (np.arange(length) >= length - np.array(events)[:, None]).astype(np.float32)[..., None]
    return History(tf.constant(items * known), tf.constant(known))


def layer_norm(rows: Array, gain: Array, offset: Array) -> Array:
    mean = rows.mean(axis=-1, keepdims=True)
    return (rows - mean) / np.sqrt(rows.var(axis=-1, keepdims=True) + 1e-6) * gain + offset


def expected_context(encoder: TransformerEncoder, items: Array, positions: Array) -> Array:
    """SASRec's equations, an event after the other, for a history without padding."""
    weights = {weight.path: weight.numpy() for weight in encoder.trainable_variables}

    def dense(rows: Array, name: str) -> Array:
        return rows @ weights[f"{name}_0/kernel"] + weights[f"{name}_0/bias"]

    def norm(rows: Array, name: str) -> Array:
        return layer_norm(rows, weights[f"{name}/gain"], weights[f"{name}/shift"])

    events = items + positions
    queries = norm(events, "query_norm_0")
    query, key, value = dense(queries, "query"), dense(events, "key"), dense(events, "value")
    mixed = np.zeros_like(events)
    for head in (slice(0, 3), slice(3, 6)):
        for now in range(len(events)):
            scores = np.exp(key[: now + 1, head] @ query[now, head] / np.sqrt(3))
            mixed[now, head] = scores / scores.sum() @ value[: now + 1, head]
    rows = norm(queries + dense(mixed, "output"), "forward_norm_0")
    rows = rows + dense(np.maximum(dense(rows, "inner"), 0), "outer")
    return norm(rows, "norm")


@pytest.mark.parametrize("events", [60, 57, 1])
@pytest.mark.parametrize("positions", ["from_last", "from_first"])
def test_a_block_by_hand(events: int, positions: str) -> None:
    config = TransformerConfig.model_validate(
        {"layers": 1, "heads": 2, "feed_forward": 10, "positions": positions}
    )
    encoder = make_encoder(config)
    history = make_history([events])
    table = next(v.numpy() for v in encoder.trainable_variables if v.name == "positions")
    rows = table[LENGTH - events :] if positions == "from_last" else table[:events]
    expected = expected_context(encoder, history.items.numpy()[0, LENGTH - events :], rows)
    np.testing.assert_allclose(
        encoder(history).numpy()[0, LENGTH - events :], expected, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(encoder.last(history).numpy()[0], expected[-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("positions", ["from_last", "from_first"])
def test_windows_cut_to_a_shorter_length_give_the_same(positions: str) -> None:
    encoder = make_encoder(TransformerConfig.model_validate({"positions": positions}))
    whole = make_history([7, 10, 1])
    cut = History(whole.items[:, -10:], whole.known[:, -10:])
    # Padding holds nothing of use.
    known = whole.known.numpy()[:, -10:]
    np.testing.assert_allclose(
        encoder(cut) * known, encoder(whole)[:, -10:] * known, rtol=1e-4, atol=1e-5
    )


def test_nothing_depends_on_what_stands_at_padding_or_later() -> None:
    encoder = make_encoder(TransformerConfig(layers=2))
    history = make_history([55])
    changed = history.items.numpy().copy()
    changed[:, 52:] += 1
    before, after = (
        encoder(history._replace(items=items)).numpy()[0, 5:]
        for items in (history.items, tf.constant(changed))
    )
    np.testing.assert_array_equal(before[:47], after[:47])
    assert np.abs(before[47:] - after[47:]).max(axis=-1).min() > 1e-3
    with tf.GradientTape() as tape:
        tape.watch(history.items)
        last = tf.reduce_sum(tf.square(encoder(history)[:, -1]))
    reached = np.abs(tape.gradient(last, history.items).numpy()[0]).max(axis=-1) > 0
    assert reached.tolist() == [False] * 5 + [True] * 55


def test_spans_cover_every_position_once() -> None:
    assert spans(7) == [(0, 7)]
    assert spans(50) == [(0, 50)]
    assert spans(64) == [(0, 32), (32, 64)]
    assert spans(200) == [(0, 50), (50, 100), (100, 150), (150, 200)]
    assert [stop - start for start, stop in spans(101)] == [34, 33, 34]


def test_heads_must_share_the_width_evenly() -> None:
    with pytest.raises(ValueError, match=r"dim 64 .* 3 heads"):
        ModelConfig(encoder=TransformerConfig(heads=3), dim=64)
