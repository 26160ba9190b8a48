"""What the Evaluator runs instead of TFMA's own TFLite predictions.

TFMA's extractor runs TensorFlow's interpreter without the delegates that a device has, one feature
row at a time, and feeds int64 features to an int32 input. This one runs LiteRT as the device
does, and leaves only ranks behind: lists of K scores a window would be copied through every slice.
"""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma

from modules import features
from modules.evaluation import rank_features
from modules.evaluation.eval_config import judged_variants
from modules.evaluation.litert import TopKModel
from modules.evaluation.ranking import IntArray, Ragged, list_ranks, recommended
from modules.serving_inputs import inputs_of_windows
from pipeline.progress import report

MODEL_FILE = "tflite"
"""The name that TFMA gives to a TFLite model inside a Model artifact."""

KEPT_FEATURES = (
    rank_features.RANK_POPULARITY,
    rank_features.RANK_RECENT_POPULARITY,
    rank_features.RANK_FLOAT32,
    rank_features.RANK_BLESSED,
    rank_features.CATALOGUE_SIZE,
    rank_features.POPULARITY_SEGMENT,
    rank_features.HISTORY_SEGMENT,
    rank_features.TARGET_GENRE,
    rank_features.TARGET_DECADE,
)


def custom_extractors(
    eval_shared_model: Any, eval_config: tfma.EvalConfig, tensor_adapter_config: Any
) -> list[Any]:
    """Returns TFMA's extractors with the predictions made by LiteRT.

    The Evaluator finds this function by its name.

    Args:
        eval_shared_model: The gated model, one.
        eval_config: The Evaluator's configuration.
        tensor_adapter_config: How to read the examples.

    Raises:
        ValueError: There is not exactly one model.
    """
    models = eval_shared_model if isinstance(eval_shared_model, list) else [eval_shared_model]
    if len(models) != 1:
        raise ValueError(
            f"expected one model, got {len(models)}: the latest blessed one is compared through "
            "its ranks, not as a baseline"
        )
    model_file = posixpath.join(models[0].model_path, MODEL_FILE)
    predict = tfma.extractors.Extractor(
        stage_name="RankTargets",
        ptransform=beam.ParDo(_RankTargets(model_file, judged_variants(eval_config))),
    )
    return tfma.default_extractors(
        eval_shared_model=models[0],
        eval_config=eval_config,
        tensor_adapter_config=tensor_adapter_config,
        custom_predict_extractor=predict,
    )


def rank_batch(
    model: TopKModel, batch: Mapping[str, Any], variants: Sequence[str] = ()
) -> dict[str, Any]:
    """Runs the model on a batch of test windows and ranks their targets.

    Args:
        model: The gated model.
        batch: Features of the windows with the reference ranks, as TFMA extracts them.
        variants: The further variants whose ranks the windows carry.

    Returns:
        `KEPT_FEATURES` and the variants' ranks, with `rank_model` int64 [batch, 1] and
        `recommended_movie_id` int64 [batch, 10].

    Raises:
        ValueError: A feature is missing, or the model fails.
    """
    kept = (*KEPT_FEATURES, *map(rank_features.rank_of_variant, variants))
    needed = (
        *kept,
        features.CONTEXT_MOVIE_ID,
        features.TARGET_MOVIE_ID,
        features.SEEN_MOVIE_ID,
    )
    missing = [name for name in needed if batch.get(name) is None]
    if missing:
        raise ValueError(f"test windows lack the features {missing}; they have {sorted(batch)}")
    context = np.asarray(batch[features.CONTEXT_MOVIE_ID], np.int64)
    # A held-out window has one target, the other positions hold 0.
    targets = np.asarray(batch[features.TARGET_MOVIE_ID], np.int64).max(axis=1)
    seen = to_ragged(batch[features.SEEN_MOVIE_ID])
    movies = int(np.max(batch[rank_features.CATALOGUE_SIZE]))
    ids, scores = model.predict(context, inputs_of_windows(model.inputs, batch))
    shown = recommended(ids, scores, seen, movies, rank_features.RECOMMENDED_K)
    ranks = list_ranks(ids, scores, targets, seen, movies)
    return {
        **{name: batch[name] for name in kept},
        rank_features.RANK_MODEL: ranks[:, np.newaxis],
        rank_features.RECOMMENDED_MOVIE_ID: shown,
    }


def to_ragged(values: Any) -> Ragged:
    """Converts a batch of variable-length lists, in any form that TFMA gives it, to rows.

    Args:
        values: TFMA's `VarLenTensorValue` or `RaggedTensorValue`, or a dense [batch, length]
            array, which TFMA makes where all lists of a batch are equally long.
    """
    if hasattr(values, "nested_row_splits"):
        return Ragged(
            np.asarray(values.values, np.int64), np.asarray(values.nested_row_splits[0], np.int64)
        )
    if hasattr(values, "dense_shape"):
        rows = int(values.dense_shape[0])
        lengths: IntArray = np.bincount(np.asarray(values.indices)[:, 0], minlength=rows)
        return Ragged(np.asarray(values.values, np.int64), _offsets(lengths))
    dense = np.asarray(values, np.int64)
    return Ragged(dense.reshape(-1), _offsets(np.full(dense.shape[0], dense.shape[1], np.int64)))


def _offsets(lengths: IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


class _RankTargets(beam.DoFn):
    """Replaces the features of a batch by those that the metrics need."""

    def __init__(self, model_file: str, variants: Sequence[str]) -> None:
        self._model_file = model_file
        self._variants = tuple(variants)
        self._model: TopKModel | None = None

    def process(self, extracts: dict[str, Any]) -> Iterable[dict[str, Any]]:
        if self._model is None:
            with tf.io.gfile.GFile(self._model_file, "rb") as file:
                self._model = TopKModel(file.read(), name=self._model_file)
        ranked = rank_batch(self._model, extracts[tfma.FEATURES_KEY], self._variants)
        report.advance("windows ranked", len(ranked[rank_features.RANK_MODEL]))
        result = copy.copy(extracts)
        # The raw rows would travel on for nothing.
        result.pop(tfma.INPUT_KEY, None)
        result[tfma.FEATURES_KEY] = ranked
        result[tfma.PREDICTIONS_KEY] = ranked[rank_features.RANK_MODEL]
        yield result
