"""The yardstick gets the same windows as ours, and computes the same loss."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import training_speed
from benchmarks.plain_sasrec import PlainSasrec, make_update
from benchmarks.render import training_speed as rendered
from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.training.batches import Batch
from pipeline.config.model import ModelConfig, TransformerConfig


def test_windows_are_padded_back_to_their_whole_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_speed, "LENGTH", 4)
    batch = Batch(
        Context(np.array([[[5, 6, 7], [0, 8, 9]], [[0, 0, 4], [0, 0, 0]]], np.int32)),
        positions=np.array([[1, 2, 5], [2, 0, 0]], np.int32),
        targets=np.array([[[7], [1], [2]], [[3], [0], [0]]], np.int32),
        weights=np.ones((2, 3, 1), np.float32),
    )
    context, target = training_speed.padded(batch)
    assert context.tolist() == [[0, 5, 6, 7], [0, 0, 8, 9], [0, 0, 0, 4], [0, 0, 0, 0]]
    assert target.tolist() == [[0, 0, 7, 1], [0, 0, 0, 2], [0, 0, 0, 3], [0, 0, 0, 0]]


def test_each_turn_takes_every_length_once_and_begins_anew_where_there_are_no_more() -> None:
    assert training_speed.in_turns([32, 64, 32, 32], turns=4) == [0, 1, 2, 1, 3, 1, 0, 1]


def test_the_yardstick_scores_as_our_model_does() -> None:
    keras.utils.set_random_seed(3)
    config = ModelConfig(encoder=TransformerConfig(), dim=8, scoring="dot", dropout=0.0)
    ours = Recommender(config, history_length=5, movies=9)
    plain = PlainSasrec(movies=9, length=5, dim=8, dropout=0.0)
    ids = np.array([[0, 0, 3, 9, 1], [4, 4, 2, 7, 5]], np.int32)
    plain(ids)
    plain.set_weights([weight.numpy() for weight in ours.trainable_variables])
    expected = tf.matmul(ours(Context(ids)), ours.scoring_table()[1:], transpose_b=True).numpy()
    known = ids > 0
    np.testing.assert_allclose(plain(ids).numpy()[known], expected[known], rtol=1e-4, atol=1e-5)


def test_an_update_of_the_yardstick_takes_the_mean_over_targets_alone() -> None:
    plain = PlainSasrec(movies=3, length=2, dim=4, dropout=0.0)
    plain(np.zeros((1, 2), np.int32))
    plain.set_weights([np.zeros(weight.shape) for weight in plain.trainable_variables])
    update = make_update(plain)
    loss = update(np.array([[0, 1], [2, 3]], np.int32), np.array([[0, 2], [0, 1]], np.int32))
    # All scores are equal.
    assert float(loss) == pytest.approx(np.log(3))


def test_the_rendered_section_names_ratio_and_sides() -> None:
    result: dict[str, Any] = {
        "windows": 6040,
        "targets": 647430,
        "movies": 3416,
        "preparing_seconds": 0.5,
        "rows": [{"length": 200, "updates": 17, "plain_ms": 1200, "ours_ms": 300}],
        "plain_epoch_seconds": 60.0,
        "ours_epoch_seconds": 15.0,
        "ratio": 4.0,
        "plain_peak_gib": 1.4,
        "ours_peak_gib": 1.2,
        "largest_loss_difference": 1.1e-7,
    }
    text = rendered(result)
    assert "Ratio: **4.0**" in text
    assert "differ by 1e-07 of their size" in text
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["plain TensorFlow", "60", "1.4"] in cells
    assert ["200", "17", "1200", "300"] in cells
