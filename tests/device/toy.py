"""A tiny bundle whose answers can be told by hand.

The model looks at the last movie alone: after movie i it ranks i + 1, i + 2, ..., around the
catalogue, leaving out the history. The score of the movie n steps on is -n.
"""

import functools
import tempfile
from pathlib import Path

import numpy as np

from components.registry_pusher.bundle import BundleSource, write_bundle
from components.registry_pusher.conversion import Conversion, VariantReport
from pipeline.config.root import Config
from pocketrec_device.bundle import Movie

MOVIES = 40
LENGTH = 10
TOP_K = 12

TITLES = (
    "Toy Story (1995)",
    "Matrix, The (1999)",
    "Heat (1995)",
    "Seven Samurai (The Magnificent Seven) (Shichinin no samurai) (1954)",
    "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
    "Sabrina (1954)",
    "Sabrina (1995)",
    "Misérables, Les (1998)",
)
GENRES = (("Animation", "Comedy"), ("Action",), ("Action", "Crime"), ("Action", "Drama"))


def movies() -> tuple[Movie, ...]:
    return tuple(
        Movie(
            id=number,
            movie_id=raw_id(number),
            title=TITLES[number - 1] if number <= len(TITLES) else f"Film {number} (2000)",
            genres=GENRES[number - 1] if number <= len(GENRES) else (),
            year=2000,
            count=100 - number,
        )
        for number in range(1, MOVIES + 1)
    )


def raw_id(number: int) -> int:
    """The release's id of the movie with the model's id `number`; falls where that rises."""
    return 1000 - 7 * number


@functools.cache
def models() -> dict[str, bytes]:
    """The variants, really converted."""
    import tensorflow as tf

    steps = (np.arange(MOVIES)[np.newaxis, :] - np.arange(MOVIES)[:, np.newaxis] - 1) % MOVIES + 1
    table = np.zeros((MOVIES + 1, MOVIES + 1), np.float32)
    table[1:, 1:] = -steps

    class Successor(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, LENGTH], tf.int32, "context_movie_id")])
        def recommend(self, context_movie_id: "tf.Tensor") -> "dict[str, tf.Tensor]":
            known = tf.cast(context_movie_id > 0, tf.int32)
            place = tf.argmax(known * tf.range(1, LENGTH + 1), axis=1, output_type=tf.int32)
            last = tf.gather(context_movie_id, place, batch_dims=1)
            scores = tf.matmul(tf.one_hot(last, MOVIES + 1), tf.constant(table))
            history = tf.reduce_sum(tf.one_hot(context_movie_id, MOVIES + 1), axis=1)
            scores -= 1e9 * (history + tf.one_hot([0], MOVIES + 1))
            best, ids = tf.math.top_k(scores, k=TOP_K)
            return {"top_prediction_ids": ids, "top_prediction_scores": best}

    module = Successor()
    variants = {}
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": module.recommend})
        for name, quantize in (("float32", False), ("int8", True)):
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            if quantize:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            variants[name] = converter.convert()
    return variants


def source(**changes: object) -> BundleSource:
    """What the toy bundle is made of."""
    parity = {"top10_overlap": 1.0, "recall_at_10": 0.25, "keras_recall_at_10": 0.25}
    conversion = Conversion(
        history_length=LENGTH,
        padding="left",
        min_history=1,
        min_rating=0.0,
        top_k=TOP_K,
        gated="int8",
        variants={
            name: VariantReport(bytes=len(model), sha256="0" * 64, parity=parity)
            for name, model in models().items()
        },
    )
    fields = {
        "conversion": conversion,
        "variants": models(),
        "movies": movies(),
        "metrics": {
            "overall": {"recall_at_10": 0.25, "ndcg_at_10": 0.125, "mrr": None},
            "popularity_segment=head": {"recall_at_10": 0.5},
        },
        "gate": [
            {
                "metric": "recall_at_10",
                "slice": "overall",
                "value": 0.25,
                "threshold": ">= 0.1",
                "verdict": "passed",
            }
        ],
        "lineage": {
            "pipeline": "toy",
            "pipeline_run": "run-1",
            "artifacts": {"model": {"mlmd_id": 7, "type": "Model"}},
        },
        "config": Config(),
        "dataset": "sample",
        "data_counts": {"users": 600},
        "model_name": "pocketrec",
    }
    return BundleSource.model_validate({**fields, **changes})


def bundle(folder: Path, **changes: object) -> Path:
    """Writes the toy bundle as `folder`/bundle."""
    return write_bundle(source(**changes), folder / "bundle")
