"""The exported graph against plain numpy, and its promises on every history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.models import serving
from modules.models.history import Context
from modules.models.recommender import Recommender
from pipeline.config.model import ModelConfig
from pipeline.errors import ConfigError

MOVIES, LENGTH, TOP_K = 40, 5, 12
ENCODERS: list[dict[str, Any]] = [
    {"name": "bow", "hidden": (8,)},
    {"name": "cnn", "layers": 2},
    {"name": "hstu", "heads": 2},
    {"name": "lru", "layers": 2},
    {"name": "gru", "units": 8},
    {"name": "lstm", "units": 8},
    {"name": "mixer", "heads": 2},
    {"name": "mixer", "heads": 2, "blocks": 3, "attention_blocks": 2},
    {"name": "transformer", "heads": 2},
]


def make_recommender(encoder: dict[str, Any], **settings: Any) -> Recommender:
    keras.utils.set_random_seed(5)
    config = ModelConfig.model_validate({"encoder": encoder, "dim": 8, **settings})
    model = Recommender(config, history_length=LENGTH, movies=MOVIES)
    random = np.random.default_rng(6)
    # Initial zeros (biases, output layers) would hide what happens to them.
    for weights in model.encoder.trainable_variables:
        weights.assign(random.normal(0, 0.4, weights.shape))
    return model


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    model = make_recommender(ENCODERS[1])
    folder = str(tmp_path_factory.mktemp("served") / "model")
    serving.export(model, folder, top_k=TOP_K)
    return tf.saved_model.load(folder).signatures["serving_default"]


def ask(served: Any, histories: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    answers = served(context_movie_id=tf.constant(np.asarray(histories, np.int32)))
    return answers["top_prediction_ids"].numpy(), answers["top_prediction_scores"].numpy()


def test_what_follows_the_last_movie_is_rotated_to_the_front() -> None:
    rows = [
        ([0, 0, 0, 0], [0, 0, 0, 0]),
        ([7, 0, 0, 0], [0, 0, 0, 7]),
        ([7, 8, 0, 0], [0, 0, 7, 8]),
        ([7, 8, 9, 6], [7, 8, 9, 6]),
        ([0, 0, 7, 8], [0, 0, 7, 8]),
        ([0, 7, 8, 0], [0, 0, 7, 8]),
        ([7, 0, 8, 0], [0, 7, 0, 8]),
    ]
    given_rows, expected = zip(*rows, strict=True)
    aligned = serving.left_aligned_context(tf.constant(given_rows, tf.int32), {})
    assert aligned.movie_id.numpy().tolist() == list(expected)
    assert (aligned.rating, aligned.time) == (None, None)


def test_exclude_pushes_down_the_rows_own_movies_and_padding() -> None:
    scores = tf.constant([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    left = serving.exclude(scores, tf.constant([[2, 2], [3, 1]], tf.int32)).numpy()
    assert (left < -1e8).tolist() == [[True, False, True, False], [True, True, False, True]]
    np.testing.assert_array_equal(left[0, [1, 3]], [2, 4])
    assert left[1, 2] == 7


@pytest.mark.parametrize(
    "encoder", ENCODERS, ids=lambda encoder: "-".join(map(str, encoder.values()))
)
@pytest.mark.parametrize(
    "settings",
    [{}, {"scoring": "cosine"}, {"tied": False, "item_bias": True}],
    ids=["dot", "cosine", "untied-bias"],
)
def test_answers_are_those_of_plain_arithmetic(
    encoder: dict[str, Any], settings: dict[str, Any]
) -> None:
    model = make_recommender(encoder, **settings)
    bias = np.zeros(MOVIES + 1, np.float32)
    if settings.get("item_bias"):
        bias = np.linspace(-1, 1, MOVIES + 1, dtype=np.float32)
        model.trainable_variables[
            [v.name for v in model.trainable_variables].index("item_bias")
        ].assign(bias)
    histories = np.array([[0, 0, 3, 40, 7], [1, 2, 3, 4, 5], [0, 0, 0, 0, 9]], np.int32)

    scores = model.encode_last(Context(histories)).numpy() @ model.scoring_table().numpy().T + bias
    scores[:, 0] = -np.inf
    np.put_along_axis(scores, histories, -np.inf, axis=1)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :TOP_K]

    answers = serving.ServingGraph(model, top_k=TOP_K).recommend(tf.constant(histories))
    assert answers["top_prediction_ids"].numpy().tolist() == expected.tolist()
    np.testing.assert_allclose(
        answers["top_prediction_scores"].numpy(),
        np.take_along_axis(scores, expected, axis=1),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_signature_is_the_device_contract(served: Any) -> None:
    specification = served.structured_input_signature[1]["context_movie_id"]
    assert (specification.shape.as_list(), specification.dtype) == ([None, LENGTH], tf.int32)
    outputs = served.structured_outputs
    assert {name: output.dtype for name, output in outputs.items()} == {
        "top_prediction_ids": tf.int32,
        "top_prediction_scores": tf.float32,
    }
    assert {output.shape[1] for output in outputs.values()} == {TOP_K}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(1, MOVIES), max_size=LENGTH),
        min_size=1,
        max_size=4,
    )
)
def test_every_history_gets_k_other_movies_on_either_side_of_padding(
    served: Any, known: list[list[int]]
) -> None:
    left = [[0] * (LENGTH - len(history)) + history for history in known]
    right = [history + [0] * (LENGTH - len(history)) for history in known]
    ids, scores = ask(served, left)
    for history, row in zip(known, ids, strict=True):
        assert len(set(row)) == TOP_K
        assert set(row) <= set(range(1, MOVIES + 1)) - set(history)
    assert (np.diff(scores) <= 0).all()
    right_ids, right_scores = ask(served, right)
    np.testing.assert_array_equal(right_ids, ids)
    np.testing.assert_array_equal(right_scores, scores)


def test_order_of_the_history_matters_to_an_encoder_that_sees_it(served: Any) -> None:
    _, forward = ask(served, [[1, 2, 3, 4, 5]])
    _, backward = ask(served, [[5, 4, 3, 2, 1]])
    assert not np.allclose(forward, backward)


def test_too_few_movies_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    model = make_recommender(ENCODERS[0])
    serving.check_top_k(MOVIES - LENGTH, movies=MOVIES, history_length=LENGTH)
    with pytest.raises(ConfigError, match=r"conversion\.top_k: 36 .* at most 35 can"):
        serving.export(model, str(tmp_path / "model"), top_k=MOVIES - LENGTH + 1)
    assert list(tmp_path.iterdir()) == []
