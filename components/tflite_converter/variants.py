"""From a SavedModel to checked variants: what the component does, without TFX."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from components.tflite_converter.budgets import budget_file, read_master
from components.tflite_converter.convert import WORKER, ConversionError, convert
from components.tflite_converter.costs import Costs, measured_costs
from components.tflite_converter.parity import Answers, HeldOut, recall_at_10, top10_overlap
from components.tflite_converter.quantize import is_quantized
from components.tflite_converter.samples import Samples
from components.tflite_converter.shipped import shipped
from components.tflite_converter.smoke import smoke_test
from modules.evaluation.litert import TopKModel
from modules.features import CONTEXT_MOVIE_ID, TOP_PREDICTION_IDS, TOP_PREDICTION_SCORES
from modules.serving_inputs import FURTHER_INPUTS
from pipeline.config.budgets import budget_bytes, budget_name
from pipeline.config.delivery import ConversionConfig, VariantName
from pipeline.progress import report

REFERENCE: VariantName = "float32"
"""What others are made from and compared with."""

SAMPLES = 256
"""Eval windows that ranges of activations are taken of, and that inferences are timed with."""

_log = logging.getLogger(__name__)
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
        costs: Time and memory, as measured once.
    """

    content: bytes
    top10_overlap: float
    recall_at_10: float
    costs: Costs

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
        not_made: Why a variant of the configuration is not among them, by name.
    """

    variants: Mapping[str, Variant]
    keras_recall_at_10: float
    windows: int
    not_made: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Meter(Protocol):
    """What measures a file, see `costs.measured_costs`."""

    def __call__(  # noqa: D102
        self, content: bytes, samples: Samples, *, name: str, timeout_seconds: float
    ) -> Costs: ...


def convert_variants(
    saved_model: str,
    windows: HeldOut,
    *,
    config: ConversionConfig,
    worker: Sequence[str] = WORKER,
    meter: Meter = measured_costs,
) -> Conversion:
    """Converts, smoke-tests and measures every variant of the configuration.

    Not every encoder can be had in every variant. Nothing depends on those that are neither gated
    nor the reference, float32: such a variant is left out, and the reason kept.

    Args:
        saved_model: Folder of the SavedModel, written by `modules.models.serving`.
        windows: Eval windows to measure on.
        config: Which variants, K, time limit.
        worker: Command of the child processes, see `convert`.
        meter: What measures time and memory.

    Raises:
        ConversionError: The gated variant or float32 cannot be made or does not do what it should;
            or there is no window to measure on.
    """
    if not len(windows):
        raise ConversionError(
            "there are no eval windows to compare the variants on: no held-out event follows "
            "enough history; lower history.min_history or history.min_rating, or take more data"
        )
    samples = _samples(windows)
    with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
        conversions = _start(pool, saved_model, samples, config, worker)
        # Meanwhile, here.
        reference = saved_model_answers(saved_model, windows)
    variants: dict[str, Variant] = {}
    not_made: dict[str, str] = {}

    def file_of(name: str) -> bytes:
        if name in conversions:
            return conversions[name].result()
        made = [variants[base].content for base in conversions if base in variants]
        bases = (variants[config.gated].content, min(made, key=len))
        return budget_file(
            bases,
            read_master(saved_model),
            budgets[name],
            size=lambda file: len(shipped(file, gzip=config.gzip)),
        )

    budgets = {budget_name(size): size for size in map(budget_bytes, config.budgets)}
    # Files for budgets come last: they are cut from the gated one.
    names = [*config.variants, *budgets]
    for checked, name in enumerate(names, start=1):
        try:
            content = file_of(name)
            # First, in a process of its own: what LiteRT cannot run may end the process that tries.
            costs = meter(content, samples, name=name, timeout_seconds=config.timeout_seconds)
            model = _checked(name, content, windows, config.top_k)
            variants[name] = _compared(name, content, model, costs, reference, windows)
        except ConversionError as error:
            if name in (REFERENCE, config.gated):
                raise
            not_made[name] = str(error)
            _log.warning("variant %s is left out: %s", name, error)
        report.reach("variants checked", checked, len(names))
    return Conversion(variants, recall_at_10(reference, windows), len(windows), not_made)


def _start(
    pool: concurrent.futures.Executor,
    saved_model: str,
    samples: Samples,
    config: ConversionConfig,
    worker: Sequence[str],
) -> dict[str, concurrent.futures.Future[bytes]]:
    def make(name: VariantName, float32: bytes | None = None) -> bytes:
        return convert(
            saved_model,
            name,
            timeout_seconds=config.timeout_seconds,
            float32=float32,
            samples=samples,
            worker=worker,
        )

    def make_from_reference(name: VariantName) -> bytes:
        return make(name, reference.result())

    # The others are made from it, so it goes first; a thread that waits for it then waits for one
    # that runs already.
    reference = pool.submit(make, REFERENCE)
    conversions: dict[str, concurrent.futures.Future[bytes]] = {REFERENCE: reference}
    # What TensorFlow makes need not wait.
    for name in sorted(config.variants, key=is_quantized):
        if is_quantized(name):
            conversions[name] = pool.submit(make_from_reference, name)
        elif name != REFERENCE:
            conversions[name] = pool.submit(make, name)
    for conversion in conversions.values():
        conversion.add_done_callback(
            lambda _: report.advance("variants converted", 1, len(conversions))
        )
    return conversions


def _samples(windows: HeldOut) -> Samples:
    rows = slice(0, SAMPLES)
    further = {
        name: values[rows].astype(FURTHER_INPUTS[name].dtype)
        for name, values in windows.further.items()
    }
    return {CONTEXT_MOVIE_ID: windows.context[rows].astype(np.int32), **further}


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


def _checked(name: str, content: bytes, windows: HeldOut, top_k: int) -> TopKModel:
    try:
        model = TopKModel(content, name)
    except ValueError as error:
        raise ConversionError(f"variant {name}: {error}") from error
    smoke_test(
        model,
        name=name,
        history_length=windows.context.shape[1],
        movies=windows.movies,
        top_k=top_k,
    )
    return model


def _compared(
    name: str,
    content: bytes,
    model: TopKModel,
    costs: Costs,
    reference: Answers,
    windows: HeldOut,
) -> Variant:
    try:
        answers = Answers(*model.predict(windows.context, windows.further))
    except ValueError as error:
        raise ConversionError(f"variant {name}: {error}") from error
    return Variant(
        content,
        top10_overlap(answers, reference, windows),
        recall_at_10(answers, windows),
        costs,
    )
