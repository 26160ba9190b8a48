"""One update of the weights, and the moving average of them."""

from __future__ import annotations

import operator

import keras
import numpy as np
import tensorflow as tf

from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.training.batches import Batch
from modules.training.losses.base import Loss
from modules.training.losses.distilled_softmax import DistilledSoftmax
from pipeline.config.training import TrainingConfig

# Parts of a batch that are computed side by side. Part of what a seed means, hence not the number
# of processors: the same seed gives the same weights on any number of them.
SHARDS = 2


class Updater:
    """Applies batches to a model.

    Attributes:
        model: The model being trained.
        optimizer: Its optimizer; all variables exist.
        averages: The weights' moving averages, empty without `ema_decay`.
    """

    def __init__(
        self,
        model: Recommender,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss | DistilledSoftmax,
        config: TrainingConfig,
        *,
        seed: int,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self._loss = loss
        self._config = config
        self._seed = seed % 2**31
        self._weights = model.trainable_variables
        optimizer.build(self._weights)
        self.averages = (
            [tf.Variable(weight.numpy()) for weight in self._weights] if config.ema_decay else []
        )
        self._shard = tf.function(self._shard_gradients, jit_compile=config.xla, autograph=False)
        self._update = tf.function(self._apply_batch, autograph=False)

    def __call__(self, batch: Batch, step: int) -> tuple[float, float]:
        """Makes one update.

        Args:
            batch: What to learn from, `SHARDS` parts of it.
            step: The update's number in the whole run, from 0; seeds dropout.

        Returns:
            The weighted sum of the loss over the batch's targets, and the sum of the weights.
        """
        total = float(batch.weights.sum())
        loss = self._update(
            batch.context,
            batch.positions,
            batch.targets,
            batch.weights,
            batch.stars if self.model.config.rating_head else None,
            batch.teacher,
            np.float32(max(total, 1.0)),
            np.int32(step),
        )
        return float(loss), total

    def averaged_weights(self) -> list[np.ndarray]:  # type: ignore[type-arg]
        """What to evaluate and export: moving averages where there are any, else the weights."""
        return [variable.numpy() for variable in self.averages or self._weights]

    def _apply_batch(
        self,
        context: Context,
        positions: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor,
        stars: tf.Tensor | None,
        teacher: tf.Tensor | None,
        total: tf.Tensor,
        step: tf.Tensor,
    ) -> tf.Tensor:
        loss, gradients = tf.constant(0.0), [tf.zeros(weight.shape) for weight in self._weights]
        # The parts share no state, so that the runtime computes them at the same time.
        for shard in range(SHARDS):
            part_loss, part_gradients = self._shard(
                context.map(operator.itemgetter(shard)),
                positions[shard],
                targets[shard],
                weights[shard],
                None if stars is None else stars[shard],
                None if teacher is None else teacher[shard],
                step * SHARDS + shard,
            )
            loss += part_loss
            gradients = [sum_ + more for sum_, more in zip(gradients, part_gradients, strict=True)]
        self.optimizer.apply([gradient / total for gradient in gradients], self._weights)
        if self.averages:
            done = tf.cast(step, tf.float32)
            # A young average must not remember the random start.
            decay = tf.minimum(self._config.ema_decay, (1 + done) / (10 + done))
            for average, weight in zip(self.averages, self._weights, strict=True):
                average.assign_add((1 - decay) * (weight - average))
        return loss

    def _shard_gradients(
        self,
        context: Context,
        positions: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor,
        stars: tf.Tensor | None,
        teacher: tf.Tensor | None,
        draw: tf.Tensor,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        seed = tf.stack([tf.constant(self._seed), draw * 1000])
        with tf.GradientTape() as tape:
            vectors = self.model(context, training=True, seed=seed)
            picked = tf.gather(tf.reshape(vectors, [-1, vectors.shape[-1]]), positions)
            table, bias = self.model.scoring_table(), self.model.scoring_bias()
            if isinstance(self._loss, DistilledSoftmax):
                loss = self._loss(picked, table, bias, targets, weights, teacher)
            else:
                # Far from the numbers of the places of dropout.
                draw = seed + tf.constant([0, 999])
                loss = self._loss(picked, table, bias, targets, weights, draw)
            if stars is not None:
                loss += self.model.rating_loss(picked, targets[:, 0], stars)
        variables = [weight.value for weight in self._weights]
        gradients = tape.gradient(loss, variables)
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]
