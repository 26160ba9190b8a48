"""Eval metrics of a model under training: the full catalogue, seen movies removed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.training.input import Windows, seen_mask
from modules.training.ranking import metrics_of_ranks, ranks_of_targets

_BATCH = 256


class HeldOutEvaluation:
    """Evaluates a model on the same windows again and again."""

    def __init__(self, model: Recommender, windows: Windows) -> None:
        """Prepares the windows.

        Args:
            model: The model; its weights at the time of a call are what is evaluated.
            windows: Held-out windows, with the movies they have seen; one target each.
        """
        self._model = model
        self._windows = windows
        self._context = Context(windows.context, windows.rating, windows.time, windows.user)
        self._targets = windows.target.max(axis=1)
        self._scores = tf.function(self._score, autograph=False)

    def __call__(self) -> Mapping[str, float]:
        """Returns recall, NDCG and MRR as named by `metrics_of_ranks`."""
        return metrics_of_ranks(self.ranks())

    def ranks(self) -> npt.NDArray[np.int64]:
        """Returns each window's rank, from 1, see `ranks_of_targets`: [windows]."""
        ranks = []
        for start in range(0, len(self._windows), _BATCH):
            stop = min(start + _BATCH, len(self._windows))
            scores = self._scores(self._context.rows(start, _BATCH)).numpy()[: stop - start]
            seen = seen_mask(self._windows, start, stop, self._model.movies)
            ranks.append(ranks_of_targets(scores, self._targets[start:stop], seen))
        return np.concatenate(ranks)

    def _score(self, context: Context) -> tf.Tensor:
        vectors = self._model.encode_last(context)
        scores = tf.matmul(vectors, self._model.scoring_table(), transpose_b=True)
        bias = self._model.scoring_bias()
        return scores if bias is None else scores + bias
