"""A small world for the gate: timelines, windows, and TFLite models made of a table of scores."""

from __future__ import annotations

import dataclasses
import functools
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators import metrics_validator
from tfx.components.evaluator.executor import Executor as EvaluatorExecutor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from components.reference_ranks import executor as reference_ranks
from modules import features, vocabulary
from modules.evaluation import eval_config, extractors, rank_features, results
from modules.evaluation.litert import TopKModel
from modules.evaluation.ranking import FloatArray, IntArray
from pipeline.config.delivery import GateConfig

TOP_K = 20
DAY = 86_400


class _TableModel(tf.Module):
    """Scores of the next movie, given the last one."""

    def __init__(self, scores: FloatArray, top_k: int) -> None:
        super().__init__()
        self._scores = tf.constant(scores, tf.float32)
        self._top_k = top_k

    @tf.function
    def recommend(self, context_movie_id: tf.Tensor) -> dict[str, tf.Tensor]:
        top = tf.math.top_k(tf.gather(self._scores, context_movie_id[:, -1]), k=self._top_k)
        return {
            features.TOP_PREDICTION_IDS: top.indices,
            features.TOP_PREDICTION_SCORES: top.values,
        }


@functools.lru_cache
def _template(movies: int, length: int, top_k: int) -> tuple[bytes, bytes]:
    placeholder = np.random.default_rng(0).random((movies + 1, movies + 1), np.float32)
    module = _TableModel(placeholder, top_k)
    spec = tf.TensorSpec([None, length], tf.int32, name=features.CONTEXT_MOVIE_ID)
    with tempfile.TemporaryDirectory() as folder:
        signature = module.recommend.get_concrete_function(spec)
        tf.saved_model.save(module, folder, signatures={"serving_default": signature})
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return content, placeholder.tobytes()


def table_model(scores: FloatArray, length: int = 8, top_k: int = TOP_K) -> bytes:
    """Makes a `.tflite` that scores the next movie by the last one.

    Converting takes long, so a converted model gets another table.

    Args:
        scores: [movies + 1, movies + 1], from vocabulary id to vocabulary id; 0 is padding.
        length: N.
        top_k: K.
    """
    content, placeholder = _template(len(scores) - 1, length, top_k)
    assert content.count(placeholder) == 1
    return content.replace(placeholder, np.ascontiguousarray(scores, np.float32).tobytes())


def write_model(
    folder: Path,
    gated: bytes,
    *,
    movie_ids: IntArray,
    float32: bytes | None = None,
    further: Mapping[str, bytes] | None = None,
    not_made: Mapping[str, str] | None = None,
    length: int = 8,
    min_rating: float = 0.0,
) -> Path:
    """Writes what the converter writes: `further` are variants beside int8, the gated one."""
    for name in ("Format-Serving", "variants"):
        (folder / name).mkdir(parents=True)
    (folder / "Format-Serving" / "tflite").write_bytes(gated)
    (folder / "variants" / "int8.tflite").write_bytes(gated)
    (folder / "variants" / "float32.tflite").write_bytes(float32 or gated)
    for name, content in (further or {}).items():
        (folder / "variants" / f"{name}.tflite").write_bytes(content)
    (folder / "movie_vocabulary.txt").write_text("".join(f"{movie}\n" for movie in movie_ids))
    history = {"length": length, "padding": "left", "min_history": 1, "min_rating": min_rating}
    report = {"history": history, **({"not_made": not_made} if not_made else {})}
    (folder / "conversion.json").write_text(json.dumps(report))
    return folder


def int_feature(*values: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def text_feature(*values: str) -> tf.train.Feature:
    encoded = [value.encode() for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))


def listed_movie(movie_id: int) -> dict[str, tf.train.Feature]:
    """An odd movie is a drama of the nineties; an even one is a comedy too, without a year."""
    entry = {
        features.MOVIE_ID: int_feature(movie_id),
        features.TITLE: text_feature(f"Movie {movie_id}"),
        features.GENRES: text_feature(*(["Drama"] if movie_id % 2 else ["Comedy", "Drama"])),
    }
    return {**entry, features.YEAR: int_feature(1995)} if movie_id % 2 else entry


def write_examples(path: Path, examples: list[dict[str, tf.train.Feature]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
        for example in examples:
            features_proto = tf.train.Features(feature=example)
            writer.write(tf.train.Example(features=features_proto).SerializeToString())


def timeline(
    user: int, movies: list[int], times: list[int], first_target: int = 0, rating: float = 4.0
) -> dict[str, tf.train.Feature]:
    ratings = tf.train.Feature(float_list=tf.train.FloatList(value=[rating] * len(movies)))
    return {
        features.USER_ID: int_feature(user),
        features.FIRST_TARGET: int_feature(first_target),
        features.MOVIE_ID: int_feature(*movies),
        features.TIMESTAMP: int_feature(*times),
        features.RATING: ratings,
    }


@dataclasses.dataclass
class World:
    """Users who walk through a catalogue: after movie m mostly comes `successor[m]`.

    Vocabulary ids are the places of movies by falling training count, as in Transform.
    """

    root: Path
    movie_ids: IntArray
    successor: IntArray
    histories: list[list[int]]
    length: int = 8

    @property
    def movies(self) -> int:
        return len(self.movie_ids)

    @classmethod
    def make(cls, root: Path, *, users: int = 240, movies: int = 60, events: int = 9) -> World:
        rng = np.random.default_rng(11)
        successor = rng.permutation(movies)
        walks = []
        for user in range(users):
            walk = [int(rng.integers(movies))]
            while len(walk) < events:
                follows = int(successor[walk[-1]])
                if follows in walk or rng.random() < 0.2:
                    follows = int(rng.choice(np.setdiff1d(np.arange(movies), walk)))
                walk.append(follows)
            walks.append((user + 1, walk))
        raw = rng.permutation(1000)[:movies] + 1
        counts = np.bincount(np.concatenate([walk[:-2] for _, walk in walks]), minlength=movies)
        order = np.lexsort((raw, -counts))
        ids = np.empty(movies, np.int64)
        ids[order] = np.arange(1, movies + 1)
        successor_by_id = np.zeros(movies + 1, np.int64)
        successor_by_id[ids] = ids[successor]
        world = cls(root, raw[order], successor_by_id, [ids[walk].tolist() for _, walk in walks])
        world._write(counts[order])
        return world

    def _write(self, counts: IntArray) -> None:
        train, test, windows = [], [], []
        for user, walk in enumerate(self.histories, start=1):
            raw = [int(self.movie_ids[movie - 1]) for movie in walk]
            times = [1_000_000_000 + user * DAY + event for event in range(len(walk))]
            train.append(timeline(user, raw[:-2], times[:-2]))
            test.append(timeline(user, raw, times, first_target=len(walk) - 1))
            known = walk[:-1][-self.length :]
            padding = [0] * (self.length - len(known))
            windows.append(
                {
                    features.USER_ID: int_feature(user),
                    features.HISTORY_LENGTH: int_feature(len(walk) - 1),
                    features.TARGET_TIMESTAMP: int_feature(times[-1]),
                    features.CONTEXT_MOVIE_ID: int_feature(*padding, *known),
                    features.TARGET_MOVIE_ID: int_feature(*[0] * (self.length - 1), walk[-1]),
                    features.SEEN_MOVIE_ID: int_feature(*walk[:-1]),
                }
            )
        write_examples(self.root / "timelines/Split-train/data.gz", train)
        write_examples(self.root / "timelines/Split-test/data.gz", test)
        write_examples(self.root / "windows/Split-test/data.gz", windows)
        catalogue = [listed_movie(int(movie)) for movie in sorted(self.movie_ids)]
        write_examples(self.root / "timelines/Split-catalogue/data.gz", catalogue)
        lines = [
            f"{count} {vocabulary.KEY_BASE - movie}"
            for movie, count in zip(self.movie_ids, counts, strict=True)
        ]
        path = Path(vocabulary.vocabulary_path(str(self.root / "transform_graph")))
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(lines) + "\n")

    def scores(self, *, forgotten: float = 0.0, seed: int = 0) -> FloatArray:
        """Scores that know the successor of every movie but a share of them."""
        rng = np.random.default_rng(seed)
        table = rng.random((self.movies + 1, self.movies + 1)).astype(np.float32)
        table[:, 0] = -1e9
        known = np.arange(1, self.movies + 1)[round(forgotten * self.movies) :]
        table[known, self.successor[known]] += 1.0
        return table

    def model(self, name: str, scores: FloatArray, **files: Any) -> Path:
        """Writes a candidate made of scores by vocabulary id."""
        files.setdefault("movie_ids", self.movie_ids)
        return write_model(
            self.root / name, table_model(scores, self.length), length=self.length, **files
        )

    def rank(
        self,
        candidate: Path,
        *,
        blessed: Path | None = None,
        gate: GateConfig | None = None,
        variants: Sequence[str] = (),
    ) -> Any:
        """Runs the component's executor; returns its output artifact."""
        output = artifact(
            standard_artifacts.Examples, Path(tempfile.mkdtemp(dir=self.root)) / "examples"
        )
        inputs = {
            "windows": [artifact(standard_artifacts.Examples, self.root / "windows", ["test"])],
            "timelines": [
                artifact(
                    standard_artifacts.Examples,
                    self.root / "timelines",
                    ["train", "test", "catalogue"],
                )
            ],
            "candidate": [artifact(standard_artifacts.Model, candidate)],
            "transform_graph": [
                artifact(standard_artifacts.TransformGraph, self.root / "transform_graph")
            ],
            "blessed": [artifact(standard_artifacts.Model, blessed)] if blessed else [],
        }
        reference_ranks.Executor().Do(
            inputs,
            {"examples": [output]},
            {
                "config": (gate or GateConfig()).model_dump_json(),
                "variants": json.dumps(variants),
                "source_hash": "x",
            },
        )
        return output

    def evaluate(self, candidate: Path, examples: Any, config: Any) -> tuple[bool, Path]:
        """Runs TFX's Evaluator; returns whether it blessed, and the evaluation."""
        folder = Path(tempfile.mkdtemp(dir=self.root))
        evaluation = artifact(standard_artifacts.ModelEvaluation, folder / "evaluation")
        blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing")
        EvaluatorExecutor().Do(
            {
                "examples": [examples],
                "model": [artifact(standard_artifacts.Model, candidate)],
            },
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "eval_config": proto_utils.proto_to_json(config),
                "example_splits": json.dumps(["test"]),
                "module_path": "modules.evaluation.extractors",
            },
        )
        return (folder / "blessing" / "BLESSED").exists(), folder / "evaluation"

    def failures(
        self,
        candidate: Path,
        *,
        blessed: Path | None = None,
        gate: GateConfig | None = None,
        config: Any = None,
        evaluator: bool = False,
    ) -> list[str]:
        """Runs both steps of the gate; returns the metrics that do not pass, [] where blessed.

        Args:
            candidate: The model.
            blessed: The latest blessed model.
            gate: Settings of the gate.
            config: The Evaluator's, if not the one that belongs to `gate`.
            evaluator: Whether TFX's Evaluator judges. Its Beam pipeline takes seconds to set up, so
                otherwise the same extractor, metrics and TFMA's own validator run without Beam.
        """
        gate = gate or GateConfig()
        config = config or eval_config.build(gate, source_hash="x")
        examples = self.rank(candidate, blessed=blessed, gate=gate)
        if not evaluator:
            return judge(candidate, examples.uri, config)
        is_blessed, evaluation = self.evaluate(candidate, examples, config)
        validation = results.load_validation(str(evaluation))
        assert validation.blessed == is_blessed == (not validation.reasons)
        return [verdict.metric for verdict in validation.verdicts if not verdict.passed]


def artifact(kind: Any, path: Path, splits: list[str] | None = None) -> Any:
    made = kind()
    made.uri = str(path)
    if splits:
        made.split_names = artifact_utils.encode_split_names(splits)
    return made


def read_ranked(examples_uri: str) -> list[dict[str, tf.train.Feature]]:
    """Reads ranked test windows, the features of each by name."""
    files = sorted(str(path) for path in Path(examples_uri, "Split-test").iterdir())
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
    return [dict(tf.train.Example.FromString(record).features.feature) for record in records]


def read_batch(examples_uri: str, length: int) -> dict[str, Any]:
    """Reads ranked test windows as one batch of TFMA's features."""
    one, row = tf.io.FixedLenFeature([1], tf.int64), tf.io.FixedLenFeature([length], tf.int64)
    spec = {
        features.CONTEXT_MOVIE_ID: row,
        features.TARGET_MOVIE_ID: row,
        features.SEEN_MOVIE_ID: tf.io.RaggedFeature(tf.int64),
        **dict.fromkeys(extractors.KEPT_FEATURES, one),
        **{name: tf.io.FixedLenFeature([1], tf.string) for name in eval_config.SLICE_FEATURES},
        rank_features.TARGET_GENRE: tf.io.RaggedFeature(tf.string),
    }
    files = sorted(str(path) for path in Path(examples_uri, "Split-test").iterdir())
    records = list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())
    parsed = tf.io.parse_example(records, spec)
    return {
        name: values if isinstance(values, tf.RaggedTensor) else values.numpy()
        for name, values in parsed.items()
    }


def compute(metrics: list[Any], windows: list[dict[str, Any]]) -> dict[Any, float]:
    """Computes TFMA metrics without Beam: preprocessors, combiners and derivations, in order."""
    found: dict[Any, float] = {}
    for metric in metrics:
        for computation in metric.computations(model_names=[""]):
            if isinstance(computation, tfma.metrics.DerivedMetricComputation):
                found.update(computation.result(found))
                continue
            combiner, (preprocessor,) = computation.combiner, computation.preprocessors
            parts = [combiner.create_accumulator(), combiner.create_accumulator()]
            for index, window in enumerate(windows):
                for element in preprocessor.process({tfma.FEATURES_KEY: window}):
                    parts[index % 2] = combiner.add_input(parts[index % 2], element)
            found.update(combiner.extract_output(combiner.merge_accumulators(parts)))
    return found


def judge(candidate: Path, examples_uri: str, config: Any) -> list[str]:
    """Judges like the Evaluator, without Beam; returns the metrics that do not pass."""
    gated = candidate / "Format-Serving" / "tflite"
    model = TopKModel(gated.read_bytes(), name=str(gated))
    length = json.loads((candidate / "conversion.json").read_text())["history"]["length"]
    ranked = extractors.rank_batch(model, read_batch(examples_uri, length))
    windows = [
        {name: values[index] for name, values in ranked.items()}
        for index in range(len(ranked[rank_features.RANK_MODEL]))
    ]
    metrics = [
        tfma.metrics.metric_specs.metric_instance(metric)
        for spec in config.metrics_specs
        for metric in spec.metrics
    ]
    result = metrics_validator.validate_metrics(((), compute(metrics, windows)), config)
    failed = [
        failure.metric_key.name
        for sliced in result.metric_validations_per_slice
        for failure in sliced.failures
    ]
    assert result.validation_ok == (not failed)
    return failed
