"""Times files of one encoder with item tables of all kinds, against its plain int8 file.

    .venv/bin/python -m benchmarks.item_tables
    .venv/bin/python -m benchmarks.item_tables --movies 43000

Weights are untrained, which is enough for bytes and time. Files take turns, so that what else the
machine does slows all of them alike: a ratio is the median over rounds of a file's median time over
the plain file's in the same round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.ladder import random_windows
from benchmarks.results import write_result
from components.tflite_converter.convert import convert
from modules import features
from modules.evaluation.latency import measure
from modules.models import serving
from modules.models.recommender import Recommender
from pipeline.config.model import ModelConfig

ENCODER = {
    "name": "mixer",
    "blocks": 3,
    "heads": 4,
    "feed_forward": 56,
    "attention_blocks": 1,
    "shared_weights": True,
}
DIM = 64
PLAIN = "dense"
TABLES: dict[str, dict[str, Any]] = {
    PLAIN: {"name": "dense"},
    "dense, 48 columns of 4 bits": {"name": "dense", "width": 48, "bits": 4},
    "dense, 12 columns of 4 bits": {"name": "dense", "width": 12, "bits": 4},
    "dense, 64 columns of 2 bits": {"name": "dense", "bits": 2},
    "the same, stored in 4": {"name": "dense", "bits": 2, "stored_bits": 4},
    "dense, bands of 4 and 2 bits": {
        "name": "dense",
        "bands": [{"width": 12, "bits": 4}, {"width": 16, "bits": 2}],
    },
    "elastic, 48 columns of 4 bits": {"name": "elastic", "blocks": 8, "width": 48, "bits": 4},
    "semi-tensor, rank 64, 32 columns": {
        "name": "semi_tensor",
        "rank": 64,
        "width": 32,
        "bits": 4,
    },
    "semi-tensor, rank 32, 16 columns": {
        "name": "semi_tensor",
        "rank": 32,
        "width": 16,
        "bits": 4,
    },
    "codebooks, 16 of 16": {"name": "codebooks", "books": 16, "codes": 16, "bits": 8},
    "codebooks, 8 of 256": {"name": "codebooks", "books": 8, "codes": 256, "bits": 8},
    "codebooks, 4 of 256": {"name": "codebooks", "books": 4, "codes": 256, "bits": 8},
}
VARIANTS = ("int8", "int4")
TOP_K = 100
TIMEOUT_SECONDS = 600


def made(table: dict[str, Any], *, history: int, movies: int) -> dict[str, bytes]:
    """Returns the converted files of a model of random weights, by variant.

    Args:
        table: Its item table.
        history: N, events.
        movies: Of the vocabulary.
    """
    import keras

    keras.utils.set_random_seed(1)
    settings = {"encoder": ENCODER, "dim": DIM, "item_table": table, "scoring": "dot"}
    config = ModelConfig.model_validate(settings)
    model = Recommender(config, history_length=history, movies=movies)
    with tempfile.TemporaryDirectory() as folder:
        saved = f"{folder}/model"
        serving.export(model, saved, top_k=TOP_K)
        return {
            variant: convert(saved, variant, timeout_seconds=TIMEOUT_SECONDS)
            for variant in VARIANTS
        }


def main() -> None:
    """Measures, prints a table and writes the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--history", type=int, default=64, help="N, events")
    parser.add_argument("--movies", type=int, default=3416)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--invocations", type=int, default=300, help="of a file in a round")
    arguments = parser.parse_args()
    files = {
        (name, variant): content
        for name, table in TABLES.items()
        for variant, content in made(
            table, history=arguments.history, movies=arguments.movies
        ).items()
    }
    windows = random_windows(
        ModelConfig.model_validate({"dim": DIM}), arguments.history, arguments.movies
    )
    histories = {features.CONTEXT_MOVIE_ID: windows.context.astype(np.int32)}
    rounds = [
        {
            key: measure(content, histories, arguments.invocations)["median_ms"]
            for key, content in files.items()
        }
        for _ in range(arguments.rounds)
    ]
    rows = [
        {
            "item table": name,
            "variant": variant,
            "bytes": len(content),
            "ms": round(statistics.median(times[name, variant] for times in rounds), 4),
            "times plain int8": round(
                statistics.median(times[name, variant] / times[PLAIN, "int8"] for times in rounds),
                2,
            ),
        }
        for (name, variant), content in files.items()
    ]
    print(tabulate(rows, headers="keys"), flush=True)
    result = {
        "movies": arguments.movies,
        "history": arguments.history,
        "rounds": arguments.rounds,
        "invocations": arguments.invocations,
        "load_average": round(os.getloadavg()[0], 1),
        "rows": rows,
    }
    write_result(f"item_tables_{arguments.movies}", result)


if __name__ == "__main__":
    main()
