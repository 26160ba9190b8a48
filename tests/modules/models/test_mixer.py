from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from modules.models.encoders.base import build_encoder
from modules.models.encoders.mixer import MixerEncoder
from modules.models.history import History
from pipeline.config.model import MixerConfig

Array = npt.NDArray[np.float32]
LENGTH, DIM = 5, 4


def make(length: int = LENGTH, **settings: int) -> MixerEncoder:
    keras.utils.set_random_seed(1)
    config = MixerConfig.model_validate({"blocks": 1, "heads": 2, "feed_forward": 3, **settings})
    encoder = build_encoder(config, dim=DIM, history_length=length, dropout=0.0)
    assert isinstance(encoder, MixerEncoder)
    rng = np.random.default_rng(2)
    for weight in encoder.trainable_variables:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    return encoder


def history(events: int, length: int = LENGTH) -> History:
    known = (np.arange(length) >= length - events).astype(np.float32)[None, :, None]
    items = np.random.default_rng(3).normal(size=(1, 9, DIM)).astype(np.float32)[:, -length:]
    return History(tf.constant(items * known), tf.constant(known))


def weights_of(encoder: MixerEncoder) -> dict[str, Array]:
    return {w.path.removeprefix("block_0/"): w.numpy() for w in encoder.trainable_variables}


def silu(values: Array) -> Array:
    return values / (1 + np.exp(-values))


def rms_norm(values: Array, gain: Array) -> Array:
    return values / np.sqrt(np.maximum((values**2).mean(-1, keepdims=True), 1e-6)) * gain


def test_a_block_by_hand() -> None:
    encoder = make()
    weights = weights_of(encoder)
    given = history(events=3)
    values = given.items.numpy()[0]
    mixed = np.zeros((LENGTH, DIM), np.float32)
    both = silu(rms_norm(values, weights["norm/gain"]) @ weights["gate_value/kernel"])
    gate, value = both[:, :DIM], both[:, DIM:]
    # Head 0 mixes the first two features, head 1 the others; events 2, 3 and 4 are known.
    for head, columns in ((0, slice(0, 2)), (1, slice(2, 4))):
        for position in range(2, LENGTH):
            seen = range(2, position + 1)
            distance = weights["mixing/distance"][head]
            weight = np.exp([distance[position - event] - distance.max() for event in seen])
            total = weight @ value[2 : position + 1, columns]
            # Weights need not sum up to one: each head's sum is scaled.
            mixed[position, columns] = total / np.sqrt(max((total**2).mean(), 1e-6))
    out = (mixed * weights["mixed_gain"] * gate) @ weights["output/kernel"]
    values = values + out
    inner = rms_norm(values, weights["norm_features/gain"]) @ weights["features_in/kernel"]
    values = values + (silu(inner[:, :3]) * inner[:, 3:]) @ weights["features_out/kernel"]
    np.testing.assert_allclose(encoder(given).numpy()[0, 2:], values[2:], atol=1e-5)
    np.testing.assert_allclose(encoder.last(given).numpy()[0], values[-1], atol=1e-5)


def test_attention_by_hand() -> None:
    encoder = make(attention_blocks=1)
    weights = weights_of(encoder)
    given = history(events=3)
    values = given.items.numpy()[0]
    mixed = np.zeros((LENGTH, DIM), np.float32)
    normed = rms_norm(values, weights["norm/gain"])
    both = silu(normed @ weights["gate_value/kernel"])
    gate, value = both[:, :DIM], both[:, DIM:]
    # Two heads of two features each, whose queries and keys are single numbers.
    query, key = (normed @ weights[f"{name}/kernel"] for name in ("query", "key"))
    assert query.shape == (LENGTH, 2)
    for head, columns in ((0, slice(0, 2)), (1, slice(2, 4))):
        for position in range(2, LENGTH):
            distance = weights["mixing/distance"][head]
            weight = np.array(
                [
                    np.exp(query[position, head] * key[event, head] + distance[position - event])
                    for event in range(2, position + 1)
                ]
            )
            total = weight / weight.sum() @ value[2 : position + 1, columns]
            mixed[position, columns] = total / np.sqrt(max((total**2).mean(), 1e-6))
    values = values + (mixed * weights["mixed_gain"] * gate) @ weights["output/kernel"]
    inner = rms_norm(values, weights["norm_features/gain"]) @ weights["features_in/kernel"]
    values = values + (silu(inner[:, :3]) * inner[:, 3:]) @ weights["features_out/kernel"]
    np.testing.assert_allclose(encoder(given).numpy()[0, 2:], values[2:], atol=1e-5)
    np.testing.assert_allclose(encoder.last(given).numpy()[0], values[-1], atol=1e-5)


def test_attention_is_in_the_last_blocks() -> None:
    encoder = make(blocks=3, attention_blocks=2)
    kinds = [w.path.split("/")[0] for w in encoder.trainable_variables]
    of_blocks = [kind for kind in kinds if kind in {"query", "gate_value"}]
    assert of_blocks == ["gate_value", "query", "gate_value", "query", "gate_value"]


@pytest.mark.parametrize("attention_blocks", [0, 1, 3])
def test_blocks_that_share_weights_mix_in_their_own_way(attention_blocks: int) -> None:
    shared = make(blocks=3, attention_blocks=attention_blocks, shared_weights=True)
    apart = make(blocks=3, attention_blocks=attention_blocks)
    names = [w.name for w in shared.trainable_variables]
    assert (names.count("distance"), names.count("mixed_gain")) == (3, 1)
    assert len(names) < len(apart.trainable_variables)
    # The same numbers in weights of their own.
    given = iter([w for w in shared.trainable_variables if _mixes(w)])
    first = {_name(w): w for w in shared.trainable_variables if not _mixes(w)}
    for weight in apart.trainable_variables:
        weight.assign(next(given) if _mixes(weight) else first[_name(weight)])
    events = history(events=4)
    np.testing.assert_allclose(shared(events), apart(events), atol=1e-5)
    np.testing.assert_allclose(shared.last(events), apart.last(events), atol=1e-5)


def _mixes(weight: keras.Variable) -> bool:
    return weight.path.split("/")[0] in {"mixing", "query", "key"}


def _name(weight: keras.Variable) -> str:
    return "/".join(part for part in weight.path.split("/") if not part.startswith("block_"))


@pytest.mark.parametrize("attention_blocks", [0, 1, 2])
@pytest.mark.parametrize("events", [1, 2, 3])
def test_a_window_cut_short_gives_the_same(events: int, attention_blocks: int) -> None:
    encoder = make(blocks=2, attention_blocks=attention_blocks)
    whole, cut = history(events), history(events, length=3)
    np.testing.assert_allclose(encoder(cut)[0, -1], encoder(whole)[0, -1], atol=1e-5)


def test_weights_start_as_decays_from_steep_to_flat() -> None:
    config = MixerConfig(blocks=1, heads=2)
    encoder = build_encoder(config, dim=DIM, history_length=LENGTH, dropout=0.0)
    distance = next(w.numpy() for w in encoder.trainable_variables if w.name == "distance")
    np.testing.assert_allclose(distance[0], -0.3 * np.arange(LENGTH), rtol=1e-6)
    np.testing.assert_allclose(distance[1], -0.005 * np.arange(LENGTH), rtol=1e-6)


def test_far_apart_weights_do_not_overflow() -> None:
    encoder = make()
    distance = next(w for w in encoder.trainable_variables if w.name == "distance")
    distance.assign(np.array([[0, 900, 0, 0, 0], [0, -900, 0, 0, 0]], np.float32))
    assert np.isfinite(encoder(history(events=5)).numpy()).all()
