"""Teachers that were trained before: what makes one unfit; a fit one is the model that it was."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from modules.models.history import Context
from modules.models.item_features import ItemFeatures
from modules.models.recommender import Recommender
from modules.training.columns import needed_columns
from modules.training.data import RunSettings, TrainingData, teacher_models
from modules.training.given_teacher import GivenTeacher, read_given_teachers
from modules.training.run import TrainedRun, run_fingerprint, train_recommender
from modules.training.warm_start import Origin, Rows, save_weights, weights_folder
from pipeline.config.history import HistoryConfig
from pipeline.config.model import CnnConfig, ModelConfig
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError, DataError
from tests.modules.training.planted import HISTORY, MOVIES, planted_windows, training_config

CNN = ModelConfig(encoder=CnnConfig(layers=1, kernel=2), dim=12)
HELD_OUT = {"split.strategy": "leave_last_out", "min_ratings_per_user": 5}
IDS = np.arange(101, 101 + MOVIES)


def origin(model: ModelConfig = CNN, **changes: Any) -> Origin:
    made = Origin(model, HistoryConfig(length=HISTORY, stride=HISTORY), HELD_OUT, span=1)
    return dataclasses.replace(made, **changes)


def made(model: ModelConfig = CNN, *, length: int = HISTORY, seed: int = 5) -> Recommender:
    keras.utils.set_random_seed(seed)
    features = None
    if model.item_features.any:
        features = ItemFeatures(("genres Odd",), np.ones((MOVIES + 1, 1), np.float32))
    return Recommender(model, history_length=length, movies=MOVIES, item_features=features)


def saved(
    folder: Path,
    source: Origin | None = None,
    *,
    ids: Any = IDS,
    length: int = HISTORY,
    features: tuple[str, ...] = (),
) -> str:
    source = source or origin()
    save_weights(str(folder), made(source.model, length=length), source, Rows(ids, features))
    return str(folder)


def config(*teachers: dict[str, Any], **settings: Any) -> TrainingConfig:
    return training_config(distillation={"teachers": list(teachers)}, **settings)


def read(folder: str, now: Origin | None = None, **settings: Any) -> GivenTeacher:
    training = config({"folder": folder}, **settings)
    [given] = read_given_teachers(training, now or origin(), IDS, None)
    assert given is not None
    return given


def test_the_model_is_the_one_that_was_saved(tmp_path: Path) -> None:
    # Its settings need not be those of this run's own model.
    given = read(saved(tmp_path / "w"), origin(ModelConfig(dim=4)))
    model = given.model(history_length=HISTORY, movies=MOVIES, item_features=None)
    context = Context(planted_windows(3).context)
    np.testing.assert_array_equal(model(context), made()(context))
    np.testing.assert_array_equal(model.scoring_table(), made().scoring_table())
    assert model.config == CNN


@pytest.mark.parametrize("named", [".", "training", "bundle", "elsewhere-bundle"])
def test_weights_are_found_by_what_lies_beside_them(tmp_path: Path, named: str) -> None:
    # A version of MLflow's layout, and one whose bundle is named by its content.
    beside = "training-elsewhere-bundle" if named.startswith("elsewhere") else "training"
    wanted = saved(tmp_path / beside)
    (tmp_path / named).mkdir(exist_ok=True)
    assert Path(weights_folder(str(tmp_path / named))) == Path(wanted)


def test_a_step_hands_them_over_by_place(tmp_path: Path) -> None:
    saved(tmp_path / "2/training")
    training = config({"model": {"dim": 4}}, {"registered": 7})
    nothing, given = read_given_teachers(training, origin(), IDS, str(tmp_path))
    assert nothing is None
    assert given is not None
    assert (given.place, given.name) == (2, "version 7 of the registry")
    assert [model.dim for model in teacher_models(training, [nothing, given])] == [4, 12]
    with pytest.raises(ValueError, match="was not read"):
        teacher_models(training, ())


def test_without_that_step_a_version_cannot_be_had() -> None:
    with pytest.raises(ConfigError, match=r"teacher 1, the registry's champion, .*folder: PATH"):
        read_given_teachers(config({"registered": "champion"}), origin(), IDS, None)


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{tmp_path}/settings.json: .*distillation.teachers"):
        read(str(tmp_path))


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    folder = saved(tmp_path / "w")
    with Path(folder, "weights.npz").open("ab") as file:
        file.write(b"more")
    with pytest.raises(DataError, match=r"training weights are damaged.*have one trained"):
        read(folder)


def swapped(*places: int) -> Any:
    ids = IDS.copy()
    ids[list(places)] = ids[list(reversed(places))]
    return ids


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        (
            swapped(1, 4),
            "2 of 20 ids stand for other movies, as id 2: movie 102 here, movie 105 there",
        ),
        (IDS + 1000, "20 of 20 ids stand for other movies, as id 1: movie 101 here, movie 1101"),
        # One movie fewer: its table would have too few rows.
        (IDS[:-1], "1 of 20 ids stand for other movies, as id 20: movie 120 here, no movie there"),
        (np.append(IDS, 7), "1 of 21 ids stand for other movies, as id 21: no movie here, movie 7"),
    ],
)
def test_another_vocabulary_is_refused(tmp_path: Path, ids: Any, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(saved(tmp_path / "w", ids=ids))
    assert f"teacher 1, {tmp_path}/w, cannot teach this run's model: " in str(caught.value)
    assert reason in str(caught.value)
    assert "Take another teacher, or go back to its settings and data" in str(caught.value)


@pytest.mark.parametrize(
    ("was", "reason"),
    [
        (
            {"held_out": {**HELD_OUT, "split.strategy": "temporal"}},
            "split.strategy is 'leave_last_out', was 'temporal', so it may have learned what is "
            "held out now",
        ),
        (
            {"held_out": {**HELD_OUT, "min_ratings_per_user": 2}},
            "min_ratings_per_user is 5, was 2, so it may have learned",
        ),
        (
            {"history": HistoryConfig(length=HISTORY, stride=HISTORY, min_rating=3.0)},
            "history.min_rating is 0.0, was 3.0, so it may have learned",
        ),
        ({"span": 2}, "it was trained on span 2, later than 1, so it may have learned"),
        (
            {"history": HistoryConfig(length=9, stride=9)},
            "it reads histories of 9 events (history.length), and windows of this run have 6",
        ),
    ],
)
def test_what_it_may_have_seen_and_what_is_too_long_is_refused(
    tmp_path: Path, was: dict[str, Any], reason: str
) -> None:
    folder = saved(tmp_path / "w", origin(**was))
    with pytest.raises(ConfigError) as caught:
        read(folder)
    assert reason in str(caught.value)


def test_longer_windows_hold_a_longer_history(tmp_path: Path) -> None:
    folder = saved(tmp_path / "w", origin(history=HistoryConfig(length=9, stride=9)))
    assert read(folder, window_length=9)


def test_weights_of_other_positions_are_refused(tmp_path: Path) -> None:
    model = ModelConfig.model_validate({"encoder": {"name": "transformer"}, "dim": 4})
    given = read(saved(tmp_path / "w", origin(model), length=9))
    with pytest.raises(ConfigError, match=r"is \[9, 4\], windows of 6 events make it \[6, 4\]"):
        given.model(history_length=HISTORY, movies=MOVIES, item_features=None)


def test_another_catalogue_is_refused(tmp_path: Path) -> None:
    model = ModelConfig.model_validate({"dim": 4, "item_features": {"genres": True}})
    given = read(saved(tmp_path / "w", origin(model), features=("genres Odd",)))
    values = np.ones((MOVIES + 1, 2), np.float32)

    def features(*names: str) -> ItemFeatures:
        return ItemFeatures(names, values[:, : len(names)])

    def model_with(*names: str) -> Recommender:
        found = features(*names)
        return given.model(history_length=HISTORY, movies=MOVIES, item_features=found)

    assert model_with("genres Odd").feature_tables
    with pytest.raises(ConfigError, match="another catalogue: 1 differ, as 'genres War'"):
        model_with("genres Odd", "genres War")


def test_inputs_that_the_windows_lack_are_named(tmp_path: Path) -> None:
    reads = {
        "event_features": {"rating": True, "gap": True},
        "user_features": {"gender": True, "age": True},
    }
    model = ModelConfig.model_validate({"dim": 4, **reads})
    given = read(saved(tmp_path / "w", origin(model)))
    assert needed_columns(ModelConfig(), TrainingConfig(), [model]) == (True, True, True)
    windows = planted_windows(4)
    with pytest.raises(ConfigError, match="ratings, times, the users' gender, the users' age"):
        given.check_windows(windows)
    ones = np.ones((4, HISTORY), np.float32)
    # A release that does not tell the age: its column is there, and says so of everybody.
    user = np.array([[1, 0, 3]] * 4, np.int32)
    told = dataclasses.replace(
        windows, rating=ones, time=np.ones((4, HISTORY + 1), np.int32), user=user
    )
    with pytest.raises(ConfigError, match="it reads the users' age, which this run's windows have"):
        given.check_windows(told)
    given.check_windows(dataclasses.replace(told, user=user + 1))


def student(*teachers: dict[str, Any]) -> RunSettings:
    training = config(*teachers, max_epochs=1)
    history = HistoryConfig(length=HISTORY, stride=HISTORY)
    return RunSettings(ModelConfig(dim=8), training, history, 1, "0")


def data(settings: RunSettings) -> TrainingData:
    given = read_given_teachers(settings.training, origin(), IDS, None)
    return TrainingData(
        planted_windows(75),
        planted_windows(30, held_out=True),
        MOVIES,
        teachers_item_features=[None] * len(given),
        given_teachers=given,
    )


def train(settings: RunSettings, folder: Path) -> TrainedRun:
    return train_recommender(
        settings,
        data(settings),
        checkpoint_root=folder / "checkpoints",
        log_folder=folder / "logs",
    )


@pytest.mark.thorough
def test_it_teaches_as_it_did_where_it_was_trained_in_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = {"model": CNN.model_dump(), "training": {"max_epochs": 1}}
    whole = train(student(trained), tmp_path / "whole")
    teacher = made()
    stored = whole.teachers[0].store.load()
    assert stored is not None
    best = stored[1][-len(teacher.trainable_variables) :]
    for variable, value in zip(teacher.trainable_variables, best, strict=True):
        variable.assign(value)
    folder = tmp_path / "w"
    save_weights(str(folder), teacher, origin(), Rows(IDS))
    capsys.readouterr()

    read_again = train(student({"folder": str(folder)}), tmp_path / "read")

    assert read_again.teachers == []
    shown = capsys.readouterr().out
    assert f"teacher 1/1: {folder}, trained before" in shown
    assert "teacher 1/1: epoch" not in shown
    for one, other in zip(
        whole.model.trainable_variables, read_again.model.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_its_weights_name_the_run(tmp_path: Path) -> None:
    settings = student({"folder": saved(tmp_path / "w")})
    first = run_fingerprint(settings, data(settings))
    assert run_fingerprint(settings, data(settings)) == first
    save_weights(str(tmp_path / "w"), made(seed=6), origin(), Rows(IDS))
    assert run_fingerprint(settings, data(settings)) != first
