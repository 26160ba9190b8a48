"""From a SavedModel to checked variants: what the component does, without TFX."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.tflite_converter.convert import WORKER, ConversionError, convert
from components.tflite_converter.parity import Answers, HeldOut, recall_at_10, top10_overlap
from components.tflite_converter.smoke import smoke_test
from modules.evaluation.litert import TopKModel
from modules.features import CONTEXT_MOVIE_ID, TOP_PREDICTION_IDS, TOP_PREDICTION_SCORES
from pipeline.config.delivery import ConversionConfig, VariantName
from pipeline.progress import report

_BATCH = 256
# Conversions that run side by side: each is one thread and up to a gigabyte.
_WORKERS = 2


@dataclasses.dataclass(frozen=True)
class Variant:
    """A file that passed the smoke test.

    Attributes:
        content: The `.tflite` file.
        top10_overlap: Mean share of the trained model's first 10 that this one shows too.
        recall_at_10: On eval windows, seen movies removed.
    """

    content: bytes
    top10_overlap: float
    recall_at_10: float

    @property
    def sha256(self) -> str:
        """Digest of the file, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclasses.dataclass(frozen=True)
class Conversion:
    """All variants of one model.

    Attributes:
        variants: By name, in the order of the configuration.
        keras_recall_at_10: Of the SavedModel on the same windows.
        windows: How many these are.
    """

    variants: Mapping[VariantName, Variant]
    keras_recall_at_10: float
    windows: int


def convert_variants(
    saved_model: str,
    windows: HeldOut,
    *,
    config: ConversionConfig,
    worker: Sequence[str] = WORKER,
) -> Conversion:
    """Converts, smoke-tests and measures every variant of the configuration.

    Args:
        saved_model: Folder of the SavedModel, written by `modules.models.serving`.
        windows: Eval windows to measure on.
        config: Which variants, K, time limit.
        worker: Command of the child processes, see `convert`.

    Raises:
        ConversionError: A variant cannot be made or does not do what it should; or there is no
            window to measure on.
    """
    if not len(windows):
        raise ConversionError(
            "there are no eval windows to compare the variants on: no held-out event follows "
            "enough history; lower history.min_history or history.min_rating, or take more data"
        )
    with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
        conversions = {
            name: pool.submit(
                convert, saved_model, name, timeout_seconds=config.timeout_seconds, worker=worker
            )
            for name in config.variants
        }
        # Meanwhile, here.
        reference = saved_model_answers(saved_model, windows)
        for conversion in conversions.values():
            conversion.add_done_callback(
                lambda _: report.advance("variants converted", 1, len(conversions))
            )
        files = {name: conversion.result() for name, conversion in conversions.items()}
    variants = {}
    for name, content in files.items():
        variants[name] = _check(name, content, reference, windows, config.top_k)
        report.reach("variants checked", len(variants), len(files))
    return Conversion(variants, recall_at_10(reference, windows), len(windows))


def saved_model_answers(saved_model: str, windows: HeldOut) -> Answers:
    """Asks a SavedModel's `serving_default` for its answers.

    Args:
        saved_model: Its folder.
        windows: What to ask.
    """
    serve = tf.saved_model.load(saved_model).signatures["serving_default"]
    ids, scores = [], []
    for start in range(0, len(windows), _BATCH):
        rows = slice(start, start + _BATCH)
        context = tf.constant(windows.context[rows], tf.int32)
        further = {name: tf.constant(values[rows]) for name, values in windows.further.items()}
        answers = serve(**{CONTEXT_MOVIE_ID: context}, **further)
        ids.append(answers[TOP_PREDICTION_IDS].numpy().astype(np.int64))
        scores.append(answers[TOP_PREDICTION_SCORES].numpy())
    return Answers(np.concatenate(ids), np.concatenate(scores))


def _check(name: str, content: bytes, reference: Answers, windows: HeldOut, top_k: int) -> Variant:
    try:
        model = TopKModel(content, name)
        smoke_test(
            model,
            name=name,
            history_length=windows.context.shape[1],
            movies=windows.movies,
            top_k=top_k,
        )
        answers = Answers(*model.predict(windows.context, windows.further))
    except ValueError as error:
        raise ConversionError(f"variant {name}: {error}") from error
    return Variant(
        content,
        top10_overlap(answers, reference, windows),
        recall_at_10(answers, windows),
    )
