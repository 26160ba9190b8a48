"""Small models, and ways to break what was made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from components.tflite_converter import flatbuffer
from components.tflite_converter.smoke import further_probes
from modules.models import serving
from modules.models.recommender import Recommender
from modules.serving_inputs import FURTHER_INPUTS, further_inputs
from pipeline.config.model import ModelConfig

MOVIES, LENGTH, TOP_K, DIM = 300, 6, 20, 16

ENCODERS: dict[str, dict[str, Any]] = {
    "bow": {"encoder": {"name": "bow", "hidden": (16,)}},
    "cnn": {"encoder": {"name": "cnn", "layers": 2}, "scoring": "cosine"},
    # Reads times too.
    "hstu": {"encoder": {"name": "hstu", "heads": 2, "time_buckets": 16}},
    "lstm": {"encoder": {"name": "lstm", "units": 16}},
    "transformer": {"encoder": {"name": "transformer", "heads": 2}},
    # Reads ratings and times too.
    "events": {
        "encoder": {"name": "cnn", "layers": 2},
        "event_features": {"rating": True, "gap": True, "age": True},
    },
    # Reads two attributes of users.
    "user": {
        "encoder": {"name": "cnn", "layers": 2},
        "user_features": {"gender": True, "occupation": True},
    },
}

# Converted by thorough tests alone.
OTHER_ENCODERS: dict[str, dict[str, Any]] = {
    "gru": {"encoder": {"name": "gru", "units": 16}},
    "lru": {"encoder": {"name": "lru", "layers": 1}},
    "mixer": {
        "encoder": {"name": "mixer", "heads": 2, "attention_blocks": 1},
        "scoring": "cosine",
    },
}


def config(encoder: str, **settings: Any) -> ModelConfig:
    """The settings of a toy."""
    return ModelConfig.model_validate(
        {"dim": DIM, **(ENCODERS | OTHER_ENCODERS)[encoder], **settings}
    )


def inputs(encoder: str) -> list[str]:
    """What a toy reads beside the ids."""
    return [given.name for given in further_inputs(config(encoder))]


def samples(encoder: str, count: int = 64) -> dict[str, npt.NDArray[Any]]:
    """Random histories, with what a toy reads beside them."""
    random = np.random.default_rng(13)
    context = random.integers(1, MOVIES, (count, LENGTH), np.int64, endpoint=True)
    context[: count // 2, : LENGTH // 2] = 0
    further, _ = further_probes(context, context, inputs(encoder))
    given = {name: values.astype(FURTHER_INPUTS[name].dtype) for name, values in further.items()}
    return {"context_movie_id": context.astype(np.int32), **given}


def recommender(encoder: str, *, movies: int = MOVIES, **settings: Any) -> Recommender:
    """A model of random weights."""
    keras.utils.set_random_seed(11)
    model = Recommender(config(encoder, **settings), history_length=LENGTH, movies=movies)
    random = np.random.default_rng(12)
    for weights in model.encoder.trainable_variables:
        weights.assign(weights + random.normal(0, 0.2, weights.shape))
    for weights in model.trainable_variables:
        if weights.path.startswith(("event_features", "user_features")):
            weights.assign(random.normal(0, 0.5, weights.shape))
    return model


def export(encoder: str, folder: Path) -> None:
    """Writes the SavedModel of a toy."""
    serving.export(recommender(encoder), str(folder), top_k=TOP_K)


def corrupt_table(model: bytes, seed: int = 0) -> bytes:
    """Breaks the largest constant as a wrong scale or a wrong layout would: rows change places.

    Sizes, names, types and the range of values stay what they were: only answers tell.

    Args:
        model: A `.tflite` file.
        seed: Of the permutation.
    """
    parsed = flatbuffer.parse(model)
    largest = max(
        (b for b in parsed.buffers if b.data is not None), key=lambda buffer: len(buffer.data)
    )
    rows = next(
        tensor.shape[0]
        for graph in parsed.subgraphs
        for tensor in graph.tensors
        if parsed.buffers[tensor.buffer] is largest
    )
    table = np.asarray(largest.data).reshape(rows, -1)
    largest.data = table[np.random.default_rng(seed).permutation(rows)].reshape(-1)
    return flatbuffer.serialize(parsed)
