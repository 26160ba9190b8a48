"""One update of the weights, and the moving average of them.

Gradients are a pure function of the weights and a part of a batch: whichever device computes them
needs no variable of its own.
"""

from __future__ import annotations

import operator

import keras
import numpy as np
import tensorflow as tf

from modules.models.recommender import Recommender
from modules.training.batches import Batch
from modules.training.device_rounding import DeviceRounding
from modules.training.distribution import Distribution
from modules.training.losses.base import Loss
from modules.training.losses.distilled_softmax import DistilledSoftmax
from modules.training.losses.matching import ContextMatching
from modules.training.losses.recombination import Recombination
from pipeline.config.training import TrainingConfig


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
        loss: Loss | DistilledSoftmax | ContextMatching,
        config: TrainingConfig,
        distribution: Distribution,
        *,
        seed: int,
        recombination: Recombination | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self._loss = loss
        self._config = config
        self._distribution = distribution
        self._seed = seed % 2**31
        self._recombination = recombination
        self._model_weights = model.trainable_variables
        self._rounding = DeviceRounding(self._model_weights, config.weight_bits)
        # Before the optimizer is built: it moves what it knows of.
        self._weights = [*self._model_weights, *(recombination.variables if recombination else ())]
        optimizer.build(self._weights)
        self.averages = (
            [tf.Variable(weight.numpy()) for weight in self._model_weights]
            if config.ema_decay
            else []
        )
        self._shard = tf.function(self._shard_gradients, jit_compile=config.xla, autograph=False)
        self._update = tf.function(self._apply_batch, autograph=False)

    def __call__(self, batch: Batch, step: int) -> tuple[float, float]:
        """Makes one update.

        Args:
            batch: What to learn from, as many parts of it as the distribution says.
            step: The update's number in the whole run, from 0; seeds dropout.

        Returns:
            The weighted sum of the loss over the batch's targets, and the sum of the weights.
        """
        total = float(batch.weights.sum())
        if self.model.config.rating_head is None:
            batch = batch._replace(stars=None)
        deal = self._distribution.deal
        loss = self._update(
            batch.map(deal),
            deal(np.arange(self._distribution.shards, dtype=np.int32)),
            np.float32(max(total, 1.0)),
            np.int32(step),
        )
        return float(loss), total

    def averaged_weights(self) -> list[np.ndarray]:  # type: ignore[type-arg]
        """What to evaluate and export: moving averages where there are any, else the weights.

        They are the model's alone, rounded where training rounds them. Of matrices that are rounded
        it is the last ones: these go to and fro between two steps, and what their average is
        rounded to is nothing that training has computed with.
        """
        averages = self.averages or self._model_weights
        kept = zip(self._model_weights, averages, self._rounding.rounds, strict=True)
        return self._rounding.of_arrays(
            [(weight if rounds else average).numpy() for weight, average, rounds in kept]
        )

    def _apply_batch(
        self, batch: Batch, numbers: tf.Tensor, total: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        model = [tf.convert_to_tensor(weight) for weight in self._weights]
        draws = step * self._distribution.shards
        loss, *gradients = self._distribution.total(
            self._parts_gradients, (model, draws, batch, numbers)
        )
        self.optimizer.apply([gradient / total for gradient in gradients], self._weights)
        if self.averages:
            done = tf.cast(step, tf.float32)
            # A young average must not remember the random start.
            decay = tf.minimum(self._config.ema_decay, (1 + done) / (10 + done))
            for average, weight in zip(self.averages, self._model_weights, strict=True):
                average.assign_add((1 - decay) * (weight - average))
        return loss

    def _parts_gradients(
        self, model: list[tf.Tensor], draws: tf.Tensor, batch: Batch, numbers: tf.Tensor
    ) -> list[tf.Tensor]:
        """Sums loss and gradients of some parts: float32 [], and as the weights are shaped."""
        sums = [tf.constant(0.0), *(tf.zeros(weight.shape) for weight in self._weights)]
        # The parts share no state, so that the runtime computes them at the same time.
        for part in range(numbers.shape[0]):
            own = batch.map(operator.itemgetter(part))
            more = self._shard(model, own, draws + numbers[part])
            sums = [sum_ + value for sum_, value in zip(sums, more, strict=True)]
        return sums

    def _shard_gradients(
        self, model: list[tf.Tensor], part: Batch, draw: tf.Tensor
    ) -> list[tf.Tensor]:
        seed = tf.stack([tf.constant(self._seed), draw * 1000])
        with tf.GradientTape() as tape:
            tape.watch(model)
            rounded = self._rounding(model[: len(self._model_weights)])
            computed = [*rounded, *model[len(rounded) :]]
            # The model computes with these tensors in the place of its variables.
            given = list(zip(self._weights, computed, strict=True))
            with keras.StatelessScope(state_mapping=given):
                loss = self._loss_of(model, part, seed)
        # Some weights change no score, as the bias of the keys of a single head.
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(loss, model, unconnected_gradients=zero)
        return [loss, *(tf.convert_to_tensor(gradient) for gradient in gradients)]

    def _loss_of(self, model: list[tf.Tensor], part: Batch, seed: tf.Tensor) -> tf.Tensor:
        vectors = self.model(part.context, training=True, seed=seed)
        picked = tf.gather(tf.reshape(vectors, [-1, vectors.shape[-1]]), part.positions)
        table, bias = self.model.scoring_table(seed), self.model.scoring_bias()
        if isinstance(self._loss, DistilledSoftmax):
            loss = self._loss(picked, table, bias, part.targets, part.weights, part.teacher)
        elif isinstance(self._loss, ContextMatching):
            loss = self._loss(picked, part.weights, part.teacher)
        else:
            # Far from the numbers of the places of dropout.
            draw = seed + tf.constant([0, 999])
            loss = self._loss(picked, table, bias, part.targets, part.weights, draw)
        if part.stars is not None:
            loss += self.model.rating_loss(picked, part.targets[:, 0], part.stars)
        if self._recombination is not None and part.halves is not None:
            own = model[len(self._model_weights) :]
            loss += self._recombination(part.halves, own, table, bias)
        regularisation = self.model.regularisation()
        if regularisation is not None:
            loss += tf.reduce_sum(part.weights) * regularisation
        return loss
