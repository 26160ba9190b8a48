"""A workspace with one whole run, as the real steps would leave it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from pipeline.config.root import Config
from pipeline.dashboard.evaluation import Evaluation, Threshold
from pipeline.dashboard.facts import Dashboard
from pipeline.dashboard.history import History, read_history
from pipeline.dashboard.render import run_page
from pipeline.lineage import Lineage
from pipeline.workspace import Workspace
from tests.pipeline.dashboard.store import Store


class Scene:
    """The workspace, its store, and the ids of what `whole_run` wrote."""

    def __init__(self, root: Path):
        self.workspace = Workspace.at(root)
        self.store = Store(self.workspace.metadata_db)
        self.outputs: dict[str, dict[str, list[int]]] = {}

    def folder(self, node_id: str, key: str) -> Path:
        path = self.workspace.pipeline_root / node_id / key / "1"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def add(self, run_id: str, node_id: str, state: str = "COMPLETE", **properties: Any) -> int:
        """Adds a step that puts out what `prepare` wrote for it, if it ended well."""
        ended = state in ("COMPLETE", "CACHED")
        outputs = self.outputs.get(node_id) if ended else None
        return self.store.step(run_id, node_id, state, outputs=outputs, **properties)

    def history(self) -> History:
        """Reads all runs, as the command does."""
        return read_history(Lineage(self.workspace.metadata_db), self.workspace, read_evaluation)

    def dashboard(self, run_id: str = "run-1") -> Dashboard:
        """Reads one run."""
        return self.history().record(run_id).dashboard

    def page(self, run_id: str = "run-1") -> str:
        """Returns the page about a run."""
        return run_page(run_id, self.history())

    def prepare(self, *, pushed: bool = True) -> None:
        """Writes the artifacts of every step."""
        examples = self.store.artifact(
            "Examples",
            self.folder("movielens_example_gen", "examples"),
            ratings_read=1234,
            ratings_kept=1200,
            timestamp_min=956703932,
            train_events=50,
            train_examples=7,
            state="published",
        )
        self.outputs["movielens_example_gen"] = {"examples": [examples]}
        for node_id, key, type_name, write in (
            ("statistics_gen", "statistics", "ExampleStatistics", _write_statistics),
            ("example_validator", "anomalies", "ExampleAnomalies", _write_anomalies),
            ("data_gate", "report", "ExampleAnomalies", _write_drift),
            ("transform", "transform_graph", "TransformGraph", _write_vocabulary),
            ("trainer", "model_run", "ModelRun", _write_history),
            ("tflite_converter", "model", "Model", _write_conversion),
            ("evaluator", "evaluation", "ModelEvaluation", _write_nothing),
        ):
            folder = self.folder(node_id, key)
            write(folder)
            self.outputs[node_id] = {key: [self.store.artifact(type_name, folder)]}
        folder = self.folder("registry_pusher", "pushed_model")
        if pushed:
            files = {"int8.tflite": {"bytes": 4321, "sha256": "ab" * 32}}
            (folder / "manifest.json").write_text(json.dumps({"files": files}))
            push = self.store.artifact(
                "PushedModel", folder, pushed=1, registry_version=3, registry_model="tiny"
            )
        else:
            push = self.store.artifact(
                "PushedModel", folder, pushed=0, not_pushed_reason="mrr <b>is</b> missing"
            )
        self.outputs["registry_pusher"] = {"pushed_model": [push]}

    def whole_run(self, run_id: str, *, seed: int = 42) -> None:
        """Adds a run whose every step ended."""
        self.store.run(run_id)
        for node_id in self.outputs:
            properties = (
                {"pipeline_config": Config(seed=seed).model_dump_json(exclude={"deployment"})}
                if node_id == "registry_pusher"
                else {}
            )
            self.add(run_id, node_id, **properties)


def read_evaluation(uri: str) -> Evaluation:
    assert Path(uri).is_dir()
    return Evaluation(
        slices={
            "overall": {
                "windows": 80.0,
                "recall_at_1": 0.125,
                "recall_at_10": 0.3125,
                "recall_at_10_popularity": 0.05,
                "recall_at_10_blessed": math.nan,
                "ndcg_at_10": 0.25,
            },
            "popularity_segment=head": {
                "windows": 64.0,
                "recall_at_10": 0.359375,
                "recall_at_10_popularity": 0.0625,
                "ndcg_at_10": 0.28125,
            },
            "popularity_segment=tail": {
                "windows": 16.0,
                "recall_at_10": 0.125,
                "recall_at_10_popularity": 0.0,
                "ndcg_at_10": 0.0625,
            },
            "history_segment=10-49": {
                "windows": 80.0,
                "recall_at_10": 0.3125,
                "recall_at_10_popularity": 0.05,
                "ndcg_at_10": 0.25,
            },
        },
        thresholds=[
            Threshold("recall_margin_over_popularity_at_10", 0.2625, 0.01, None, True),
            Threshold("mrr", None, 0.2, None, False, "the metric is missing"),
        ],
        blessed=False,
        problems=["slice country has no test windows"],
    )


def _write_statistics(folder: Path) -> None:
    for split, examples in (("train", 4), ("test", 2)):
        proto = statistics_pb2.DatasetFeatureStatisticsList()
        dataset = proto.datasets.add(num_examples=examples)
        rating = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
        rating.path.step.append("rating")
        stats = rating.num_stats
        stats.common_stats.num_non_missing = examples - 1
        stats.common_stats.num_missing = 1
        stats.common_stats.tot_num_values = 30
        stats.common_stats.max_num_values = 12
        stats.min, stats.mean, stats.median, stats.max = 0.5, 3.25, 3.5, 5.0
        histogram = stats.histograms.add(type=statistics_pb2.Histogram.STANDARD)
        histogram.buckets.add(low_value=0.5, high_value=2.75, sample_count=10)
        histogram.buckets.add(low_value=2.75, high_value=5.0, sample_count=20)
        gender = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
        gender.path.step.append("user_gender")
        gender.string_stats.unique = 2
        gender.string_stats.common_stats.num_non_missing = examples
        gender.string_stats.top_values.add(value="F", frequency=3)
        _write(folder / f"Split-{split}" / "FeatureStats.pb", proto.SerializeToString())


def _write_anomalies(folder: Path) -> None:
    clean = anomalies_pb2.Anomalies()
    _write(folder / "Split-train" / "SchemaDiff.pb", clean.SerializeToString())
    bad = anomalies_pb2.Anomalies()
    info = bad.anomaly_info["rating"]
    info.severity = anomalies_pb2.AnomalyInfo.ERROR
    info.short_description = "Out-of-range values"
    info.description = "Unexpectedly high value: 7."
    _write(folder / "Split-test" / "SchemaDiff.pb", bad.SerializeToString())


def _write_drift(folder: Path) -> None:
    measured = [
        {"feature": "movie_id", "distance": "l_infinity", "value": 0.125, "limit": 0.2},
        {"feature": "rating", "distance": "jensen_shannon", "value": 0.25, "limit": 0.1},
    ]
    report = {"verdict": "passed", "drift": {"newest": 3, "before": 2, "measured": measured}}
    _write(folder / "data_gate.json", json.dumps(report).encode())


def _write_vocabulary(folder: Path) -> None:
    lines = [f"{count} {2**63 - 1 - movie_id}" for count, movie_id in ((9, 5), (4, 2), (4, 8))]
    path = folder / "transform_fn" / "assets" / "movie_vocabulary"
    _write(path, ("\n".join(lines) + "\n").encode())


def _write_history(folder: Path) -> None:
    epochs = [
        {"epoch": 1, "loss": 6.5, "recall_at_10": 0.1},
        {"epoch": 2, "loss": 5.25, "recall_at_10": 0.2},
    ]
    _write(folder / "history.json", json.dumps(epochs).encode())


def _write_conversion(folder: Path) -> None:
    report = {
        "top_k": 100,
        "gated": "int8",
        "model": {"encoder": {"name": "cnn"}},
        "variants": {
            "float32": {"bytes": 4000, "sha256": "cd" * 32, "top10_overlap": 1.0},
            "int8": {"bytes": 1000, "sha256": "ef" * 32, "top10_overlap": 0.975},
        },
    }
    _write(folder / "conversion.json", json.dumps(report).encode())


def _write_nothing(folder: Path) -> None:
    folder.mkdir(exist_ok=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
