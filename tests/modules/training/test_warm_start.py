"""Weights that go from one model to the next: saved, judged, carried over row by row."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from modules.models.item_features import ItemFeatures
from modules.models.recommender import Recommender
from modules.training.data import RunSettings, TrainingData
from modules.training.run import run_fingerprint, train_recommender
from modules.training.warm_start import (
    Origin,
    Rows,
    TrainedWeights,
    WarmStart,
    load_weights,
    save_weights,
)
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig
from pipeline.config.training import WarmStartConfig
from pipeline.errors import ConfigError, DataError
from tests.modules.training.planted import HISTORY, MOVIES, planted_windows, training_config

MODEL = ModelConfig.model_validate(
    {"encoder": {"name": "transformer", "layers": 1}, "dim": 4, "tied": False, "item_bias": True}
)
HELD_OUT = {"split.strategy": "leave_last_out", "min_ratings_per_user": 5}


def origin(config: ModelConfig = MODEL, **changes: Any) -> Origin:
    made = Origin(config, HistoryConfig(length=6, stride=3), HELD_OUT, span=1)
    return dataclasses.replace(made, **changes)


def rows(*movie_ids: int, features: tuple[str, ...] = ()) -> Rows:
    return Rows(np.array(movie_ids, np.int64), features)


def made(
    movies: int, *, seed: int, config: ModelConfig = MODEL, length: int = 6, genres: str = ""
) -> Recommender:
    keras.utils.set_random_seed(seed)
    features = None
    if genres:
        names = tuple(f"genres {name}" for name in genres.split())
        features = ItemFeatures(names, np.ones((movies + 1, len(names)), np.float32))
    return Recommender(config, history_length=length, movies=movies, item_features=features)


def saved(folder: Path, model: Recommender, source: Origin, known: Rows) -> TrainedWeights:
    save_weights(str(folder), model, source, known)
    return load_weights(str(folder))


def warm(
    weights: TrainedWeights, known: Rows, *, on_mismatch: str = "fail", **changes: Any
) -> WarmStart:
    config = WarmStartConfig.model_validate({"on_mismatch": on_mismatch})
    return WarmStart(weights, config, origin(**{"span": 2, **changes}), known)


def values(model: Recommender) -> dict[str, np.ndarray[Any, Any]]:
    return {variable.path: np.array(variable) for variable in model.trainable_variables}


def test_rows_go_by_movie_and_all_else_as_it_is(tmp_path: Path) -> None:
    before = made(3, seed=1)
    for table in before.movie_tables:
        # Apart from any initial value: zeros among them.
        table.assign(np.array(table) + 7)
    weights = saved(tmp_path / "w", before, origin(), rows(30, 10, 20))
    after, fresh = made(4, seed=2), values(made(4, seed=2))

    said = warm(weights, rows(10, 99, 30, 98)).begin(after)

    assert said == "warm start from the blessed model of span 1: 2 of 4 movies are known"
    old, new = values(before), values(after)
    assert set(new) == set(old)
    tables = {table.path for table in after.movie_tables}
    assert len(tables) == 3
    for path, value in new.items():
        if path not in tables:
            assert np.array_equal(value, old[path])
            continue
        # 10 and 30 are the second and the first of the earlier model.
        assert np.array_equal(value[[1, 3]], old[path][[2, 1]])
        # Padding and new movies are as in a new model.
        assert np.array_equal(value[[0, 2, 4]], fresh[path][[0, 2, 4]])


def test_codes_that_do_not_learn_go_by_movie_too(tmp_path: Path) -> None:
    table = {"name": "codebooks", "books": 2, "codes": 3, "assignment": "teacher"}
    config = ModelConfig.model_validate({"dim": 4, "item_table": table})
    before = made(5, seed=1, config=config)
    [codes] = before.non_trainable_variables
    codes.assign(np.array([[0, 0], [0, 1], [1, 2], [2, 0], [2, 2], [1, 1]], np.uint8))
    weights = saved(tmp_path / "w", before, origin(config), rows(10, 20, 30, 40, 50))
    after = made(5, seed=2, config=config)

    warm(weights, rows(50, 40, 30, 20, 10), model=config).begin(after)

    [codes] = after.non_trainable_variables
    assert np.array(codes)[1:].tolist() == [[1, 1], [2, 2], [2, 0], [1, 2], [0, 1]]
    np.testing.assert_array_equal(after.scoring_table()[1:], before.scoring_table()[:0:-1])


def test_rows_that_share_weights_go_with_the_same_movies_alone(tmp_path: Path) -> None:
    table = {"name": "semi_tensor", "rank": 4}
    config = ModelConfig.model_validate({"dim": 4, "item_table": table})
    before = made(3, seed=1, config=config)
    weights = saved(tmp_path / "w", before, origin(config), rows(30, 10, 20))
    after = made(3, seed=2, config=config)
    with pytest.raises(ConfigError, match=r"semi_tensor share their weights.*vocabulary has"):
        warm(weights, rows(10, 30, 20), model=config).begin(after)
    warm(weights, rows(30, 10, 20), model=config).begin(after)
    np.testing.assert_array_equal(after.scoring_table(), before.scoring_table())


def test_item_features_go_by_name(tmp_path: Path) -> None:
    config = ModelConfig.model_validate({"dim": 4, "item_features": {"genres": True}})
    before = made(2, seed=1, config=config, genres="Action Drama")
    [table] = before.feature_tables
    table.assign([[1.0] * 4, [2.0] * 4])
    known = ("genres Action", "genres Drama")
    weights = saved(tmp_path / "w", before, origin(config), rows(1, 2, features=known))
    after = made(2, seed=2, config=config, genres="Comedy Drama War")

    named = rows(1, 2, features=("genres Comedy", "genres Drama", "genres War"))
    warm(weights, named, model=config).begin(after)

    [table] = after.feature_tables
    assert np.array(table).tolist() == [[0.0] * 4, [2.0] * 4, [0.0] * 4]


def test_the_same_model_is_saved_in_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_weights(str(tmp_path / name), made(3, seed=5), origin(), rows(1, 2, 3))
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two
    assert set(one) == {"weights.npz", "settings.json"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": MODEL.model_copy(update={"dim": 8})}, "model.dim is 8, was 4"),
        (
            {"model": MODEL.model_copy(update={"scoring": "cosine"})},
            "model.scoring is 'cosine', was 'dot'",
        ),
        (
            {"held_out": {**HELD_OUT, "split.strategy": "temporal"}},
            "split.strategy is 'temporal', was 'leave_last_out', so it may have learned",
        ),
        (
            {"history": HistoryConfig(length=6, stride=3, min_rating=3.0)},
            "history.min_rating is 3.0, was 0.0, so it may have learned",
        ),
        ({"span": 0}, "it was trained on span 1, later than 0, so it may have learned"),
    ],
)
def test_settings_that_do_not_go_together_are_named(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    weights = saved(tmp_path / "w", made(3, seed=1), origin(), rows(1, 2, 3))
    model = made(3, seed=2, config=changes.get("model", MODEL))
    untouched = values(model)

    with pytest.raises(ConfigError) as error:
        warm(weights, rows(1, 2, 3), **changes).begin(model)
    assert reason in str(error.value)
    assert "training.warm_start.on_mismatch=fresh" in str(error.value)

    said = warm(weights, rows(1, 2, 3), on_mismatch="fresh", **changes).begin(model)
    assert said.startswith("no warm start: ")
    assert reason in said
    for path, value in values(model).items():
        assert np.array_equal(value, untouched[path])


def test_weights_of_another_shape_are_named(tmp_path: Path) -> None:
    weights = saved(tmp_path / "w", made(3, seed=1, length=9), origin(), rows(1, 2, 3))
    with pytest.raises(ConfigError, match=r"is \[6, 4\], was \[9, 4\] \(history.length is 6"):
        warm(weights, rows(1, 2, 3)).begin(made(3, seed=2))


def test_what_only_training_reads_may_differ(tmp_path: Path) -> None:
    weights = saved(tmp_path / "w", made(3, seed=1), origin(), rows(1, 2, 3))
    config = MODEL.model_copy(update={"dropout": 0.5, "initial_std": 0.1})
    said = warm(weights, rows(1, 2, 3), model=config).begin(made(3, seed=2, config=config))
    assert "3 of 3 movies are known" in said


def test_weights_that_are_missing_or_damaged_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"settings\.json: there is no such file"):
        load_weights(str(tmp_path))
    save_weights(str(tmp_path), made(3, seed=1), origin(), rows(1, 2, 3))
    content = (tmp_path / "weights.npz").read_bytes()
    (tmp_path / "weights.npz").write_bytes(content[:-9])
    with pytest.raises(DataError, match="is not the file that"):
        load_weights(str(tmp_path))
    (tmp_path / "weights.npz").write_bytes(content)
    settings = json.loads((tmp_path / "settings.json").read_text())
    settings["kinds"] = settings["kinds"][1:]
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(DataError, match="arrays of the kinds"):
        load_weights(str(tmp_path))


@pytest.mark.thorough
def test_a_run_goes_on_with_what_the_one_before_learned(tmp_path: Path) -> None:
    model = ModelConfig.model_validate(
        {"encoder": {"name": "cnn", "layers": 1, "kernel": 2}, "dim": 8, "initial_std": 0.35}
    )
    history = HistoryConfig(length=HISTORY, stride=HISTORY)
    settings = RunSettings(model, training_config(max_epochs=12), history, 1, "0")
    data = TrainingData(planted_windows(75), planted_windows(30, held_out=True), MOVIES)
    vocabulary = rows(*range(1, MOVIES + 1))

    def train(name: str, epochs: int, start: WarmStart | None = None) -> Any:
        training = training_config(max_epochs=epochs)
        return train_recommender(
            dataclasses.replace(settings, training=training),
            data,
            checkpoint_root=tmp_path / name,
            log_folder=tmp_path / name / "logs",
            start=start,
        )

    first = train("first", 12)
    weights = saved(tmp_path / "w", first.model, origin(model, history=history), vocabulary)
    start = warm(weights, vocabulary, model=model, history=history)

    warm_run, cold_run = train("warm", 1, start), train("cold", 1)

    assert warm_run.history[0]["loss"] < 0.7 * cold_run.history[0]["loss"]
    again = train("again", 1, start)
    for one, two in zip(
        warm_run.model.trainable_variables, again.model.trainable_variables, strict=True
    ):
        assert np.array_equal(np.array(one), np.array(two))
    # Checkpoints of runs that begin otherwise are not mixed up.
    other = warm(weights, rows(*range(2, MOVIES + 2)), model=model, history=history)
    names = {run_fingerprint(settings, data, begin) for begin in (None, start, other)}
    assert len(names) == 3
