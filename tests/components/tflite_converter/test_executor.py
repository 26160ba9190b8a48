from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils
from tfx.dsl.components.common.importer import Importer
from tfx.types import standard_artifacts

from components.tflite_converter.component import TFLiteConverter
from components.tflite_converter.costs import Costs
from components.tflite_converter.executor import Executor
from components.tflite_converter.layout import report
from components.tflite_converter.variants import Conversion, Variant
from modules import features
from modules.evaluation.litert import TopKModel
from modules.models.recommender import Recommender
from modules.training.warm_start import WEIGHTS_FOLDER, Origin, Rows, save_weights
from modules.vocabulary import KEY_BASE
from pipeline.config.delivery import ConversionConfig
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig
from pipeline.errors import DataError
from pocketrec_device.gzipped import gzipped
from tests.components.tflite_converter import toy

MOVIE_IDS = [1000 + 7 * i for i in range(toy.MOVIES)]
HISTORY = HistoryConfig(length=toy.LENGTH, stride=3, min_rating=2.5, padding="right")


def write_transform_graph(folder: Path, movie_ids: list[int]) -> None:
    ids = tf.io.FixedLenFeature([toy.LENGTH], tf.int64)
    single = tf.io.FixedLenFeature([1], tf.int64)
    spec = {
        features.CONTEXT_MOVIE_ID: ids,
        features.TARGET_MOVIE_ID: ids,
        features.USER_ID: single,
        features.HISTORY_LENGTH: single,
        features.SEEN_MOVIE_ID: tf.io.VarLenFeature(tf.int64),
    }
    metadata_io.write_metadata(
        dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec)),
        str(folder / "transformed_metadata"),
    )
    assets = folder / "transform_fn" / "assets"
    assets.mkdir(parents=True)
    lines = "".join(f"{9999 - i} {KEY_BASE - movie_id}\n" for i, movie_id in enumerate(movie_ids))
    (assets / features.MOVIE_VOCABULARY).write_text(lines)


def write_windows(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(8)
    with tf.io.TFRecordWriter(str(folder / "windows-0.gz"), options="GZIP") as writer:
        for user in range(count):
            known = random.integers(1, toy.MOVIES, random.integers(1, toy.LENGTH), endpoint=True)
            context = np.pad(known, (0, toy.LENGTH - len(known)))
            target = np.zeros(toy.LENGTH, np.int64)
            target[len(known) - 1] = random.integers(1, toy.MOVIES)
            rows = {
                features.CONTEXT_MOVIE_ID: context,
                features.TARGET_MOVIE_ID: target,
                features.USER_ID: [user],
                features.HISTORY_LENGTH: [len(known)],
                features.SEEN_MOVIE_ID: known,
            }
            example = tf.train.Example()
            for name, values in rows.items():
                example.features.feature[name].int64_list.value.extend(values)
            writer.write(example.SerializeToString())


def artifacts(
    root: Path, saved_model: str, movie_ids: list[int]
) -> tuple[dict[str, list[Any]], standard_artifacts.Model]:
    trained, output = standard_artifacts.Model(), standard_artifacts.Model()
    trained.uri, output.uri = str(root / "trained"), str(root / "output")
    (root / "trained").mkdir()
    shutil.copytree(saved_model, root / "trained" / "Format-Serving")
    graph, examples = standard_artifacts.TransformGraph(), standard_artifacts.Examples()
    graph.uri, examples.uri = str(root / "graph"), str(root / "examples")
    examples.split_names = '["train", "eval"]'
    write_transform_graph(root / "graph", movie_ids)
    write_windows(root / "examples" / "Split-eval", 40)
    inputs: dict[str, list[Any]] = {
        "trained_model": [trained],
        "transform_graph": [graph],
        "examples": [examples],
    }
    return inputs, output


def properties(config: ConversionConfig) -> dict[str, Any]:
    return {
        "config": config.model_dump_json(),
        "history": HISTORY.model_dump_json(),
        "model_config": ModelConfig(dim=toy.DIM).model_dump_json(),
        "source_hash": "0",
    }


@pytest.mark.thorough
def test_the_artifact_is_whole_and_says_what_it_holds(
    saved_model: Callable[[str], str], converted: Callable[[str, str], bytes], tmp_path: Path
) -> None:
    inputs, output = artifacts(tmp_path, saved_model("cnn"), MOVIE_IDS)
    left = tmp_path / "trained" / "Format-Serving" / WEIGHTS_FOLDER
    config_of_model = ModelConfig(dim=4)
    save_weights(
        str(left),
        Recommender(config_of_model, history_length=toy.LENGTH, movies=2),
        Origin(config_of_model, HISTORY, {}, span=6),
        Rows(np.array([5, 6])),
    )
    config = ConversionConfig(
        top_k=toy.TOP_K, variants=("float32", "int8"), gated="int8", parity_windows=25
    )
    Executor().Do(inputs, {"model": [output]}, properties(config))

    root = Path(output.uri)
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert files == [
        "Format-Serving/tflite",
        "conversion.json",
        "movie_vocabulary.txt",
        "training/settings.json",
        "training/weights.npz",
        "variants/float32.tflite",
        "variants/int8.tflite",
    ]
    # What a child process converts is what this one does.
    int8 = (root / "variants/int8.tflite").read_bytes()
    assert int8 == converted("cnn", "int8")
    assert (root / "Format-Serving/tflite").read_bytes() == int8
    lines = (root / "movie_vocabulary.txt").read_text().split("\n")
    assert lines == [*map(str, MOVIE_IDS), ""]

    told = json.loads((root / "conversion.json").read_text())
    assert told["history"] == {
        "length": toy.LENGTH,
        "padding": "right",
        "min_history": 1,
        "min_rating": 2.5,
    }
    assert (told["top_k"], told["movies"], told["gated"]) == (toy.TOP_K, toy.MOVIES, "int8")
    assert told["model"]["dim"] == toy.DIM
    assert told["inputs"] == ["context_movie_id"]
    said = told["variants"]["int8"]
    assert said["file"] == "variants/int8.tflite"
    assert said["bytes"] == said["unzipped_bytes"] == len(int8)
    assert said["sha256"] == hashlib.sha256(int8).hexdigest()
    assert said["windows"] == 25
    assert said["top10_overlap"] > 0.85
    # Measured, so all that is known is that they are.
    assert said["latency_ms"] > 0
    assert isinstance(said["memory_bytes"], int)
    assert said["memory_bytes"] > 0
    assert told["not_made"] == {}
    assert told["variants"]["float32"]["recall_at_10"] == said["keras_recall_at_10"]
    assert output.get_int_custom_property("int8_bytes") == len(int8)
    # What a warm start needs goes on as it is, and tells the span.
    assert {path.name: path.read_bytes() for path in left.iterdir()} == {
        path.name: path.read_bytes() for path in (root / "training").iterdir()
    }
    assert output.get_int_custom_property("span") == 6
    TopKModel(int8, "int8")


def test_a_report_counts_bytes_as_they_ship() -> None:
    content = bytes(range(100)) * 30
    file = Variant(content, top10_overlap=1.0, recall_at_10=0.2, costs=Costs(0.1, 70_000))
    conversion = Conversion({"float32": file, "int8": file}, keras_recall_at_10=0.2, windows=25)
    config = ConversionConfig(variants=("float32", "int8"), gzip=True)
    told = report(conversion, 5, config=config, history=HISTORY, model=ModelConfig())
    assert told["variants"]["int8"]["bytes"] == len(gzipped(content)) < 300
    assert told["variants"]["int8"]["unzipped_bytes"] == 3000


def test_examples_of_another_vocabulary_are_refused(
    saved_model: Callable[[str], str], tmp_path: Path
) -> None:
    inputs, output = artifacts(tmp_path, saved_model("cnn"), MOVIE_IDS[:50])
    with pytest.raises(DataError, match="not of the same run"):
        Executor().Do(inputs, {"model": [output]}, properties(ConversionConfig(top_k=20)))
    assert not Path(output.uri).exists()


def test_the_component_takes_and_gives_models() -> None:
    def channel(kind: type, name: str) -> Any:
        node = Importer(source_uri="/nowhere", artifact_type=kind).with_id(name)
        return node.outputs["result"]

    component = TFLiteConverter(
        model=channel(standard_artifacts.Model, "model"),
        transform_graph=channel(standard_artifacts.TransformGraph, "graph"),
        examples=channel(standard_artifacts.Examples, "examples"),
        **properties(ConversionConfig()),
    )
    assert component.outputs["model"].type is standard_artifacts.Model
    assert sorted(component.inputs) == ["examples", "trained_model", "transform_graph"]
    assert component.exec_properties["source_hash"] == "0"
