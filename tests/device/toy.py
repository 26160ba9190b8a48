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
from pipeline.config.delivery import ConversionConfig
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


@functools.cache
def event_models() -> dict[str, bytes]:
    """Variants of a model that reads ratings and times.

    It goes on as `models` does; backwards if the last movie got less than three stars, and from
    ten movies further on if that is more than a day ago.
    """
    import tensorflow as tf

    places = np.arange(MOVIES)
    steps = (places[np.newaxis, :] - places[:, np.newaxis] - 1) % MOVIES + 1
    tables = np.zeros((2, MOVIES + 1, MOVIES + 1), np.float32)
    tables[0, 1:, 1:], tables[1, 1:, 1:] = -steps, -steps.T
    row = tf.TensorSpec([None, LENGTH], tf.int32)

    class Walker(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec(row.shape, tf.int32, "context_movie_id"),
                tf.TensorSpec(row.shape, tf.float32, "context_rating"),
                tf.TensorSpec(row.shape, tf.int32, "context_timestamp"),
                tf.TensorSpec([None, 1], tf.int32, "request_timestamp"),
            ]
        )
        def recommend(
            self,
            context_movie_id: "tf.Tensor",
            context_rating: "tf.Tensor",
            context_timestamp: "tf.Tensor",
            request_timestamp: "tf.Tensor",
        ) -> "dict[str, tf.Tensor]":
            known = tf.cast(context_movie_id > 0, tf.int32)
            place = tf.argmax(known * tf.range(1, LENGTH + 1), axis=1, output_type=tf.int32)
            last, rating, time = (
                tf.gather(values, place, batch_dims=1)
                for values in (context_movie_id, context_rating, context_timestamp)
            )
            disliked = tf.cast((rating > 0) & (rating < 3), tf.float32)[:, None]
            idle = (time > 0) & (request_timestamp[:, 0] - time > 86_400)
            start = tf.one_hot((last - 1 + 10 * tf.cast(idle, tf.int32)) % MOVIES + 1, MOVIES + 1)
            onwards, backwards = (tf.matmul(start, tf.constant(tables[way])) for way in (0, 1))
            scores = onwards * (1 - disliked) + backwards * disliked
            history = tf.reduce_sum(tf.one_hot(context_movie_id, MOVIES + 1), axis=1)
            scores -= 1e9 * (history + tf.one_hot([0], MOVIES + 1))
            best, ids = tf.math.top_k(scores, k=TOP_K)
            return {"top_prediction_ids": ids, "top_prediction_scores": best}

    module = Walker()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": module.recommend})
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return {"float32": content, "int8": content}


def event_bundle(folder: Path, **changes: object) -> Path:
    """Writes a bundle of `event_models`."""
    inputs = ("context_rating", "context_timestamp", "request_timestamp")
    conversion = source().conversion.model_copy(update={"further_inputs": inputs, **changes})
    return bundle(folder, conversion=conversion, variants=event_models())


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


def gzipped_bundle(folder: Path, **changes: object) -> Path:
    """Writes the toy bundle with gzipped models."""
    return bundle(folder, config=Config(conversion=ConversionConfig(gzip=True)), **changes)


def bundle(folder: Path, **changes: object) -> Path:
    """Writes the toy bundle as `folder`/bundle."""
    return write_bundle(source(**changes), folder / "bundle")
