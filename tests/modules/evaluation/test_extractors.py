from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma

from modules.evaluation import eval_config
from modules.evaluation.extractors import KEPT_FEATURES, custom_extractors, rank_batch, to_ragged
from modules.evaluation.litert import BATCH, TopKModel
from modules.evaluation.ranking import MISS
from pipeline.config.delivery import GateConfig
from tests.modules.evaluation.gate_bench import table_model

MOVIES = 30


def scores() -> Any:
    """After movie m comes m + 1, then m + 2, and so on in a ring."""
    ids = np.arange(MOVIES + 1)
    table = -((ids[np.newaxis, :] - ids[:, np.newaxis] - 1) % MOVIES).astype(np.float32)
    table[:, 0] = -1e9
    return table


@pytest.fixture(scope="module")
def model() -> TopKModel:
    return TopKModel(table_model(scores(), length=4), name="ring")


def test_model_runs_in_batches_of_any_size(model: TopKModel) -> None:
    last = np.arange(2 * BATCH + 3) % MOVIES + 1
    context = np.stack([np.zeros_like(last)] * 3 + [last], axis=1)
    ids, values = model.predict(context)
    assert ids.shape == values.shape == (len(last), 20)
    assert ids[:, 0].tolist() == (last % MOVIES + 1).tolist()
    assert ids.dtype == np.int64


def test_model_refuses_what_is_not_the_device_contract() -> None:
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.int32, name="history")])
        def recommend(self, history: Any) -> Any:
            return {
                "top_prediction_ids": history,
                "top_prediction_scores": tf.cast(history, "float32"),
            }

    other = Other()
    function = other.recommend.get_concrete_function()
    content = tf.lite.TFLiteConverter.from_concrete_functions([function], other).convert()
    with pytest.raises(ValueError, match="needs a signature 'serving_default'"):
        TopKModel(content, name="other")
    with pytest.raises(ValueError, match="broken: LiteRT cannot load it"):
        TopKModel(b"no flatbuffer at all", name="broken")


def test_model_names_itself_where_the_history_does_not_fit(model: TopKModel) -> None:
    with pytest.raises(ValueError, match=r"ring: takes .* \[batch, 4\], got \[1, 7\]"):
        model.predict(np.zeros((1, 7), np.int64))


def batch(rows: int = 3) -> dict[str, Any]:
    return {
        **{name: np.ones((rows, 1), np.int64) for name in KEPT_FEATURES},
        "context_movie_id": np.array([[0, 0, 0, 1], [0, 1, 2, 3], [0, 0, 0, 30]]),
        "target_movie_id": np.array([[0, 0, 0, 2], [0, 0, 0, 6], [0, 0, 0, 0]]),
        "seen_movie_id": tf.compat.v1.ragged.constant_value([[1], [1, 2, 3, 4], [30]]),
        "catalogue_size": np.full((rows, 1), MOVIES),
    }


def test_targets_are_ranked_among_unseen_movies(model: TopKModel) -> None:
    ranked = rank_batch(model, batch())
    # After 3 come 4, 5, 6; 4 was seen.
    assert ranked["rank_model"].tolist() == [[1], [2], [MISS]]
    assert ranked["recommended_movie_id"][1].tolist() == [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert set(ranked) == {*KEPT_FEATURES, "rank_model", "recommended_movie_id"}


def test_ranks_of_further_variants_are_kept_and_needed(model: TopKModel) -> None:
    windows = {**batch(), "rank_variant_int4": np.array([[3], [0], [7]])}
    ranked = rank_batch(model, windows, ["int4"])
    assert ranked["rank_variant_int4"].tolist() == [[3], [0], [7]]
    with pytest.raises(ValueError, match=r"lack the features .*rank_variant_float16"):
        rank_batch(model, windows, ["int4", "float16"])


def test_what_the_model_reads_beside_the_ids_comes_from_the_windows() -> None:
    asked: list[dict[str, Any]] = []

    class Reading(TopKModel):
        inputs = ("context_rating", "context_timestamp", "request_timestamp")

        def __init__(self) -> None:
            pass

        def predict(self, context: Any, further: Any = None) -> Any:
            asked.append(dict(further))
            ids = np.tile(np.arange(1, 21), (len(context), 1))
            return ids, np.tile(np.linspace(1, 0, 20, dtype=np.float32), (len(context), 1))

    windows = batch()
    with pytest.raises(ValueError, match="'context_rating': windows need the feature"):
        rank_batch(Reading(), windows)
    windows["context_rating"] = np.full((3, 4), 4.5)
    windows["context_timestamp"] = np.full((3, 4), 978_300_000)
    windows["target_timestamp"] = np.full((3, 1), 5_000_000_000)
    rank_batch(Reading(), windows)
    (further,) = asked
    assert {name: (values.dtype, values.shape) for name, values in further.items()} == {
        "context_rating": (np.float32, (3, 4)),
        "context_timestamp": (np.int32, (3, 4)),
        "request_timestamp": (np.int32, (3, 1)),
    }
    # Later than an int32 can say is as late as it can say.
    assert set(further["request_timestamp"].ravel().tolist()) == {2**31 - 1}


@pytest.mark.parametrize("name", ["seen_movie_id", "rank_blessed", "context_movie_id"])
def test_a_missing_feature_is_an_error(model: TopKModel, name: str) -> None:
    windows = batch()
    windows[name] = None
    with pytest.raises(ValueError, match=f"lack the features .*{name}"):
        rank_batch(model, windows)


def test_lists_in_every_form_that_tfma_gives() -> None:
    rows = [[5, 6], [], [7]]
    sparse = tfma.types.VarLenTensorValue(
        values=np.array([5, 6, 7]),
        indices=np.array([[0, 0], [0, 1], [2, 0]]),
        dense_shape=np.array([3, 2]),
    )
    for form in (tf.compat.v1.ragged.constant_value(rows), tf.ragged.constant(rows), sparse):
        found = to_ragged(form)
        assert found.values.tolist() == [5, 6, 7]
        assert found.offsets.tolist() == [0, 2, 2, 3]
    found = to_ragged(np.array([[5, 6], [7, 8]]))
    assert found.values.tolist() == [5, 6, 7, 8]
    assert found.offsets.tolist() == [0, 2, 4]


def test_a_baseline_model_is_refused() -> None:
    config = eval_config.build(GateConfig(), source_hash="x")
    models = [types.SimpleNamespace(model_path="a"), types.SimpleNamespace(model_path="b")]
    with pytest.raises(ValueError, match="expected one model, got 2"):
        custom_extractors(models, config, None)
