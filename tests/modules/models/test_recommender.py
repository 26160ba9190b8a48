from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.models.history import Context
from modules.models.recommender import Recommender
from pipeline.config.model import (
    BowConfig,
    CnnConfig,
    EncoderConfig,
    GruConfig,
    HstuConfig,
    LruConfig,
    LstmConfig,
    MixerConfig,
    ModelConfig,
    TransformerConfig,
)

HISTORY = 7
MOVIES = 12
ENCODERS: list[EncoderConfig] = [
    BowConfig(),
    BowConfig(hidden=(10,)),
    CnnConfig(layers=3, kernel=3),
    CnnConfig(layers=1, kernel=HISTORY),
    CnnConfig(layers=2, kernel=2, dilation_base=8),
    LstmConfig(units=5),
    GruConfig(units=5),
    HstuConfig(layers=2, heads=3),
    LruConfig(layers=2, expand=1, feed_forward=2),
    MixerConfig(blocks=1, heads=3),
    MixerConfig(blocks=2, heads=2, feed_forward=5),
    TransformerConfig(),
    TransformerConfig(layers=1, heads=3, feed_forward=9, positions="from_first"),
]


def make_model(encoder: EncoderConfig, **settings: object) -> Recommender:
    """A model whose every weight is random: zeros at the start would hide mistakes."""
    keras.utils.set_random_seed(3)
    config = ModelConfig.model_validate(
        {"encoder": encoder, "dim": 6, "dropout": 0.5, "initial_std": 0.4, **settings}
    )
    model = Recommender(config, history_length=HISTORY, movies=MOVIES)
    rng = np.random.default_rng(5)
    for weight in model.trainable_variables:
        if weight.name not in ("items", "labels"):
            weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return model


def padded(events: list[int], side: str) -> list[int]:
    zeros = [0] * (HISTORY - len(events))
    return zeros + events if side == "left" else events + zeros


def ids(rows: list[list[int]]) -> npt.NDArray[np.int32]:
    return np.array(rows, np.int32)


@pytest.mark.parametrize("encoder", ENCODERS, ids=repr)
@settings(max_examples=8, deadline=None)
@given(events=st.lists(st.integers(1, MOVIES), min_size=1, max_size=HISTORY))
def test_padding_side_and_the_device_path_change_nothing(
    encoder: EncoderConfig, events: list[int]
) -> None:
    model = MODELS[repr(encoder)]
    left, right = ids([padded(events, "left")]), ids([padded(events, "right")])
    from_left = model(Context(left)).numpy()[0, HISTORY - len(events) :]
    from_right = model(Context(right)).numpy()[0, : len(events)]
    np.testing.assert_allclose(from_left, from_right, atol=1e-5)
    np.testing.assert_allclose(
        model.encode_last(Context(left)).numpy()[0], from_left[-1], atol=1e-5
    )


@pytest.mark.parametrize("encoder", ENCODERS, ids=repr)
def test_no_position_sees_what_comes_after(encoder: EncoderConfig) -> None:
    model = MODELS[repr(encoder)]
    one, other = ids([[1, 2, 3, 4, 5, 6, 7]]), ids([[1, 2, 3, 9, 10, 11, 12]])
    first, second = model(Context(one)).numpy()[0], model(Context(other)).numpy()[0]
    np.testing.assert_array_equal(first[:3], second[:3])
    assert np.abs(first[3:] - second[3:]).max(axis=-1).min() > 1e-3


@pytest.mark.parametrize("encoder", ENCODERS, ids=repr)
def test_every_event_in_reach_counts(encoder: EncoderConfig) -> None:
    model = MODELS[repr(encoder)]
    whole = ids([[1, 2, 3, 4, 5, 6, 7]])
    reference = model.encode_last(Context(whole)).numpy()
    reach = {"CnnConfig(name='cnn', layers=2, kernel=2, dilation_base=8)": 2}
    for age in range(reach.get(repr(encoder), HISTORY)):
        changed = whole.copy()
        changed[0, -1 - age] = 11
        assert np.abs(model.encode_last(Context(changed)).numpy() - reference).max() > 1e-5, age


def test_bag_of_words_is_the_mean() -> None:
    model = make_model(BowConfig())
    table = model.input_table.numpy() * np.sqrt(6)
    context = model(Context(ids([padded([4, 9], "left")]))).numpy()[0]
    np.testing.assert_allclose(context[-2], table[4], atol=1e-6)
    np.testing.assert_allclose(context[-1], (table[4] + table[9]) / 2, atol=1e-6)


def test_lstm_agrees_with_keras() -> None:
    model = make_model(LstmConfig(units=5))
    by_name = {weight.path: weight.numpy() for weight in model.trainable_variables}
    reference = keras.layers.LSTM(5, return_sequences=True)
    reference.build((None, HISTORY, 6))

    def keras_order(gates: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        # Ours: enter, keep, leave, candidate; Keras: enter, keep, candidate, leave.
        enter, keep, leave, candidate = np.split(gates, 4, axis=-1)
        return np.concatenate([enter, keep, candidate, leave], axis=-1)

    reference.set_weights(
        [keras_order(by_name[name]) for name in ("inputs/kernel", "state/kernel", "inputs/bias")]
    )
    history = ids([[3, 1, 4, 1, 5, 9, 2]])
    items = tf.gather(model.input_table, history) * np.sqrt(6)
    expected = reference(items).numpy() @ by_name["output/kernel"] + by_name["output/bias"]
    np.testing.assert_allclose(model(Context(history)).numpy(), expected, atol=1e-5)


def test_gated_convolution_by_hand() -> None:
    model = make_model(CnnConfig(layers=1, kernel=2))
    weights = {weight.path: weight.numpy() for weight in model.trainable_variables}
    items = model.input_table.numpy()[[2, 8]] * np.sqrt(6)

    def normed(row: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return row / np.sqrt((row**2).mean()) * weights["norm_0/gain"]

    seen = np.concatenate([normed(items[0]), normed(items[1])])
    both = seen @ weights["convolution_0/kernel"] + weights["convolution_0/bias"]
    block = items[1] + both[:6] / (1 + np.exp(-both[6:]))
    expected = block @ weights["output/kernel"] + weights["output/bias"]
    context = model.encode_last(Context(ids([padded([2, 8], "left")]))).numpy()[0]
    np.testing.assert_allclose(context, expected, rtol=1e-4, atol=1e-5)


def test_cosine_scores_lie_within_the_scale() -> None:
    model = make_model(CnnConfig(), scoring="cosine", cosine_scale=20.0)
    context = model.encode_last(Context(ids([[1, 2, 3, 4, 5, 6, 7]]))).numpy()
    np.testing.assert_allclose(np.linalg.norm(context, axis=1), 20, rtol=1e-4)
    table = model.scoring_table().numpy()
    np.testing.assert_allclose(np.linalg.norm(table[1:], axis=1), 1, rtol=1e-4)
    np.testing.assert_array_equal(table[0], 0)


def test_tied_and_untied_tables() -> None:
    tied, untied = make_model(BowConfig()), make_model(BowConfig(), tied=False)
    np.testing.assert_array_equal(tied.scoring_table().numpy(), tied.input_table.numpy())
    assert np.abs(untied.scoring_table().numpy() - untied.input_table.numpy()).max() > 0.1
    assert untied.count_params() - tied.count_params() == (MOVIES + 1) * 6


def test_bias_only_where_asked_for() -> None:
    assert make_model(BowConfig()).scoring_bias() is None
    bias = make_model(BowConfig(), item_bias=True).scoring_bias()
    assert bias is not None
    assert bias.shape == (MOVIES + 1,)


def test_dropout_is_a_function_of_its_seed() -> None:
    model = make_model(CnnConfig())
    history = ids([[1, 2, 3, 4, 5, 6, 7]])
    first, again, other = (
        model(Context(history), training=True, seed=tf.constant([1, draw])).numpy()
        for draw in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    # A seed alone does not make it training.
    np.testing.assert_array_equal(
        model(Context(history), seed=tf.constant([1, 7])), model(Context(history))
    )


def test_training_needs_a_seed() -> None:
    with pytest.raises(ValueError, match="needs a seed"):
        make_model(BowConfig())(Context(ids([[1] * HISTORY])), training=True)


def test_padding_row_gets_no_gradient() -> None:
    model = make_model(LstmConfig(units=5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model(Context(ids([padded([3, 4], "right")])))))
    gradient = tf.convert_to_tensor(tape.gradient(loss, model.trainable_variables[0].value))
    np.testing.assert_array_equal(gradient[0], 0)
    assert np.abs(gradient[3]).max() > 0


MODELS = {repr(encoder): make_model(encoder) for encoder in ENCODERS}
