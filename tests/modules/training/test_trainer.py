from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from components.movielens_example_gen.catalogue import Movie
from components.movielens_example_gen.examples import encode_movies
from modules import trainer
from modules.models.item_features import ItemFeatures
from modules.training.data import RunSettings, TrainingData, read_training_data
from modules.training.run import run_fingerprint
from modules.vocabulary import KEY_BASE
from pipeline.config.delivery import ConversionConfig
from pipeline.config.history import HistoryConfig
from pipeline.config.model import BowConfig, CnnConfig, ItemFeaturesConfig, ModelConfig
from pipeline.errors import ConfigError
from tests.modules.training.planted import HISTORY, MOVIES, planted_windows, training_config


def write_split(folder: Path, count: int, *, held_out: bool) -> None:
    """Writes planted windows as Transform does."""
    folder.mkdir(parents=True)
    windows = planted_windows(count, held_out=held_out)
    path = str(folder / "transformed_examples-00000-of-00001.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions("GZIP")) as writer:
        for user, (context, target) in enumerate(zip(windows.context, windows.target, strict=True)):
            lists = {
                "context_movie_id": context,
                "target_movie_id": target,
                "user_id": [user],
                "history_length": [HISTORY],
                "seen_movie_id": context if held_out else [],
            }
            feature = {
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
                for name, values in lists.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


@pytest.fixture
def arguments(tmp_path: Path) -> SimpleNamespace:
    """What TFX's Trainer hands over: examples, a transform graph, settings as JSON."""
    write_split(tmp_path / "examples/Split-train", 75, held_out=False)
    write_split(tmp_path / "examples/Split-eval", 30, held_out=True)
    spec = {
        "context_movie_id": tf.io.FixedLenFeature([HISTORY], tf.int64),
        "target_movie_id": tf.io.FixedLenFeature([HISTORY], tf.int64),
        "user_id": tf.io.FixedLenFeature([1], tf.int64),
        "history_length": tf.io.FixedLenFeature([1], tf.int64),
        "seen_movie_id": tf.io.VarLenFeature(tf.int64),
    }
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    graph = tmp_path / "graph"
    metadata_io.write_metadata(metadata, str(graph / "transformed_metadata"))
    assets = graph / "transform_fn/assets"
    assets.mkdir(parents=True)
    lines = [f"{MOVIES - index} {KEY_BASE - 100 - index}\n" for index in range(MOVIES)]
    (assets / "movie_vocabulary").write_text("".join(lines))
    model = ModelConfig(encoder=CnnConfig(layers=1, kernel=2), dim=8, initial_std=0.35)
    return SimpleNamespace(
        train_files=[str(tmp_path / "examples/Split-train/*")],
        eval_files=[str(tmp_path / "examples/Split-eval/*")],
        transform_graph_path=str(graph),
        serving_model_dir=str(tmp_path / "model/Format-Serving"),
        model_run_dir=str(tmp_path / "run"),
        hyperparameters=None,
        custom_config={
            "model": model.model_dump_json(),
            "training": training_config(max_epochs=20, patience=20).model_dump_json(),
            "history": HistoryConfig(length=HISTORY, stride=HISTORY).model_dump_json(),
            "conversion": ConversionConfig(top_k=10).model_dump_json(),
            "held_out": '{"split": {"strategy": "leave_last_out"}, "min_ratings_per_user": 5}',
            "seed": 1,
            "checkpoint_root": str(tmp_path / "checkpoints"),
            "source_hash": "0",
        },
    )


def test_trains_exports_and_cleans_up(arguments: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    trainer.run_fn(arguments)
    served = tf.saved_model.load(arguments.serving_model_dir).signatures["serving_default"]
    answer = served(context_movie_id=tf.constant([[3, 4, 5, 6, 7, 8]], tf.int32))
    assert answer["top_prediction_ids"].shape == (1, 10)
    assert 9 in answer["top_prediction_ids"].numpy()[0, :3]
    history = json.loads((tmp_path / "run/history.json").read_text())
    assert len(history) == 20
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.thorough
def test_a_warm_start_begins_with_what_an_earlier_run_left(
    arguments: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    custom = arguments.custom_config
    custom["span"] = 1
    custom["training"] = training_config(max_epochs=1).model_dump_json()
    trainer.run_fn(arguments)
    # As the converter hands it on.
    base = tmp_path / "converted"
    left = Path(arguments.serving_model_dir) / "assets.extra" / "training"
    shutil.copytree(left, base / "training")

    custom["training"] = training_config(max_epochs=1, warm_start={}).model_dump_json()
    arguments.serving_model_dir = str(tmp_path / "second/Format-Serving")
    trainer.run_fn(arguments)
    assert "no model of an earlier span is blessed" in capsys.readouterr().out

    custom |= {"span": 2, "base_model": str(base)}
    arguments.serving_model_dir = str(tmp_path / "third/Format-Serving")
    trainer.run_fn(arguments)
    said = capsys.readouterr().out
    assert f"warm start from the blessed model of span 1: {MOVIES} of {MOVIES} movies" in said

    del custom["span"]
    with pytest.raises(ConfigError, match="this data has none"):
        trainer.run_fn(arguments)


def write_catalogue(folder: Path) -> str:
    """Lists the planted movies: the genre of movie 100 + i, which has vocabulary id i + 1."""
    folder.mkdir()
    movies = [
        Movie(100 + index, f"{index} (1990)", ("Odd" if index % 2 else "Even",), 1990)
        for index in range(MOVIES)
    ]
    with tf.io.TFRecordWriter(str(folder / "movies.gz"), options="GZIP") as writer:
        for record in encode_movies(movies):
            writer.write(record)
    return str(folder)


def test_item_features_come_from_the_catalogue(arguments: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    custom = arguments.custom_config
    model = ModelConfig.model_validate_json(custom["model"])
    model = model.model_copy(update={"item_features": ItemFeaturesConfig(genres=True)})
    custom["model"] = model.model_dump_json()
    custom["training"] = training_config(max_epochs=1).model_dump_json()
    with pytest.raises(ConfigError, match=r"custom_config\['catalogue'\]"):
        trainer.run_fn(arguments)

    custom["catalogue"] = write_catalogue(tmp_path / "catalogue")
    data = read_training_data(
        trainer.run_settings(custom),
        train_files=arguments.train_files,
        eval_files=arguments.eval_files,
        transform_graph=arguments.transform_graph_path,
        catalogue=custom["catalogue"],
    )
    assert data.item_features is not None
    assert data.item_features.names == ("genres Even", "genres Odd")
    assert data.item_features.values[:4].tolist() == [[0, 0], [1, 0], [0, 1], [1, 0]]
    trainer.run_fn(arguments)
    assert (tmp_path / "model/Format-Serving/saved_model.pb").exists()


@pytest.mark.slow
def test_a_run_killed_in_the_export_is_not_trained_again(
    arguments: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("modules.models.serving.export", killed)
        with pytest.raises(KeyboardInterrupt):
            trainer.run_fn(arguments)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1

    def trained_again(*_: object, **__: object) -> None:
        raise AssertionError("made an update")

    with monkeypatch.context() as patched:
        patched.setattr("modules.training.update.Updater.__call__", trained_again)
        trainer.run_fn(arguments)
    assert (tmp_path / "model/Format-Serving/saved_model.pb").exists()


def test_a_catalogue_too_small_is_known_before_training(arguments: SimpleNamespace) -> None:
    arguments.custom_config["conversion"] = ConversionConfig(top_k=15).model_dump_json()
    with pytest.raises(ConfigError, match="top_k"):
        trainer.run_fn(arguments)
    assert not Path(arguments.model_run_dir).exists()


def test_the_fingerprint_follows_all_that_shapes_the_weights() -> None:
    train, held_out = planted_windows(5), planted_windows(3, held_out=True)
    settings = RunSettings(
        model=ModelConfig(),
        training=training_config(),
        history=HistoryConfig(),
        seed=1,
        source_hash="0",
    )
    data = TrainingData(train, held_out, MOVIES)

    def name(**changes: Any) -> str:
        return run_fingerprint(dataclasses.replace(settings, **changes), data)

    def with_features(value: float) -> str:
        values = np.full((MOVIES + 1, 1), value, np.float32)
        features = ItemFeatures(("genres Odd",), values)
        return run_fingerprint(settings, dataclasses.replace(data, item_features=features))

    others = [
        name(seed=2),
        name(source_hash="1"),
        name(model=ModelConfig(encoder=BowConfig())),
        name(training=training_config(batch_size=11)),
        name(history=HistoryConfig(length=9, stride=3)),
        run_fingerprint(settings, dataclasses.replace(data, train=held_out)),
        run_fingerprint(settings, dataclasses.replace(data, held_out=train)),
        run_fingerprint(settings, dataclasses.replace(data, movies=MOVIES + 1)),
        with_features(0),
        with_features(1),
    ]
    assert name() == name()
    assert len({name(), *others}) == len(others) + 1
    assert np.char.isalnum(name())


def test_only_what_shapes_the_weights_names_a_run() -> None:
    custom = {
        "model": ModelConfig().model_dump_json(),
        "training": training_config().model_dump_json(),
        "history": HistoryConfig().model_dump_json(),
        "conversion": ConversionConfig().model_dump_json(),
        "seed": 1,
        "checkpoint_root": "somewhere",
        "source_hash": "0",
    }
    moved = {**custom, "checkpoint_root": "elsewhere", "conversion": "another"}
    assert trainer.run_settings(moved) == trainer.run_settings(custom)
