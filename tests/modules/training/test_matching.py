"""A student that begins where its teacher is, through the run that TFX calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modules.training.data import RunSettings, TrainingData
from modules.training.losses.matching import ContextMatching
from modules.training.run import TrainedRun, train_recommender
from modules.training.teacher_space import TeacherSpace
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError
from tests.modules.training.planted import HISTORY, MOVIES, planted_windows, training_config

CNN = {"name": "cnn", "layers": 1, "kernel": 2}
TEACHER = {"model": {"encoder": CNN, "dim": 12}, "training": {"max_epochs": 12, "patience": 12}}


class Killed(BaseException):
    """The end of a process."""


def run_settings(
    matching: dict[str, Any] | None, *, weight: float = 0.5, epochs: int = 1, **model: Any
) -> RunSettings:
    distillation = {"weight": weight, "teachers": [TEACHER], "matching": matching}
    return RunSettings(
        model=ModelConfig.model_validate({"encoder": CNN, "dim": 12, **model}),
        training=training_config(max_epochs=epochs, distillation=distillation),
        history=HistoryConfig(length=HISTORY, stride=HISTORY),
        seed=1,
        source_hash="0",
    )


def train(settings: RunSettings, folder: Path) -> TrainedRun:
    return train_recommender(
        settings,
        TrainingData(
            planted_windows(75),
            planted_windows(30, held_out=True),
            MOVIES,
            teachers_item_features=[None],
        ),
        checkpoint_root=folder / "checkpoints",
        log_folder=folder / "logs",
    )


def recall(run: TrainedRun) -> float:
    return run.history[-1]["recall_at_10"]


def test_distances_by_hand() -> None:
    importance = np.array([0.75, 0.25], np.float32)
    space = TeacherSpace(
        np.zeros((2, 2), np.float16), np.zeros((3, 2), np.float32), importance, kept=1.0
    )
    context = tf.constant([[1.0, 2.0], [0.0, 4.0]])
    wanted = tf.constant([[3.0, 2.0], [0.0, 1.0]], tf.float16)
    weights = tf.constant([[1.0, 9.0], [2.0, 9.0]])
    # .75 * 4 + 2 * .25 * 9.
    loss = ContextMatching(space)(context, weights, wanted)
    assert float(loss) == pytest.approx(7.5)
    # Brought to a length of 4, the second is met; the first is (3, 2) * 4 / sqrt(13).
    first = np.array([3, 2]) * 4 / 13**0.5 - [1, 2]
    expected = 0.75 * first[0] ** 2 + 0.25 * first[1] ** 2
    loss = ContextMatching(space, length=4.0)(context, weights, wanted)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        {"item_table": {"name": "dense", "width": 8, "bits": 4}},
        {},
        {"scoring": "cosine"},
        {"item_table": {"name": "semi_tensor", "rank": 24, "bits": 8}},
    ],
    ids=repr,
)
@pytest.mark.thorough
def test_a_student_comes_nearer_to_its_teacher(model: dict[str, Any], tmp_path: Path) -> None:
    alone = train(run_settings(None, **model), tmp_path / "alone")
    matched = train(run_settings({"epochs": 6}, **model), tmp_path / "matched")
    assert matched.matched is not None
    losses = [row["loss"] for row in matched.matched.history]
    assert losses[-1] < 0.8 * losses[0]
    assert matched.history[-1]["loss"] < alone.history[-1]["loss"]
    assert matched.seconds > sum(row["seconds"] for row in matched.history)


def test_rows_alone_can_begin(tmp_path: Path) -> None:
    run = train(run_settings({"epochs": 0}), tmp_path)
    assert run.matched is None
    assert [len(teacher.history) for teacher in run.teachers] == [12]


@pytest.mark.thorough
def test_scores_need_not_be_learned_after_it(tmp_path: Path) -> None:
    run = train(run_settings({"epochs": 2, "learning_rate": 0.002}, weight=0), tmp_path)
    assert run.matched is not None
    assert run.matched.history[0]["learning_rate"] <= 0.002
    assert "recall_at_10" not in run.matched.history[0]
    assert "recall_at_10" in run.matched.history[1]


@pytest.mark.thorough
def test_a_killed_run_goes_on_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = run_settings({"epochs": 2}, epochs=2)
    whole = train(settings, tmp_path / "whole")
    from modules.training.fit import _Run

    saved, made = _Run._save, []

    def save_then_die(run: Any) -> None:
        saved(run)
        made.append(run.progress.epoch)
        # Twelve of the teacher, two of matching, one of the student.
        if len(made) in (13, 17):
            raise Killed

    monkeypatch.setattr(_Run, "_save", save_then_die)
    for _ in range(2):
        with pytest.raises(Killed):
            train(settings, tmp_path / "killed")
    monkeypatch.setattr(_Run, "_save", saved)
    resumed = train(settings, tmp_path / "killed")
    for one, other in zip(
        whole.model.trainable_variables, resumed.model.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    resumed.remove_checkpoints()
    assert not list((tmp_path / "killed" / "checkpoints").rglob("*.npz"))


@pytest.mark.thorough
def test_codes_of_a_teacher_need_one(tmp_path: Path) -> None:
    table = {"name": "codebooks", "books": 2, "codes": 4, "assignment": "teacher"}
    with pytest.raises(ConfigError, match="with a section matching"):
        train(run_settings(None, item_table=table), tmp_path)


def test_two_ways_to_begin_are_refused() -> None:
    with pytest.raises(ValueError, match="two ways to begin"):
        TrainingConfig.model_validate(
            {"warm_start": {}, "distillation": {"teachers": [TEACHER], "matching": {}}}
        )
