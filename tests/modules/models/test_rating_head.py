from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules.models import serving
from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.training.batches import Batch
from modules.training.distribution import OneDevice
from modules.training.losses.full_softmax import FullSoftmax
from modules.training.optimizer import build_optimizer
from modules.training.update import Updater
from pipeline.config.model import BowConfig, ModelConfig
from tests.modules.training.planted import training_config

HISTORY, MOVIES = 3, 12


def make_model(*, head: bool) -> Recommender:
    keras.utils.set_random_seed(3)
    config = ModelConfig.model_validate(
        {"encoder": BowConfig(), "dim": 2, "rating_head": {"weight": 0.5} if head else None}
    )
    return Recommender(config, history_length=HISTORY, movies=MOVIES)


def test_the_loss_by_hand() -> None:
    model = make_model(head=True)
    by_name = {weight.path: weight for weight in model.trainable_variables}
    model.trainable_variables[0].assign(np.arange(26).reshape(13, 2))
    by_name["stars/kernel"].assign([[0.1], [0.2]])
    assert by_name["stars/bias"].numpy() == pytest.approx([3.5])
    loss = model.rating_loss(
        tf.constant([[1.0, 2.0], [5.0, 6.0]]), tf.constant([1, 2]), tf.constant([3.0, 0.0])
    )
    # Movie 1 is (2, 3): 0.1 * 2 + 0.2 * 6 + 3.5 = 4.9 stars for 3, half of the square of 1.9; the
    # second position has no rating.
    assert float(loss) == pytest.approx(0.5 * 1.9**2, rel=1e-5)


def test_a_model_without_a_head_has_no_loss_of_it() -> None:
    with pytest.raises(ValueError, match=r"without model\.rating_head"):
        make_model(head=False).rating_loss(tf.zeros([1, 2]), tf.constant([1]), tf.constant([3.0]))


def test_an_update_weighs_stars_only_with_a_head() -> None:
    def update(head: bool, stars: float) -> tuple[float, float]:
        model = make_model(head=head)
        config = training_config(ema_decay=None)
        optimizer = build_optimizer(config.optimizer, 10)
        updater = Updater(model, optimizer, FullSoftmax(16), config, OneDevice(2), seed=1)
        ids = np.array([[[1, 2, 3]], [[4, 5, 6]]], np.int32)
        batch = Batch(
            Context(ids),
            np.full((2, 1), 2, np.int32),
            np.array([[[4]], [[7]]], np.int32),
            np.ones((2, 1, 1), np.float32),
            np.full((2, 1), stars, np.float32),
        )
        return updater(batch, 0)

    without, _ = update(False, 5.0)
    unrated, _ = update(True, 0.0)
    rated, weight = update(True, 5.0)
    assert without == pytest.approx(unrated)
    assert rated > unrated
    assert weight == 2


def test_nothing_of_it_is_served(tmp_path: Path) -> None:
    names = []
    for head in (False, True):
        folder = str(tmp_path / str(head))
        serving.export(make_model(head=head), folder, top_k=3)
        served = tf.saved_model.load(folder).signatures["serving_default"]
        names.append(sorted(node.op for node in served.graph.as_graph_def().node))
    assert names[0] == names[1]
