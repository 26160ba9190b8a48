"""Measures what a loss takes on one thread: forward and backward, compiled by XLA.

    .venv/bin/python -m benchmarks.loss_speed

Processor time, not wall time: other work on the machine costs caches and clock, but no turns.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.results import write_result
from pipeline.config.loss import (
    FullSoftmaxConfig,
    GbceConfig,
    LossConfig,
    SampledSoftmaxConfig,
)

POSITIONS, DIM, NEGATIVES = 6144, 64, 1000
# Scores of the cosine lie within it.
SCALE = 20.0


def settings(movies: int) -> list[tuple[str, LossConfig, float | None]]:
    """Returns what is measured: a name, a configuration, the bound of the scores if known.

    Args:
        movies: Movies of the vocabulary; more need smaller chunks for the logits to stay in cache.
    """
    chunk = 512 if movies < 10_000 else 128
    full = FullSoftmaxConfig(chunk=chunk)
    return [
        ("full softmax", full, None),
        ("full softmax, scores bounded", full, SCALE),
        ("sampled softmax, uniform", SampledSoftmaxConfig(negatives=NEGATIVES), SCALE),
        (
            "sampled softmax, popularity",
            SampledSoftmaxConfig(negatives=NEGATIVES, sampler="popularity"),
            SCALE,
        ),
        (
            "sampled softmax, in batch",
            SampledSoftmaxConfig(negatives=NEGATIVES, sampler="in_batch"),
            SCALE,
        ),
        ("gBCE", GbceConfig(negatives=NEGATIVES), SCALE),
    ]


def measure(config: LossConfig, movies: int, bound: float | None, repeats: int) -> dict[str, float]:
    """Times one loss on random unit vectors.

    Args:
        config: The loss.
        movies: Movies of the vocabulary.
        bound: What the loss is told about its scores.
        repeats: Calls to time.

    Returns:
        `median_ms`, `min_ms`.
    """
    import tensorflow as tf

    from modules.training.losses.base import build_loss

    rng = np.random.default_rng(0)
    context, table = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (rng.normal(size=(count, DIM)) for count in (POSITIONS, movies + 1))
    )
    targets = rng.integers(1, movies + 1, (POSITIONS, 1))
    loss = build_loss(
        config,
        movie_counts=np.bincount(targets[:, 0], minlength=movies + 1),
        score_bound=bound,
    )
    arguments = (
        tf.constant(SCALE * context, tf.float32),
        tf.constant(table, tf.float32),
        tf.constant(targets, tf.int32),
    )

    @tf.function(jit_compile=True, autograph=False)
    def update(
        context: tf.Tensor, table: tf.Tensor, targets: tf.Tensor, draw: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch([context, table])
            total = loss(context, table, None, targets, tf.ones([POSITIONS, 1]), draw)
        return total, tape.gradient(total, [context, table])

    taken = np.empty(repeats + 1)
    for call in range(repeats + 1):
        began = time.process_time()
        update(*arguments, tf.constant([1, call]))[0].numpy()
        taken[call] = 1e3 * (time.process_time() - began)
    # The first call compiles.
    return {"median_ms": float(np.median(taken[1:])), "min_ms": float(taken[1:].min())}


def main() -> None:
    """Measures all losses, prints them and writes `results/loss_speed.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--movies", nargs="+", type=int, default=[3416, 40_000])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    # Read once, when TensorFlow makes its threads.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    rows: list[dict[str, Any]] = [
        {
            "loss": name,
            "movies": movies,
            "negatives": getattr(config, "negatives", movies),
            "chunk": config.chunk,
            **{
                key: round(value, 1)
                for key, value in measure(config, movies, bound, arguments.repeats).items()
            },
        }
        for movies in arguments.movies
        for name, config, bound in settings(movies)
    ]
    print(tabulate(rows, headers="keys"))
    write_result("loss_speed", {"positions": POSITIONS, "dim": DIM, "rows": rows})


if __name__ == "__main__":
    main()
