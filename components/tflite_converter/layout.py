"""What the component's artifact looks like.

`Format-Serving/tflite`   the gated variant, under the name that TFMA wants
`variants/<name>.tflite`  all of them
`movie_vocabulary.txt`    one movie id of the release a line, line i (from 0) is id i + 1
`training/`               weights that a later run may begin with, where the Trainer left any
`conversion.json`         what the files expect and how they compare; written last
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from tfx.dsl.io import fileio

from components.tflite_converter.shipped import shipped
from components.tflite_converter.variants import Conversion
from modules.features import CONTEXT_MOVIE_ID
from modules.serving_inputs import further_inputs
from pipeline.config.delivery import ConversionConfig
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig

GATED = "Format-Serving/tflite"
VOCABULARY = "movie_vocabulary.txt"
REPORT = "conversion.json"


def write_artifact(
    uri: str,
    conversion: Conversion,
    movie_ids: npt.NDArray[np.int64],
    *,
    config: ConversionConfig,
    history: HistoryConfig,
    model: ModelConfig,
    hyperparameters: Mapping[str, Any] | None = None,
) -> None:
    """Writes variants, vocabulary and report.

    Args:
        uri: The artifact's folder.
        conversion: The variants.
        movie_ids: int64 [movies], the release's ids in the order of the vocabulary.
        config: How they were made.
        history: What they expect as history.
        model: What they are.
        hyperparameters: Settings by key path that a Tuner found, if there was one.
    """
    for name, variant in conversion.variants.items():
        write_file(posixpath.join(uri, variant_file(name)), variant.content)
    write_file(posixpath.join(uri, GATED), conversion.variants[config.gated].content)
    lines = "".join(f"{movie_id}\n" for movie_id in movie_ids)
    write_file(posixpath.join(uri, VOCABULARY), lines.encode())
    content = report(conversion, len(movie_ids), config=config, history=history, model=model)
    if hyperparameters:
        content["hyperparameters"] = dict(hyperparameters)
    write_file(posixpath.join(uri, REPORT), (json.dumps(content, indent=2) + "\n").encode())


def variant_file(name: str) -> str:
    """Returns the path of a variant inside the artifact."""
    return f"variants/{name}.tflite"


def report(
    conversion: Conversion,
    movies: int,
    *,
    config: ConversionConfig,
    history: HistoryConfig,
    model: ModelConfig,
) -> dict[str, Any]:
    """Returns the content of `conversion.json`.

    Args:
        conversion: The variants.
        movies: Size of the vocabulary.
        config: How they were made.
        history: What they expect as history.
        model: What they are.
    """
    return {
        "history": history.model_dump(
            mode="json", include={"length", "padding", "min_history", "min_rating"}
        ),
        "inputs": [CONTEXT_MOVIE_ID, *(given.name for given in further_inputs(model))],
        "top_k": config.top_k,
        "movies": movies,
        "gated": config.gated,
        "model": model.model_dump(mode="json"),
        "variants": {
            name: {
                "file": variant_file(name),
                "bytes": len(shipped(variant.content, gzip=config.gzip)),
                "unzipped_bytes": len(variant.content),
                "sha256": variant.sha256,
                "top10_overlap": variant.top10_overlap,
                "recall_at_10": variant.recall_at_10,
                "keras_recall_at_10": conversion.keras_recall_at_10,
                "windows": conversion.windows,
                "latency_ms": variant.costs.latency_ms,
                "memory_bytes": variant.costs.memory_bytes,
            }
            for name, variant in conversion.variants.items()
        },
        "not_made": dict(conversion.not_made),
    }


def write_file(path: str, content: bytes) -> None:
    """Writes a file that never exists in part under its own name."""
    fileio.makedirs(posixpath.dirname(path))
    unfinished = f"{path}.part"
    with fileio.open(unfinished, "wb") as file:
        file.write(content)
    fileio.rename(unfinished, path, overwrite=True)
