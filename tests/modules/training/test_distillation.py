"""Teachers first, then the student: on planted windows, through the run that TFX calls."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules.models.history import Context
from modules.models.item_features import ItemFeatures
from modules.models.recommender import Recommender
from modules.training.columns import needed_columns
from modules.training.data import RunSettings, TrainingData
from modules.training.run import TrainedRun, run_fingerprint, train_recommender
from modules.training.teacher import Teacher, ensemble, teacher_contexts
from modules.training.update import Updater
from pipeline.config.history import HistoryConfig
from pipeline.config.model import CnnConfig, ModelConfig
from pipeline.config.root import load_config
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError
from tests.modules.training import planted
from tests.modules.training.planted import HISTORY, MOVIES, planted_windows, training_config

CNN = {"encoder": {"name": "cnn", "layers": 1, "kernel": 2}, "dim": 12}
BOW = {"encoder": {"name": "bow"}, "dim": 8, "item_bias": True}


class Killed(BaseException):
    """The end of a process."""


def run_settings(*teachers: dict[str, Any], weight: float = 0.5, **training: object) -> RunSettings:
    """A student of two epochs, of a cosine CNN that is never given more."""
    distillation = {"weight": weight, "temperature": 2.0, "teachers": teachers}
    return RunSettings(
        model=ModelConfig(encoder=CnnConfig(layers=1, kernel=2), dim=8, scoring="cosine"),
        training=training_config(
            **{"max_epochs": 2, "distillation": distillation if teachers else None, **training}
        ),
        history=HistoryConfig(length=HISTORY, stride=HISTORY),
        seed=1,
        source_hash="0",
    )


def data(settings: RunSettings) -> TrainingData:
    return TrainingData(
        planted_windows(75),
        planted_windows(30, held_out=True),
        MOVIES,
        teachers_item_features=[None] * len(settings.training.teachers),
    )


def train(settings: RunSettings, folder: Path) -> TrainedRun:
    return train_recommender(
        settings,
        data(settings),
        checkpoint_root=folder / "checkpoints",
        log_folder=folder / "logs",
    )


def weights(run: TrainedRun) -> list[Any]:
    return [weight.numpy() for weight in run.model.trainable_variables]


def trained_teacher() -> dict[str, Any]:
    return {"model": CNN, "training": {"max_epochs": 12, "patience": 12}}


def test_contexts_and_table_give_the_scores_of_all_targets() -> None:
    keras.utils.set_random_seed(1)
    config = ModelConfig(encoder=CnnConfig(layers=1, kernel=2), dim=8, item_bias=True, dropout=0.5)
    model = Recommender(config, history_length=HISTORY, movies=MOVIES)
    bias = np.linspace(-1, 1, MOVIES + 1).astype(np.float32)
    next(v for v in model.trainable_variables if v.name == "item_bias").assign(bias)
    windows = planted_windows(7)
    windows.target[2, :3] = 0
    windows.target[4, 5] = 0

    contexts, table = teacher_contexts(model, windows, xla=False)

    assert contexts.dtype == np.float16
    assert len(contexts) == 7 * HISTORY - 4
    expected = tf.matmul(
        model(Context(windows.context)), model.scoring_table(), transpose_b=True
    ).numpy()
    expected = (expected + bias)[windows.target > 0]
    np.testing.assert_allclose(contexts.astype(np.float32) @ table.T, expected, atol=5e-3)
    compiled = teacher_contexts(model, windows).contexts.astype(np.float32)
    np.testing.assert_allclose(compiled, contexts.astype(np.float32), atol=2e-3)


def test_windows_are_encoded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(1)
    model = Recommender(ModelConfig(dim=8), history_length=HISTORY, movies=MOVIES)
    windows = planted_windows(7)
    whole = teacher_contexts(model, windows, xla=False)
    monkeypatch.setattr("modules.training.teacher._EVENTS", 3 * HISTORY)
    parts = teacher_contexts(model, windows, xla=False)
    np.testing.assert_allclose(parts.contexts, whole.contexts, atol=1e-3)


def test_contexts_too_long_for_float16_are_refused() -> None:
    model = Recommender(
        ModelConfig(dim=8, scoring="cosine", cosine_scale=1e6),
        history_length=HISTORY,
        movies=MOVIES,
    )
    with pytest.raises(ConfigError, match=r"exceed float16.*cosine_scale \(1000000"):
        teacher_contexts(model, planted_windows(2), xla=False)


def test_several_teachers_are_the_mean_of_their_scores() -> None:
    rng = np.random.default_rng(0)
    teachers = [
        Teacher(
            rng.normal(size=(5, width)).astype(np.float16),
            rng.normal(size=(4, width)).astype(np.float32),
        )
        for width in (2, 3)
    ]

    def scores(teacher: Teacher) -> Any:
        return teacher.contexts.astype(np.float32) @ teacher.table.T

    joined = ensemble(teachers)
    mean = (scores(teachers[0]) + scores(teachers[1])) / 2
    np.testing.assert_allclose(scores(joined), mean, atol=1e-5)
    assert ensemble(teachers[:1]) is teachers[0]
    assert np.abs(mean).max() <= joined.score_bound


@pytest.mark.thorough
def test_a_student_learns_what_its_teacher_knows(tmp_path: Path) -> None:
    alone = train(run_settings(), tmp_path / "alone")
    settings = run_settings(trained_teacher(), weight=0.9)
    taught = train(settings, tmp_path / "taught")

    # The ranking of all movies: after movie m comes m + 1, and then the teacher's second choice.
    windows = planted_windows(75)
    stored = taught.teachers[0].store.load()
    assert stored is not None
    assert len(stored[0].history) == 12
    teacher = Recommender(
        settings.training.new_teachers[0].model, history_length=HISTORY, movies=MOVIES
    )
    best = stored[1][-len(teacher.trainable_variables) :]
    for variable, value in zip(teacher.trainable_variables, best, strict=True):
        variable.assign(value)

    def log_softmax(model: Recommender) -> Any:
        contexts, table = teacher_contexts(model, windows, xla=False)
        return tf.nn.log_softmax(contexts.astype(np.float32) @ table[1:].T / 2).numpy()

    wanted = log_softmax(teacher)

    def divergence(run: TrainedRun) -> float:
        return float(np.mean(np.sum(np.exp(wanted) * (wanted - log_softmax(run.model)), axis=1)))

    assert divergence(taught) < 0.7 * divergence(alone)
    assert taught.model.config == settings.model


@pytest.mark.thorough
def test_reports_teachers_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = run_settings(
        {"model": CNN, "training": {"max_epochs": 1}},
        {"model": BOW, "training": {"max_epochs": 3, "optimizer": {"learning_rate": 0.01}}},
    )
    train(settings, tmp_path)
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(" on ")[0] for line in shown if "training " in line] == [
        "teacher 1/2: training cnn",
        "teacher 2/2: training bow",
        "training cnn",
    ]
    assert "teacher 2/2: its vectors of 450 targets are 0 MB, 9 numbers each" in shown
    assert sum(line.startswith("teacher 2/2: epoch ") for line in shown) == 3
    assert sum(line.startswith("epoch ") for line in shown) == 2
    logs = tmp_path / "logs"
    epochs = {
        str(file.parent.relative_to(logs)): len(json.loads(file.read_text()))
        for file in logs.rglob("history.json")
    }
    assert epochs == {".": 2, "teacher_1": 1, "teacher_2": 3}


@pytest.mark.slow
def test_same_seed_same_student_and_all_that_shapes_it_counts(tmp_path: Path) -> None:
    short = {"model": CNN, "training": {"max_epochs": 1}}
    first = weights(train(run_settings(short), tmp_path / "first"))
    again = weights(train(run_settings(short), tmp_path / "again"))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    longer = {**short, "seed": 3}
    differs = weights(train(run_settings(longer), tmp_path / "differs"))
    assert np.abs(first[0] - differs[0]).max() > 1e-4
    names = {
        run_fingerprint(settings, data(settings))
        for settings in (
            run_settings(),
            run_settings(short),
            run_settings(longer),
            run_settings(short, weight=0.6),
            run_settings(short, longer),
        )
    }
    assert len(names) == 5


@pytest.mark.slow
def test_a_run_killed_in_the_students_part_trains_no_teacher_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = run_settings({"model": CNN, "training": {"max_epochs": 1}})
    whole = train(settings, tmp_path / "whole")
    # 8 updates an epoch: the teacher's, then 5 of the student's, the third of which is saved.
    made: list[int] = []
    update = Updater.__call__

    def counted(updater: Updater, batch: Any, step: int) -> Any:
        if len(made) == 13:
            raise Killed
        made.append(updater.model.config.dim)
        return update(updater, batch, step)

    monkeypatch.setattr(Updater, "__call__", counted)
    with pytest.raises(Killed):
        train(settings, tmp_path / "killed")
    assert made == [12] * 8 + [8] * 5
    made.clear()
    resumed = train(settings, tmp_path / "killed")
    assert made == [8] * 13
    for one, other in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    resumed.remove_checkpoints()
    assert list((tmp_path / "killed/checkpoints").iterdir()) == []


@pytest.mark.thorough
def test_a_teacher_that_another_run_has_trained_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The student's own model with another seed: a run of its own, and then a teacher.
    alone = dataclasses.replace(run_settings(), seed=5)
    trained = train(alone, tmp_path)
    own = alone.model.model_dump()
    settings = run_settings({"model": own, "seed": 5}, {"model": BOW})
    read = dataclasses.replace(data(settings).train, rating=np.ones((75, HISTORY), np.float32))
    capsys.readouterr()
    run = train_recommender(
        settings,
        dataclasses.replace(data(settings), train=read),
        checkpoint_root=tmp_path / "checkpoints",
        log_folder=tmp_path / "logs",
    )
    assert run.teachers[0].store.folder == trained.store.folder
    assert run.teachers[0].seconds == trained.seconds > 0
    assert run.peak_gib >= run.teachers[0].peak_gib == trained.peak_gib > 0.2
    shown = capsys.readouterr().out
    assert "teacher 1/2: epoch" not in shown
    assert "teacher 2/2: epoch" in shown


@pytest.mark.thorough
def test_a_share_of_zero_trains_no_teacher(tmp_path: Path) -> None:
    alone = weights(train(run_settings(), tmp_path / "alone"))
    settings = run_settings({"model": CNN}, weight=0)
    run = train(settings, tmp_path / "none")
    assert not run.teachers
    for one, other in zip(alone, weights(run), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_teacher_that_is_not_asked_for_or_is_missing_is_an_error(tmp_path: Path) -> None:
    taught = run_settings({"model": CNN}).training
    with pytest.raises(ValueError, match="1 teachers to learn from, but none is given"):
        planted.train(tmp_path, taught)


def test_columns_that_a_teacher_reads_are_read() -> None:
    stars = {"model": {"event_features": {"rating": True}}}
    when = {"model": {"event_features": {"age": True}}}
    weighed = {"training": {"rating_share": 0.5}}
    for teachers, rating, time in (([stars], True, False), ([weighed, when], True, True)):
        settings = run_settings(*teachers)
        needed = needed_columns(settings.model, settings.training)
        assert (needed.rating, needed.time, needed.user) == (rating, time, False)


def test_teachers_are_trained_as_the_student_where_they_do_not_differ() -> None:
    optimizer = {"learning_rate": 0.5, "clip_norm": 1.0}
    training = run_settings(
        {"training": {"optimizer": optimizer, "loss": {"name": "gbce"}, "batch_size": 7}},
        batch_size=9,
        ema_decay=0.5,
    ).training
    teacher = training.of_teacher(training.new_teachers[0])
    assert teacher.distillation is None
    assert (teacher.batch_size, teacher.ema_decay, teacher.loss.name) == (7, 0.5, "gbce")
    assert teacher.optimizer == training.optimizer.model_copy(update=optimizer)
    assert TrainingConfig.model_validate_json(training.model_dump_json()) == training


def test_what_is_rounded_for_a_device_is_the_student_and_not_its_teacher() -> None:
    training = run_settings({}, {"training": {"weight_bits": 4}}, weight_bits=4).training
    plain, rounded = (training.of_teacher(teacher) for teacher in training.new_teachers)
    assert (plain.weight_bits, rounded.weight_bits) == (None, 4)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{teachers: []}", ["training.distillation.teachers", "at least 1 item"]),
        ("{weight: 2, teachers: [{}]}", ["training.distillation.weight", "got 2"]),
        (
            "{teachers: [{seed: 1}, {seed: 1}]}",
            ["teacher 2", "give it another seed"],
        ),
        (
            "{teachers: [{}, {training: {batch_size: 0}}]}",
            ["distillation.teachers.1.training.batch_size", "greater than or equal to 1"],
        ),
        ("{teachers: [{training: {lr: 1}}]}", ["teachers.0.training.lr", "Extra inputs"]),
        ("{teachers: [{training: {max_eval_windows: 1}}]}", ["max_eval_windows cannot differ"]),
        ("{teachers: [{training: {distillation: null}}]}", ["distillation cannot differ"]),
        ("{teachers: [{model: {dimension: 4}}]}", ["teachers.0.model.dimension", "unknown key"]),
        ("{teachers: [{registered: 0}]}", ["teachers.0.registered:", "from 1 on, or champion"]),
        ("{teachers: [{registered: best}]}", ["teachers.0.registered:", "from 1 on, or champion"]),
        ("{teachers: [{registered: 1, seed: 2}]}", ["teachers.0.seed", "unknown key"]),
        ("{teachers: [{folder: ''}]}", ["teachers.0.folder", "at least 1 character"]),
        ("{teachers: [{registered: 1}, {registered: 1}]}", ["teacher 2", "leave it out"]),
    ],
)
def test_bad_settings_name_key_and_way_out(value: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [f"training.distillation={value}"])
    for word in words:
        assert word in str(caught.value)


def test_a_tuner_has_no_teacher_that_was_trained_before() -> None:
    teachers = "training.distillation={teachers: [{registered: 1}]}"
    tuner = "tuner={enabled: true, parameters: {model.dim: [4, 8]}}"
    with pytest.raises(ConfigError, match=r"tuner.enabled goes with no teacher .* before"):
        load_config(None, [teachers, tuner])


def test_only_the_full_softmax_can_be_distilled() -> None:
    with pytest.raises(ConfigError, match="loss must be full_softmax, is gbce"):
        load_config(None, ["training.loss.name=gbce", "training.distillation={teachers: [{}]}"])


@pytest.mark.thorough
def test_teachers_have_their_own_item_features(tmp_path: Path) -> None:
    settings = run_settings(
        {"model": {**CNN, "item_features": {"genres": True}}, "training": {"max_epochs": 1}}
    )
    without = data(settings)
    odd = (np.arange(MOVIES + 1) % 2).astype(np.float32)[:, np.newaxis]
    features = ItemFeatures(("genres Odd",), odd)
    given = dataclasses.replace(without, teachers_item_features=[features])
    assert run_fingerprint(settings, without) != run_fingerprint(settings, given)
    run = train_recommender(
        settings, given, checkpoint_root=tmp_path / "checkpoints", log_folder=tmp_path / "logs"
    )
    assert not any("features" in variable.name for variable in run.model.trainable_variables)
