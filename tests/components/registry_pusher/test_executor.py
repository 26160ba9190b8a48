"""The component's executor, on artifacts as the stages before it write them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, channel, standard_artifacts

from components.movielens_example_gen.catalogue import Movie
from components.movielens_example_gen.examples import encode_movies
from components.registry_pusher import executor as executor_module
from components.registry_pusher.component import RegistryPusher
from components.registry_pusher.executor import RegistryPusherExecutor, counts_of, public_config
from modules import features, vocabulary
from modules.evaluation.results import Validation, Verdict
from pipeline.config.root import Config
from pipeline.errors import RegistryError
from pipeline.registry import vertex_address
from pipeline.registry.registry import open_registry
from pipeline.workspace import Workspace
from pocketrec_device import Bundle, Recommender
from tests.device import toy
from tests.pipeline.registry.mlflow_place import make_workspace
from tests.pipeline.registry.vertex_place import Token, running

PASSED = Verdict("recall_at_10", "overall", 0.1, None, 0.25, True)
FAILED = Verdict("recall_margin_over_popularity_at_10", "overall", 0.01, None, 0.002, False)
METRICS = {"overall": {"recall_at_10": 0.25, "ndcg_at_10": 0.125, "mrr": float("nan")}}


class Stage:
    """Artifacts on disk, and what the executor makes of them."""

    def __init__(self, folder: Path) -> None:
        self.workspace: Workspace = make_workspace(folder)
        self.root = folder / "artifacts"
        self.inputs = {
            "model": self._artifact(standard_artifacts.Model, "model", 11),
            "model_blessing": self._artifact(standard_artifacts.ModelBlessing, "blessing", 12),
            "evaluation": self._artifact(standard_artifacts.ModelEvaluation, "evaluation", 13),
            "examples": self._artifact(standard_artifacts.Examples, "examples", 14),
            "transform_graph": self._artifact(standard_artifacts.TransformGraph, "graph", 15),
        }
        self.pushed = self._artifact(standard_artifacts.PushedModel, "pushed", 16)
        self.bless(blessed=True)
        self._write_model()
        self._write_examples()
        self._write_vocabulary([movie.movie_id for movie in toy.movies()])

    def _artifact(self, kind: Any, name: str, number: int) -> Any:
        artifact = kind()
        artifact.uri = str(self.root / name)
        artifact.id = number
        Path(artifact.uri).mkdir(parents=True)
        return artifact

    def bless(self, *, blessed: bool) -> None:
        self.inputs["model_blessing"].set_int_custom_property("blessed", int(blessed))

    def _write_model(self) -> None:
        folder = Path(self.inputs["model"].uri)
        (folder / "variants").mkdir()
        variants = {}
        for name, content in toy.models().items():
            (folder / "variants" / f"{name}.tflite").write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            variants[name] = {"bytes": len(content), "sha256": digest, "top10_overlap": 1.0}
        report = {
            "history": {"length": 10, "padding": "left", "min_history": 1, "min_rating": 0.0},
            "top_k": toy.TOP_K,
            "gated": "int8",
            "variants": variants,
        }
        (folder / "conversion.json").write_text(json.dumps(report))
        lines = "".join(f"{movie.movie_id}\n" for movie in toy.movies())
        (folder / "movie_vocabulary.txt").write_text(lines)

    def _write_examples(self) -> None:
        import tensorflow as tf

        examples = self.inputs["examples"]
        examples.split_names = artifact_utils.encode_split_names(
            ["train", features.SPLIT_CATALOGUE]
        )
        examples.set_int_custom_property("users", 600)
        examples.set_string_custom_property("release_format", "latest")
        folder = Path(examples.uri) / f"Split-{features.SPLIT_CATALOGUE}"
        folder.mkdir()
        listed = [
            Movie(movie.movie_id, movie.title, movie.genres, movie.year) for movie in toy.movies()
        ]
        listed.append(Movie(5000, "Never Rated (1990)", (), 1990))
        with tf.io.TFRecordWriter(str(folder / "data.gz"), options="GZIP") as writer:
            for record in encode_movies(sorted(listed, key=lambda movie: movie.movie_id)):
                writer.write(record)

    def _write_vocabulary(self, movie_ids: list[int]) -> None:
        path = Path(vocabulary.vocabulary_path(self.inputs["transform_graph"].uri))
        path.parent.mkdir(parents=True, exist_ok=True)
        counts = np.arange(99, 99 - len(movie_ids), -1)
        lines = [
            f"{count} {vocabulary.KEY_BASE - movie_id}"
            for count, movie_id in zip(counts, movie_ids, strict=True)
        ]
        path.write_text("\n".join(lines) + "\n")

    def run(self, **properties: str) -> None:
        context = base_executor.BaseExecutor.Context(pipeline_run_id="run-7")
        config = Config(dataset="/home/someone/ml-tiny/")
        RegistryPusherExecutor(context).Do(
            {name: [artifact] for name, artifact in self.inputs.items()},
            {"pushed_model": [self.pushed]},
            {
                "config": config.registry.model_dump_json(),
                "tracking_uri": self.workspace.tracking_uri,
                "artifact_root": (self.workspace.registry / "artifacts").as_uri(),
                "container_image": "",
                "dataset": config.dataset,
                "pipeline_config": config.model_dump_json(),
                "source_hash": "abc",
                **properties,
            },
        )


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    set_verdicts(monkeypatch, PASSED)
    monkeypatch.setattr(executor_module, "load_metrics", lambda _: METRICS)
    return Stage(tmp_path)


def set_verdicts(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> None:
    blessed = all(verdict.passed for verdict in verdicts)
    monkeypatch.setattr(executor_module, "load_validation", lambda _: Validation(blessed, verdicts))


def test_a_blessed_model_becomes_champion_with_its_bundle(stage: Stage) -> None:
    stage.run()
    (version,) = open_registry(stage.workspace).versions()
    assert version.aliases == ("champion",)
    assert version.tags["dataset"] == "ml-tiny"
    assert version.tags["pipeline_run"] == "run-7"
    assert version.tags["mlmd_model_id"] == "11"
    assert version.tags["mlmd_transform_graph_id"] == "15"
    assert stage.pushed.get_int_custom_property("pushed") == 1
    assert stage.pushed.get_int_custom_property("registry_version") == 1
    assert stage.pushed.get_string_custom_property("pushed_version") == "1"
    bundle = Bundle.load(Path(stage.pushed.uri) / "bundle")
    bundle.verify()
    assert bundle.manifest.bundle_id == version.tags["bundle_id"]
    registered = open_registry(stage.workspace).bundle_path(version)
    assert (registered / "manifest.json").read_bytes() == bundle.path.joinpath(
        "manifest.json"
    ).read_bytes()
    found = Recommender(bundle).recommend(["The Matrix (1999)"], k=2)
    assert [movie.title for movie in found] == [toy.TITLES[2], toy.TITLES[3]]


def test_the_address_chooses_vertex(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("google.auth.default", lambda **_: (Token(), "p"))
    # TensorFlow's client of Cloud Storage knows Google's own servers alone.
    monkeypatch.setattr(vertex_address, "ARTIFACT_SCHEME", "ram")
    with running() as api:
        stage.run(
            tracking_uri=api.uri, artifact_root="ram://bucket/executor", container_image="me/image"
        )
        (version,) = open_registry(stage.workspace, api.uri).versions()
        assert version.aliases == ("champion", "default")
        assert version.tags["dataset"] == "ml-tiny"
        assert version.tags["pipeline_run"] == "run-7"
    assert stage.pushed.get_int_custom_property("registry_version") == 1
    assert stage.pushed.get_string_custom_property("pushed_destination") == version.source
    bundle = Bundle.load(Path(stage.pushed.uri) / "bundle")
    assert bundle.manifest.bundle_id == version.tags["bundle_id"]


def test_vertex_without_an_image_is_refused(stage: Stage) -> None:
    with pytest.raises(RegistryError, match=r"registry\.container_image"):
        stage.run(tracking_uri="vertex://p-1/europe-west4", artifact_root="gs://bucket/registry")
    assert not stage.pushed.has_custom_property("pushed")


def test_the_bundle_names_no_path_and_no_address(stage: Stage) -> None:
    stage.run()
    for path in Path(stage.pushed.uri).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"/home/someone" not in content, path
            assert b"sqlite:" not in content, path
    place = {
        "tracking_uri": "postgresql://me:hidden@host/db",
        "artifact_root": "s3://hidden/x",
        "container_image": "hidden/image",
    }
    cluster = {"environment": {"A": "hidden"}, "retries": 3}
    config = Config.model_validate({"registry": place, "deployment": cluster})
    assert "hidden" not in public_config(config).model_dump_json()


def test_metrics_without_a_value_are_null_in_the_bundle(stage: Stage) -> None:
    stage.run()
    metrics = json.loads((Path(stage.pushed.uri) / "bundle" / "metrics.json").read_text("utf-8"))
    assert metrics["slices"] == {
        "overall": {"recall_at_10": 0.25, "ndcg_at_10": 0.125, "mrr": None}
    }
    assert metrics["gate"] == [
        {
            "metric": "recall_at_10",
            "slice": "overall",
            "value": 0.25,
            "threshold": ">= 0.1",
            "verdict": "passed",
        }
    ]


def test_a_variant_that_lost_too_much_is_left_out_and_blocks_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_path = Path(stage.inputs["model"].uri) / "conversion.json"
    report = json.loads(report_path.read_text())
    content = (report_path.parent / "variants" / "float32.tflite").read_bytes()
    for name in ("float16", "int4"):
        (report_path.parent / "variants" / f"{name}.tflite").write_bytes(content)
        report["variants"][name] = report["variants"]["float32"]
    report_path.write_text(json.dumps({**report, "not_made": {"int8_full": "no int8 input"}}))
    overall = {
        **METRICS["overall"],
        "recall_at_10_float32": 0.25,
        "recall_change_from_float32_at_10": 0.0,
        "recall_at_10_float16": 0.2475,
        "recall_change_of_float16_from_float32_at_10": -0.0025,
        "recall_at_10_int4": 0.2,
        "recall_change_of_int4_from_float32_at_10": -0.05,
    }
    monkeypatch.setattr(executor_module, "load_metrics", lambda _: {"overall": overall})
    warned: list[str] = []
    monkeypatch.setattr("absl.logging.warning", lambda text, *words: warned.append(text % words))
    stage.run()
    (version,) = open_registry(stage.workspace).versions()
    assert version.aliases == ("champion",)
    bundle = Bundle.load(Path(stage.pushed.uri) / "bundle")
    bundle.verify()
    assert sorted(bundle.manifest.variants) == ["float16", "float32", "int8"]
    assert bundle.manifest.raw["variants_left_out"] == {
        "int8_full": "the converter could not make it: no int8 input",
        "int4": "its recall@10 on the test windows, 0.2000, is 0.0500 below that of float32; "
        "0.005 is allowed",
    }
    assert warned == [
        f"LEFT OUT: variant {name}: {reason}"
        for name, reason in bundle.manifest.raw["variants_left_out"].items()
    ]


def assert_not_pushed(stage: Stage, reason: str) -> None:
    assert stage.pushed.get_int_custom_property("pushed") == 0
    assert reason in stage.pushed.get_string_custom_property("not_pushed_reason")
    assert list(Path(stage.pushed.uri).iterdir()) == []
    with pytest.raises(RegistryError, match="no version"):
        open_registry(stage.workspace).versions()


def test_a_model_that_is_not_blessed_is_not_pushed_and_the_reason_is_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.bless(blessed=False)
    set_verdicts(monkeypatch, PASSED, FAILED)
    stage.run()
    assert_not_pushed(stage, "is 0.002, but must be at least 0.01")


@pytest.mark.parametrize("blessed", [True, False])
def test_one_of_the_two_witnesses_is_not_enough(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, blessed: bool
) -> None:
    stage.bless(blessed=blessed)
    set_verdicts(monkeypatch, FAILED if blessed else PASSED)
    stage.run()
    assert_not_pushed(stage, "but must be at least 0.01" if blessed else "did not bless")


def test_a_vocabulary_that_is_one_off_is_not_pushed(stage: Stage) -> None:
    path = Path(stage.inputs["model"].uri) / "movie_vocabulary.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[1:] + lines[:1]) + "\n")
    with pytest.raises(RegistryError, match="titles would be wrong"):
        stage.run()
    with pytest.raises(RegistryError, match="no version"):
        open_registry(stage.workspace).versions()


def test_the_component_has_the_wiring_of_the_pipeline() -> None:
    channels = {
        "model": standard_artifacts.Model,
        "model_blessing": standard_artifacts.ModelBlessing,
        "evaluation": standard_artifacts.ModelEvaluation,
        "examples": standard_artifacts.Examples,
        "transform_graph": standard_artifacts.TransformGraph,
    }
    component = RegistryPusher(
        **{name: channel.Channel(type=kind) for name, kind in channels.items()},
        config="{}",
        tracking_uri="sqlite:///x.db",
        artifact_root="",
        container_image="",
        dataset="sample",
        pipeline_config="{}",
        source_hash="abc",
    )
    assert set(component.inputs) == set(channels)
    assert component.outputs["pushed_model"].type is standard_artifacts.PushedModel
    assert component.exec_properties["source_hash"] == "abc"


def test_counts_are_whole_numbers_however_a_backend_hands_them_on() -> None:
    """LocalDagRunner keeps the types of properties, Kubeflow hands on JSON with doubles."""
    local, remote = standard_artifacts.Examples(), standard_artifacts.Examples()
    for name, value in (("users", 600), ("rows_skipped", 0)):
        local.set_int_custom_property(name, value)
        remote.set_json_value_custom_property(name, float(value))
    local.set_string_custom_property("release_format", "latest")
    remote.set_json_value_custom_property("release_format", "latest")
    expected = {"release_format": "latest", "rows_skipped": 0, "users": 600}
    assert counts_of(local) == counts_of(remote) == expected
    assert {type(value) for value in counts_of(remote).values()} == {int, str}
