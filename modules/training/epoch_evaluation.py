"""What an epoch's weights are worth, and kept by: the recall of the model, in all sizes it has."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np

from modules.evaluation.metric_names import RECALL, RECALL_OF_SIZES
from modules.models.item_tables.elastic import ElasticTable
from modules.models.item_tables.elastic_layout import layout_at
from modules.models.recommender import Recommender
from modules.training.evaluation import HeldOutEvaluation
from modules.training.input import Windows

# Of an elastic table, beside the whole one: the whole stops getting better long before these do.
_SMALLER = (0.5, 0.25)


class EpochEvaluation:
    """Evaluates a model on the same windows again and again, an elastic one in several sizes."""

    def __init__(self, model: Recommender, windows: Windows) -> None:
        """Prepares the windows.

        Args:
            model: The model; its weights at the time of a call are what is evaluated.
            windows: As for `HeldOutEvaluation`.
        """
        self._whole = HeldOutEvaluation(model, windows)
        elastic = [table for table in model.item_tables if isinstance(table, ElasticTable)]
        shares = [share for share in _SMALLER if any(t.shares.min() <= share for t in elastic)]
        # One each: an evaluation is compiled with the layout of its first call.
        self._smaller = [_Smaller(elastic, share, model, windows) for share in shares]

    def __call__(self) -> Mapping[str, float]:
        """Returns metrics of the whole model as `HeldOutEvaluation` does.

        Of an elastic model also `RECALL_OF_SIZES`, the mean recall@10 of the whole table, its
        half and its quarter, as far as it can be so small.
        """
        metrics = dict(self._whole())
        if self._smaller:
            recalls = [metrics[RECALL], *(smaller.recall() for smaller in self._smaller)]
            metrics[RECALL_OF_SIZES] = float(np.mean(recalls))
        return metrics


class _Smaller:
    """A model with a share of its tables."""

    def __init__(
        self, tables: Sequence[ElasticTable], share: float, model: Recommender, windows: Windows
    ) -> None:
        self._tables, self._share = tables, share
        self._evaluate = HeldOutEvaluation(model, windows)

    def recall(self) -> float:
        with contextlib.ExitStack() as stack:
            for table in self._tables:
                stack.enter_context(table.limited_to(layout_at(table.shares, self._share)))
            return self._evaluate()[RECALL]
