"""Learns the weights of an elastic table's blocks, under a table that stands still."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.elastic import ElasticTable
from modules.models.item_tables.elastic_controller import BlockController, segment_features
from modules.models.recommender import Recommender
from modules.training.batches import Batch, BatchPlan
from modules.training.losses.base import Loss
from modules.training.optimizer import build_optimizer
from pipeline.config.training import OptimizerConfig

_FEATURES = 2


class BlockWeights:
    """A controller network and the windows that it learns from."""

    def __init__(
        self,
        model: Recommender,
        table: ElasticTable,
        loss: Loss,
        plan: BatchPlan,
        *,
        movie_counts: npt.NDArray[np.int64],
        hidden: int,
        optimizer: OptimizerConfig,
        seed: int,
    ) -> None:
        """Makes a network that gives every block the weight 1.

        Args:
            model: Whose table it weighs.
            table: The model's.
            loss: What to lower.
            plan: Of windows that the table does not learn from.
            movie_counts: int64 [movies + 1], targets of each movie.
            hidden: Width inside of the network.
            optimizer: Of the network.
            seed: Of its weights, and of what is drawn.
        """
        self._model, self._table, self._loss, self._plan = model, table, loss, plan
        self._seed = seed % 2**31
        segment = table.grid.segment_of_row
        counts = np.bincount(segment[1:], movie_counts[1:])
        # A segment that no target is of has a logarithm, too.
        self._popularity = np.maximum(counts, 1) / np.bincount(segment[1:])
        self._controller = BlockController(
            features=_FEATURES, hidden=hidden, blocks=table.grid.blocks, seed=self._seed
        )
        self._optimizer = build_optimizer(optimizer, 1)
        self._optimizer.build(self._controller.variables)
        self._by_segment = tf.function(self._segment_losses, autograph=False)
        self._gradients = tf.function(self._controller_gradients, autograph=False)

    def learn(self, epoch: int, factors: tf.Variable) -> tf.Tensor:
        """Makes an epoch of updates.

        Args:
            epoch: Its number, from 0: of order and draws.
            factors: float32 [segments, blocks], the weights of the moment.

        Returns:
            float32 [segments, blocks], of mean 1 in each segment.
        """
        losses = self._losses(epoch, factors)
        features = tf.constant(segment_features(self._popularity, losses))
        for number, part in enumerate(self._parts(epoch)):
            # Below zero, where updates of the table draw nothing.
            seed = tf.constant([self._seed, -1000 * (1 + number + 10**4 * epoch)], tf.int32)
            gradients = self._gradients(part, features, seed)
            self._optimizer.apply(gradients, self._controller.variables)
        return self._controller(features)

    def _losses(self, epoch: int, factors: tf.Variable) -> npt.NDArray[np.float64]:
        """Returns the mean loss of each segment's targets: float64 [segments]."""
        sums = np.zeros((2, len(self._popularity)))
        for part in self._parts(epoch):
            sums += self._by_segment(part, factors).numpy()
        total, weight = sums
        # A segment without targets is like all.
        mean = total.sum() / max(float(weight.sum()), 1.0)
        losses: npt.NDArray[np.float64] = np.divide(
            total, weight, out=np.full_like(total, mean), where=weight > 0
        )
        return losses

    def _parts(self, epoch: int) -> Iterator[Batch]:
        for batch in self._plan.epoch(epoch):
            for part in range(len(batch.positions)):
                yield batch._replace(stars=None).map(operator.itemgetter(part))

    def _segment_losses(self, part: Batch, factors: tf.Tensor) -> tf.Tensor:
        """Returns float32 [2, segments]: sums of losses and of weights."""
        seed = tf.constant([self._seed, 0], tf.int32)
        segment = tf.gather(tf.constant(self._table.grid.segment_of_row), part.targets)
        own = [
            part.weights * tf.cast(segment == number, tf.float32)
            for number in range(len(self._popularity))
        ]
        with self._table.weighted_by(factors):
            vectors, rows = self._model(part.context), self._model.scoring_table()
        losses = [self._loss_of(vectors, rows, part, weights, seed) for weights in own]
        return tf.stack([tf.stack(losses), tf.stack([tf.reduce_sum(weights) for weights in own])])

    def _controller_gradients(
        self, part: Batch, features: tf.Tensor, seed: tf.Tensor
    ) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            with self._table.weighted_by(self._controller(features)):
                vectors = self._model(part.context, training=True, seed=seed)
                rows = self._model.scoring_table(seed)
            loss = self._loss_of(vectors, rows, part, part.weights, seed)
            loss /= tf.maximum(tf.reduce_sum(part.weights), 1.0)
        gradients: list[tf.Tensor] = tape.gradient(loss, self._controller.variables)
        return gradients

    def _loss_of(
        self,
        vectors: tf.Tensor,
        rows: tf.Tensor,
        part: Batch,
        weights: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        picked = tf.gather(tf.reshape(vectors, [-1, vectors.shape[-1]]), part.positions)
        bias = self._model.scoring_bias()
        return self._loss(picked, rows, bias, part.targets, weights, seed)
