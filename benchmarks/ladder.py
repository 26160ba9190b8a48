"""Measures every variant of every encoder: bytes, time, memory, and how near it is to float32.

    .venv/bin/python -m benchmarks.ladder --trained WORKSPACE

Encoders have untrained weights, which is enough for bytes, time and memory; random weights and
tables are harder to round than trained ones, so the share of equal recommendations reads too low.
`--trained` adds the model of a workspace's last run, on its eval windows. A model's rows take the
place of those of an earlier run, so that `--encoders` may measure one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from tabulate import tabulate

from benchmarks.results import read_results, write_result
from components.tflite_converter.held_out import read_held_out
from components.tflite_converter.parity import HeldOut
from components.tflite_converter.smoke import further_probes
from components.tflite_converter.variants import convert_variants
from modules import features
from modules.evaluation.ranking import Ragged
from modules.models import serving
from modules.models.recommender import Recommender
from modules.serving_inputs import further_inputs
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.delivery import ConversionConfig, VariantName
from pipeline.config.model import EncoderConfig, ModelConfig

RESULT = "ladder"
CONFIG = ConversionConfig(variants=get_args(VariantName))
WINDOWS = 512
SETTINGS: dict[str, dict[str, Any]] = {
    "mixer": {"blocks": 4, "feed_forward": 56, "attention_blocks": 1},
    "hstu": {"time_buckets": 16},
}
"""Where the defaults would leave an encoder's parts out."""


def encoder_names() -> list[str]:
    """Returns the names of all encoders."""
    sections = get_args(get_args(EncoderConfig)[0])
    return [section.model_fields["name"].default for section in sections]


def random_windows(config: ModelConfig, length: int, movies: int) -> HeldOut:
    """Draws histories of popular movies above all, half of them padded on the left."""
    random = np.random.default_rng(1)
    drawn = np.exp(random.uniform(0, np.log(movies + 1), (WINDOWS, length)))
    context = np.clip(drawn.astype(np.int64), 1, movies)
    context[: WINDOWS // 2, : length // 2] = 0
    further, _ = further_probes(context, context, [given.name for given in further_inputs(config)])
    nothing = Ragged(np.zeros(0, np.int64), np.zeros(WINDOWS + 1, np.int64))
    return HeldOut(context, np.ones(WINDOWS, np.int64), nothing, movies, further)


def measure(
    name: str, saved_model: str, windows: HeldOut, *, trained: bool
) -> list[dict[str, Any]]:
    """Converts a SavedModel and returns a row a variant."""
    conversion = convert_variants(saved_model, windows, config=CONFIG)
    rows = [
        {
            "model": name,
            "variant": variant,
            "bytes": len(made.content),
            "latency_ms": round(made.costs.latency_ms, 4),
            "memory_bytes": made.costs.memory_bytes,
            "top10_overlap": round(made.top10_overlap, 4),
            "recall_at_10": round(made.recall_at_10, 4) if trained else None,
        }
        for variant, made in conversion.variants.items()
    ]
    for variant, reason in conversion.not_made.items():
        print(f"{name}, {variant}: {reason}")
    return rows


def measure_untrained(encoder: str, *, dim: int, history: int, movies: int) -> list[dict[str, Any]]:
    """Makes an encoder of random weights, converts and measures it."""
    import keras

    keras.utils.set_random_seed(1)
    settings = {"name": encoder, **SETTINGS.get(encoder, {})}
    config = ModelConfig.model_validate({"encoder": settings, "dim": dim, "scoring": "cosine"})
    with tempfile.TemporaryDirectory() as folder:
        model = Recommender(config, history_length=history, movies=movies)
        serving.export(model, f"{folder}/model", top_k=CONFIG.top_k)
        windows = random_windows(config, history, movies)
        return measure(encoder, f"{folder}/model", windows, trained=False)


def measure_trained(workspace: Path) -> list[dict[str, Any]]:
    """Converts and measures the model of a workspace's last run."""
    saved_model = _last(workspace, "trainer/model/*/Format-Serving")
    graph_uri = str(_last(workspace, "transform/transform_graph/*"))
    split = _last(workspace, f"transform/transformed_examples/*/Split-{features.SPLIT_EVAL}")
    said = json.loads(_last(workspace, "tflite_converter/model/*/conversion.json").read_text())
    config = ModelConfig.model_validate(said["model"])
    movie_ids, _ = read_vocabulary(vocabulary_path(graph_uri))
    windows = read_held_out(
        [str(split)],
        graph_uri,
        movies=len(movie_ids),
        count=CONFIG.parity_windows,
        inputs=further_inputs(config),
    )
    name = f"{config.encoder.name}, trained"
    return measure(name, str(saved_model), windows, trained=True)


def _last(workspace: Path, pattern: str) -> Path:
    found = list(workspace.glob(f"artifacts/*/{pattern}"))
    if not found:
        raise SystemExit(f"{workspace}: no artifacts/*/{pattern}, is it a workspace with a run?")
    return max(found, key=lambda path: path.stat().st_mtime)


def main() -> None:
    """Measures what the command line names, prints a table and writes the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--encoders", nargs="*", default=encoder_names())
    parser.add_argument("--trained", type=Path, help="workspace whose last model is measured too")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--history", type=int, default=64, help="N, events")
    parser.add_argument("--movies", type=int, default=3416)
    arguments = parser.parse_args()
    shape = {"dim": arguments.dim, "history": arguments.history, "movies": arguments.movies}
    if arguments.trained:
        keep(measure_trained(arguments.trained), shape)
    for encoder in arguments.encoders:
        keep(measure_untrained(encoder, **shape), shape)


def keep(rows: Sequence[Mapping[str, Any]], shape: Mapping[str, int]) -> None:
    """Prints a model's rows and puts them into the result, in place of those of an earlier run."""
    print(tabulate(rows, headers="keys", floatfmt=".4f"), flush=True)
    before = read_results(RESULT).get(RESULT, {})
    others = before.get("rows", []) if {**before, **shape} == before else []
    names = {row["model"] for row in rows}
    load = max(before.get("load_average", 0.0) if others else 0.0, round(os.getloadavg()[0], 1))
    kept = [row for row in others if row["model"] not in names]
    write_result(RESULT, {**shape, "load_average": load, "rows": [*kept, *rows]})


if __name__ == "__main__":
    main()
