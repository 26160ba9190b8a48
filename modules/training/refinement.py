"""After training: tables of groups of users, and weights of blocks, for an elastic model.

PEEL (arXiv 2306.10532) copies the table for each group of users and goes on with the group's data.
That is a problem of two levels: the table learns from most windows, under the block weights of the
moment; the network that gives these learns from the others, under the table of the moment. Both
take turns, an epoch each. The encoder stays as it is, so that all groups share it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.elastic import ElasticTable
from modules.models.item_tables.elastic_groups import (
    affinities,
    cluster,
    groups_of,
    user_vectors,
)
from modules.models.item_tables.elastic_layout import shares_by_fall
from modules.models.item_tables.elastic_master import GroupTable
from modules.models.recommender import Recommender
from modules.training.batches import BatchPlan
from modules.training.block_weights import BlockWeights
from modules.training.distribution import OneDevice
from modules.training.input import Windows
from modules.training.losses.base import build_loss
from modules.training.optimizer import build_optimizer
from modules.training.update import Updater
from pipeline.config.item_table import ElasticRefinementConfig, ElasticTableConfig
from pipeline.config.training import TrainingConfig
from pipeline.progress import report


def refine(model: Recommender, train: Windows, config: TrainingConfig, *, seed: int) -> None:
    """Refines an elastic table where its configuration says so, and leaves all other models alone.

    One group is everybody: the table itself is refined. Of more groups each gets a copy, and the
    table stays as it is. The same model, windows and seed give the same tables.

    Args:
        model: Trained.
        train: Training windows; each counts as a user of its own.
        config: The training's.
        seed: The run's.
    """
    settings = model.config.item_table
    if not isinstance(settings, ElasticTableConfig) or settings.refinement is None:
        return
    (table,) = model.item_tables
    assert isinstance(table, ElasticTable)
    refinement = _Refinement(model, table, train, config, settings.refinement, settings, seed)
    whole = table.snapshot()
    if settings.groups == 1:
        table.take_over(refinement.of(train, whole))
        return
    rows = table.rows().numpy()
    centroids = cluster(user_vectors(rows, train.context), settings.groups, seed=seed)
    table.affinities = affinities(rows, centroids)
    own = groups_of(table.affinities, train.context)
    tables = []
    for group in range(1, settings.groups + 1):
        windows = _rows_of(train, np.flatnonzero(own == group))
        report.say(f"group {group}/{settings.groups}: {len(windows):,} windows")
        tables.append(refinement.of(windows, whole))
        table.take_over(whole)
    table.groups = tuple(tables)


class _Refinement:
    """What all groups share: compiled updates, whose state begins anew for each."""

    def __init__(
        self,
        model: Recommender,
        table: ElasticTable,
        train: Windows,
        training: TrainingConfig,
        config: ElasticRefinementConfig,
        elastic: ElasticTableConfig,
        seed: int,
    ) -> None:
        self._model, self._table = model, table
        self._config, self._elastic, self._seed = config, elastic, seed
        optimizer = training.optimizer.model_copy(
            update={
                "learning_rate": config.learning_rate,
                "schedule": "constant",
                "warmup_steps": 0,
            }
        )
        self._training = training.model_copy(
            update={"optimizer": optimizer, "ema_decay": None, "distillation": None}
        )
        self._counts = np.bincount(train.target.reshape(-1), minlength=model.movies + 1)
        self._loss = build_loss(training.loss, movie_counts=self._counts)
        with _only_trainable(model, table):
            self._updater = Updater(
                model,
                build_optimizer(optimizer, 1),
                self._loss,
                self._training,
                OneDevice(training.distribution.shards),
                seed=seed,
            )
        self._optimizer_start = [np.array(value) for value in self._updater.optimizer.variables]
        self._factors = tf.Variable(tf.ones(table.shares.shape))

    def of(self, windows: Windows, start: GroupTable) -> GroupTable:
        """Returns a group's table.

        Args:
            windows: The group's.
            start: What it begins with.
        """
        every = self._config.controller_windows
        held = np.arange(len(windows)) % every == 0
        if not self._config.controller_hidden:
            held[:] = False
        if not (~held).any():
            return start
        for variable, value in zip(
            self._updater.optimizer.variables, self._optimizer_start, strict=True
        ):
            variable.assign(value)
        self._table.take_over(start)
        self._factors.assign(tf.ones_like(self._factors))
        plan = self._plan(windows, ~held)
        weights = self._block_weights(windows, held) if held.any() else None
        step = 0
        for epoch in range(self._config.epochs):
            with self._table.weighted_by(self._factors):
                for batch in plan.epoch(epoch):
                    self._updater(batch, step)
                    step += 1
            if weights is not None:
                self._factors.assign(weights.learn(epoch, self._factors))
        return self._folded()

    def _block_weights(self, windows: Windows, held: npt.NDArray[np.bool_]) -> BlockWeights:
        config = self._config
        return BlockWeights(
            self._model,
            self._table,
            self._loss,
            self._plan(windows, held),
            movie_counts=self._counts,
            hidden=config.controller_hidden,
            optimizer=self._training.optimizer.model_copy(
                update={"learning_rate": config.controller_learning_rate}
            ),
            seed=self._seed,
        )

    def _folded(self) -> GroupTable:
        """Returns the table with the block weights in its rows and in the order of cells."""
        table, factors = self._table.snapshot(), self._factors.numpy()
        blocks = np.arange(self._table.width) // (self._table.width // self._table.grid.blocks)
        by_row = factors[self._table.grid.segment_of_row][:, blocks]
        return dataclasses.replace(
            table,
            weights=table.weights * by_row,
            shares=shares_by_fall(
                self._table.grid,
                self._elastic.fall,
                factors,
                smallest=self._elastic.smallest,
            ),
        )

    def _plan(self, windows: Windows, chosen: npt.NDArray[np.bool_]) -> BatchPlan:
        return BatchPlan(
            _rows_of(windows, np.flatnonzero(chosen)),
            self._training,
            shards=self._training.distribution.shards,
            seed=self._seed,
        )


def _rows_of(windows: Windows, rows: npt.NDArray[np.int64]) -> Windows:
    """Returns some training windows, which have seen nothing."""
    return Windows(
        windows.context[rows],
        windows.target[rows],
        windows.seen,
        np.zeros(len(rows) + 1, np.int64),
        rating=None if windows.rating is None else windows.rating[rows],
        target_rating=None if windows.target_rating is None else windows.target_rating[rows],
        time=None if windows.time is None else windows.time[rows],
        user=None if windows.user is None else windows.user[rows],
    )


@contextlib.contextmanager
def _only_trainable(model: Recommender, table: ElasticTable) -> Iterator[None]:
    """Makes a table the only part of a model that learns, inside a block of code."""
    own = {id(variable) for variable in table.trainable_variables}
    frozen = [variable for variable in model.trainable_variables if id(variable) not in own]
    for variable in frozen:
        variable.trainable = False
    try:
        yield
    finally:
        for variable in frozen:
            variable.trainable = True
