"""The self-supervised terms: by hand, off, and through runs that are killed or shared out."""

from __future__ import annotations

import dataclasses
import math
import random
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.training.batches import BatchPlan
from modules.training.checkpoint import CheckpointStore
from modules.training.distribution import OneDevice
from modules.training.fit import fit
from modules.training.halves import TaughtHalves, teacher_halves
from modules.training.losses.full_softmax import softmax_cross_entropy_sum
from modules.training.losses.recombination import Recombination, info_nce_sum
from modules.training.optimizer import build_optimizer
from modules.training.run import TrainedRun, train_recommender
from modules.training.update import Updater
from pipeline.config.distillation import RecombinationConfig
from pipeline.config.model import EncoderConfig, ModelConfig
from pipeline.config.root import load_config
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError
from tests.modules.training import test_distillation as distilling
from tests.modules.training.planted import (
    HISTORY,
    MOVIES,
    planted_windows,
    training_config,
    windows_of_all_lengths,
)
from tests.modules.training.test_fit import KillingStore

HOT = 5
WIDTH = 3


def test_two_windows_by_hand() -> None:
    # Cosines: the first anchor has 1 with its own and 0 with the other, the second 0.6 and 0.8.
    anchors = tf.constant([[1.0, 0.0], [0.6, 0.8]])
    others = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    by_hand = -math.log(math.exp(1 / 0.5) / (math.exp(1 / 0.5) + math.exp(0)))
    second = -math.log(math.exp(0.8 / 0.5) / (math.exp(0.6 / 0.5) + math.exp(0.8 / 0.5)))
    found = info_nce_sum(anchors, others, tf.constant([1.0, 3.0]), temperature=0.5)
    assert float(found) == pytest.approx(by_hand + 3 * second, rel=1e-6)


def test_rows_that_fill_a_batch_are_nobodys_negatives() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(4, 3)).astype(np.float32) for _ in range(2)]
    anchors, others = (row / np.linalg.norm(row, axis=1, keepdims=True) for row in rows)
    weights = np.array([1.0, 2.0, 0.0, 0.0], np.float32)
    found = info_nce_sum(anchors, others, weights, temperature=0.2)
    alone = info_nce_sum(anchors[:2], others[:2], weights[:2], temperature=0.2)
    assert float(found) == pytest.approx(float(alone), rel=1e-6)
    nothing = info_nce_sum(anchors, others, np.zeros(4, np.float32), temperature=0.2)
    assert float(nothing) == 0


def student(encoder: dict[str, Any] | None = None, **settings: Any) -> Recommender:
    keras.utils.set_random_seed(3)
    tree = {"encoder": encoder or {"name": "bow"}, "dim": 4, "initial_std": 0.3, **settings}
    config = ModelConfig.model_validate(tree)
    return Recommender(config, history_length=HISTORY, movies=MOVIES)


def halves() -> TaughtHalves:
    """Three windows: of both halves, of the popular one alone, and one that fills the batch."""
    hot = np.zeros((3, HISTORY), np.int32)
    cold = np.zeros((3, HISTORY), np.int32)
    hot[0, -2:], hot[1, -3:], cold[0, -1:] = [1, 2], [3, 4, 5], [17]
    rng = np.random.default_rng(1)
    teacher_hot, teacher_cold = rng.normal(size=(2, 3, WIDTH)).astype(np.float16)
    teacher_cold[1] = teacher_hot[2] = teacher_cold[2] = 0
    target, weight = np.array([6, 7, 0], np.int32), np.array([2, 1, 0], np.float32)
    return TaughtHalves(Context(hot), Context(cold), target, weight, teacher_hot, teacher_cold)


def terms(model: Recommender, **weights: float) -> Recombination:
    config = RecombinationConfig.model_validate(
        {"contrastive_weight": 0, "predictive_weight": 0, **weights}
    )
    return Recombination(config, model, teacher_width=WIDTH, chunk=2, seed=1)


def value(term: Recombination, model: Recommender, of: TaughtHalves) -> float:
    weights = [tf.convert_to_tensor(weight) for weight in term.variables]
    table, bias = model.scoring_table(), model.scoring_bias()
    return float(tf.function(term)(of.map(tf.constant), weights, table, bias))


def combined(term: Recombination, model: Recommender, of: TaughtHalves) -> tuple[Any, Any]:
    """The two combinations of real windows in NumPy: student's popular half, then teacher's."""
    values = [np.array(weight) for weight in term.variables]

    def network(read: Any, own: list[Any]) -> Any:
        return np.maximum(read @ own[0] + own[1], 0) @ own[2] + own[3]

    def encoded(half: Context) -> Any:
        vectors = model.encode_last(Context(tf.constant(half.movie_id))).numpy()
        return np.where(np.any(half.movie_id, axis=1, keepdims=True), vectors, 0)

    mine = np.concatenate([encoded(of.hot), of.teacher_cold.astype(np.float32)], axis=1)
    other = np.concatenate([encoded(of.cold), of.teacher_hot.astype(np.float32)], axis=1)
    return network(mine, values[:4])[:2], network(other, values[4:])[:2]


def test_the_contrast_is_of_both_combinations() -> None:
    model, of = student({"name": "bow", "hidden": [4]}), halves()
    for weights in model.trainable_variables:
        if not np.array(weights).any():
            weights.assign(np.full(weights.shape, 0.5, np.float32))
    # This encoder makes something of a history without events: that has to be left out.
    empty = Context(tf.constant(of.cold.movie_id[1:2]))
    assert np.abs(model.encode_last(empty)).max() > 1e-3
    term = terms(model, contrastive_weight=0.5, temperature=0.2)
    one, two = (
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        for vectors in combined(term, model, of)
    )
    expected = info_nce_sum(one, two, np.array([2, 1], np.float32), temperature=0.2)
    assert value(term, model, of) == pytest.approx(0.5 * float(expected), rel=1e-4)


@pytest.mark.parametrize(("scoring", "item_bias"), [("dot", True), ("cosine", False)])
def test_both_combinations_predict_the_next_movie(scoring: str, item_bias: bool) -> None:
    model, of = student(scoring=scoring, item_bias=item_bias), halves()
    if item_bias:
        bias = next(v for v in model.trainable_variables if v.name == "item_bias")
        bias.assign(np.linspace(-1, 1, MOVIES + 1))
    term = terms(model, predictive_weight=0.25)
    expected = 0.0
    for vectors in combined(term, model, of):
        if scoring == "cosine":
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors *= model.config.cosine_scale
        scores = vectors @ model.scoring_table().numpy()[1:].T
        if item_bias:
            scores = scores + np.linspace(-1, 1, MOVIES + 1)[1:]
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        # Movies 6 and 7 of ids from 1, windows that weigh 2 and 1.
        expected -= 2 * logs[0, 5] + logs[1, 6]
    assert value(term, model, of) == pytest.approx(0.25 * expected, rel=1e-4)


def gradients(
    term: Recombination, model: Recommender, of: TaughtHalves, *, xla: bool = False
) -> list[Any]:
    """With respect to the networks' weights, then the model's; those that nothing reads are 0."""

    @tf.function(jit_compile=xla, autograph=False)
    def found() -> Any:
        read = [weight.value for weight in [*term.variables, *model.trainable_variables]]
        with tf.GradientTape() as tape:
            loss = term(
                of.map(tf.constant), read[: len(term.variables)], model.scoring_table(), None
            )
        zero = tf.UnconnectedGradients.ZERO
        return [
            tf.convert_to_tensor(g) for g in tape.gradient(loss, read, unconnected_gradients=zero)
        ]

    return [gradient.numpy() for gradient in found()]


def test_terms_add_up_and_both_move_every_weight() -> None:
    model, of = student(), halves()
    names = {"contrastive_weight": 0.2, "predictive_weight": 0.1}
    single = sum(value(terms(model, **{name: weight}), model, of) for name, weight in names.items())
    assert value(terms(model, **names), model, of) == pytest.approx(single, rel=1e-5)
    for chosen in ({"contrastive_weight": 1.0}, {"predictive_weight": 1.0}):
        for gradient in gradients(terms(model, **chosen), model, of):
            assert np.abs(gradient).max() > 0


def test_networks_begin_alike_from_one_seed_and_leave_the_models_draws_alone() -> None:
    model = student()
    # Where the model's own first weights come from.
    before = repr((random.getstate(), np.random.get_state()))
    drawn = [np.array(weight) for weight in terms(model).variables]
    assert repr((random.getstate(), np.random.get_state())) == before
    for one, other in zip(drawn, terms(model).variables, strict=True):
        np.testing.assert_array_equal(one, np.array(other))
    # Student and teacher differ in width: what is read is as wide as both, what comes out as one.
    assert [weight.shape for weight in drawn] == [(7, 4), (4,), (4, 4), (4,)] * 2


ENCODERS: list[dict[str, Any]] = [
    {"name": "bow"},
    {"name": "cnn", "layers": 1, "kernel": 2},
    {"name": "gru"},
    {"name": "hstu"},
    {"name": "lru"},
    {"name": "lstm"},
    {"name": "mixer", "blocks": 1},
    {"name": "transformer", "layers": 1},
]


def test_every_encoder_is_tried_below() -> None:
    union, _ = get_args(EncoderConfig)
    known = {kind.model_fields["name"].default for kind in get_args(union)}
    assert {encoder["name"] for encoder in ENCODERS} == known


@pytest.mark.thorough
@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: encoder["name"])
def test_an_empty_half_breaks_no_encoder(encoder: dict[str, Any], xla: bool) -> None:
    model = student(encoder)
    term = terms(model, contrastive_weight=0.2, predictive_weight=0.1)
    for gradient in gradients(term, model, halves(), xla=xla):
        assert np.isfinite(gradient).all()


def distillation(**recombination: Any) -> dict[str, Any]:
    section = {"hot_share": 0.25, "contrastive_weight": 0.5, "predictive_weight": 0.1}
    return {
        "weight": 0.5,
        "teachers": [{"model": distilling.CNN, "training": {"max_epochs": 1}}],
        "recombination": {**section, **recombination},
    }


def train(folder: Path, **settings: Any) -> TrainedRun:
    run = dataclasses.replace(
        distilling.run_settings(),
        training=training_config(**{"max_epochs": 2, **settings}),
    )
    return train_recommender(
        run, distilling.data(run), checkpoint_root=folder / "c", log_folder=folder / "l"
    )


def assert_same(one: TrainedRun, other: TrainedRun) -> None:
    for mine, others in zip(
        one.model.trainable_variables, other.model.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(np.array(mine), np.array(others))


@pytest.mark.thorough
def test_terms_that_are_off_change_nothing(tmp_path: Path) -> None:
    off = {"contrastive_weight": 0, "predictive_weight": 0}
    plain = {**distillation(), "recombination": None}
    without = train(tmp_path / "without", distillation=plain)
    assert_same(without, train(tmp_path / "off", distillation=distillation(**off)))
    alone = train(tmp_path / "alone", distillation=None)
    nothing = train(tmp_path / "nothing", distillation={**distillation(**off), "weight": 0})
    assert nothing.teachers == []
    assert_same(alone, nothing)


@pytest.mark.thorough
def test_each_term_changes_the_student_and_halves_alone_need_a_teacher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = [
        train(tmp_path / str(number), distillation={**distillation(**changes), "weight": weight})
        for number, (weight, changes) in enumerate(
            [(0, {}), (0, {"contrastive_weight": 0}), (0, {"predictive_weight": 0}), (0.5, {})]
        )
    ]
    tables = [np.array(run.model.trainable_variables[0]) for run in trained]
    for place, one in enumerate(tables):
        for other in tables[:place]:
            assert np.abs(one - other).max() > 1e-4
    assert [len(run.teachers) for run in trained] == [1] * 4
    shown = capsys.readouterr().out
    assert "teacher 1/1: its vectors of popular (5 movies) and other events of 75 windows" in shown
    assert shown.count("its vectors of 450 targets") == 1
    # The networks are no part of the model: nothing of them is exported or handed on.
    names = {variable.path for variable in trained[0].model.trainable_variables}
    assert not [name for name in names if "recombination" in name]


class Killed(BaseException):
    """The end of a process."""


def fitted(
    folder: Path, config: TrainingConfig, store: CheckpointStore | None = None
) -> tuple[list[Any], list[Any]]:
    """Trains with halves; returns the model's weights, and all that a checkpoint holds."""
    windows = windows_of_all_lengths(40)
    keras.utils.set_random_seed(1)
    teacher = student({"name": "cnn", "layers": 1, "kernel": 2}, dim=WIDTH)
    taught = teacher_halves(teacher, windows, HOT, xla=False)
    model = student({"name": "cnn", "layers": 1, "kernel": 2}, scoring="cosine")
    store = store or CheckpointStore(folder, "run")
    held_out = planted_windows(30, held_out=True)
    fit(model, windows, held_out, config, seed=1, store=store, reporter=None, halves=taught)
    stored = store.load()
    assert stored is not None
    return [np.array(weight) for weight in model.trainable_variables], stored[1]


def config(**settings: Any) -> TrainingConfig:
    tree = {"length_buckets": (2, 4), "max_epochs": 2, **settings}
    return training_config(distillation={**distillation(), "weight": 0}, **tree)


@pytest.mark.thorough
def test_a_killed_run_goes_on_with_its_networks(tmp_path: Path) -> None:
    whole, whole_state = fitted(tmp_path / "whole", config())
    killing = KillingStore(tmp_path / "killed", "run", 1)
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "killed", config(), killing)
    resumed, state = fitted(tmp_path / "killed", config())
    for one, other in zip([*whole, *whole_state], [*resumed, *state], strict=True):
        np.testing.assert_array_equal(one, other)
    # Eight arrays of the networks stand behind the model's own weights, and all have moved.
    model = student({"name": "cnn", "layers": 1, "kernel": 2}, scoring="cosine")
    begun = terms(model).variables
    first = len(model.trainable_variables)
    for now, before in zip(state[first : first + 8], begun, strict=True):
        assert np.abs(now - np.array(before)).max() > 1e-4


@pytest.mark.thorough
def test_compiled_updates_are_those_that_are_not() -> None:
    windows = windows_of_all_lengths(14)
    taught = teacher_halves(student(dim=WIDTH), windows, HOT, xla=False)
    found = []
    for xla in (False, True):
        # Adam would make much of the differences between gradients that are almost zero.
        plain = {"optimizer": {"name": "sgd"}, "ema_decay": None}
        settings = config(xla=xla, length_buckets=(), batch_size=20, **plain)
        model = student(scoring="cosine")
        section = settings.recombination
        assert section is not None
        term = Recombination(section, model, teacher_width=WIDTH, chunk=16, seed=1)
        plan = BatchPlan(windows, settings, shards=2, seed=1, halves=taught)
        updater = Updater(
            model,
            build_optimizer(settings.optimizer, 1),
            _softmax,
            settings,
            OneDevice(2),
            seed=1,
            recombination=term,
        )
        [batch] = plan.epoch(0)
        loss, _ = updater(batch, 0)
        found.append([loss, *map(np.array, [*model.trainable_variables, *term.variables])])
        assert len(updater.averaged_weights()) == len(model.trainable_variables)
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def _softmax(
    context: Any, table: Any, bias: Any, targets: Any, weights: Any, draw: Any
) -> tf.Tensor:
    del draw
    return softmax_cross_entropy_sum(context, table, bias, targets, weights, chunk=16)


def test_a_batch_holds_the_halves_of_its_windows() -> None:
    windows = windows_of_all_lengths(9)
    taught = teacher_halves(student(dim=WIDTH), windows, HOT, xla=False)
    seen = 0
    plan = BatchPlan(windows, config(batch_size=4), shards=2, seed=1, halves=taught)
    for batch in plan.epoch(0):
        assert batch.halves is not None
        length = batch.context.movie_id.shape[2]
        for shard in range(2):
            for row, context in enumerate(batch.context.movie_id[shard]):
                part = batch.halves.map(lambda values: values[shard, row])  # noqa: B023
                if not context.any():
                    assert part.weight == 0
                    assert not part.hot.movie_id.any()
                    assert not part.teacher_hot.any()
                    continue
                seen += 1
                [place] = [
                    place
                    for place, whole in enumerate(windows.context)
                    if np.array_equal(whole[HISTORY - length :], context)
                    and not whole[: HISTORY - length].any()
                ][:1]
                read = context[context > 0]
                assert part.hot.movie_id[part.hot.movie_id > 0].tolist() == [
                    movie for movie in read if movie <= HOT
                ]
                assert part.cold.movie_id[part.cold.movie_id > 0].tolist() == [
                    movie for movie in read if movie > HOT
                ]
                assert part.target == windows.target[place, -1]
                assert part.weight == len(read)
                np.testing.assert_array_equal(part.teacher_hot, taught.hot[place])
                np.testing.assert_array_equal(part.teacher_cold, taught.cold[place])
    assert seen == 9


def test_what_is_missing_of_a_teacher_is_an_error(tmp_path: Path) -> None:
    model = student()
    windows, held_out = planted_windows(9), planted_windows(9, held_out=True)
    store = CheckpointStore(tmp_path, "run")
    with pytest.raises(ValueError, match=r"recombination is on, but .* are missing"):
        fit(model, windows, held_out, config(), seed=1, store=store, reporter=None)
    taught = teacher_halves(model, windows, HOT, xla=False)
    plain = training_config()
    with pytest.raises(ValueError, match=r"recombination is off, but .* are given"):
        fit(model, windows, held_out, plain, seed=1, store=store, reporter=None, halves=taught)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("{hot_share: 0}", "hot_share"),
        ("{hot_share: 1}", "hot_share"),
        ("{temperature: 0}", "temperature"),
        ("{contrastive_weight: -1}", "contrastive_weight"),
        ("{contrast: 1}", "contrast: unknown key"),
    ],
)
def test_bad_settings_name_their_key(value: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"training.distillation.recombination.{key}"):
        load_config(None, [f"training.distillation={{teachers: [{{}}], recombination: {value}}}"])
