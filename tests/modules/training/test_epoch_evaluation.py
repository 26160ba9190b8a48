"""What an epoch is worth: of an elastic model in several sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modules.models.item_tables.elastic import ElasticTable
from modules.models.recommender import Recommender
from modules.training.checkpoint import CheckpointStore
from modules.training.epoch_evaluation import EpochEvaluation
from modules.training.evaluation import HeldOutEvaluation
from modules.training.fit import fit
from tests.modules.training.planted import planted_windows, small_model, training_config

HELD_OUT = planted_windows(40, held_out=True)


def recall_with(model: Recommender, blocks: int) -> float:
    (table,) = model.item_tables
    assert isinstance(table, ElasticTable)
    with table.limited_to((blocks, blocks)):
        return HeldOutEvaluation(model, HELD_OUT)()["recall_at_10"]


@pytest.mark.parametrize(("blocks", "sizes"), [(4, [4, 2, 1]), (2, [2, 1]), (8, [8, 4, 2])])
def test_an_elastic_model_is_worth_the_mean_of_its_sizes(blocks: int, sizes: list[int]) -> None:
    model = small_model({"name": "elastic", "blocks": blocks, "segments": 2})
    metrics = EpochEvaluation(model, HELD_OUT)()
    recalls = [recall_with(model, size) for size in sizes]
    assert len(set(recalls)) > 1
    assert metrics["recall_at_10_of_sizes"] == pytest.approx(np.mean(recalls))
    assert metrics["recall_at_10"] == recalls[0]


@pytest.mark.parametrize("table", [{"name": "dense"}, {"name": "elastic", "blocks": 1}])
def test_a_model_of_one_size_is_worth_its_recall(table: dict[str, object]) -> None:
    model = small_model(table)
    metrics = EpochEvaluation(model, HELD_OUT)()
    assert metrics == HeldOutEvaluation(model, HELD_OUT)()


def test_the_epoch_that_is_best_in_all_sizes_is_kept(tmp_path: Path) -> None:
    model = small_model({"name": "elastic", "blocks": 4, "segments": 2, "full_share": 0.9})
    config = training_config(max_epochs=5, patience=5, ema_decay=None)
    store = CheckpointStore(tmp_path, "run")
    history = fit(model, planted_windows(60), HELD_OUT, config, seed=1, store=store, reporter=None)
    of_sizes = [row["recall_at_10_of_sizes"] for row in history]
    # Otherwise the epochs below are the same by chance.
    assert np.argmax(of_sizes) != np.argmax([row["recall_at_10"] for row in history])
    assert EpochEvaluation(model, HELD_OUT)()["recall_at_10_of_sizes"] == max(of_sizes)
