"""The gate's metrics for TFMA, all from the ranks of the test windows.

One pass sums what each window adds; every metric is derived from the sums. A metric that cannot be
computed is NaN, and no threshold accepts NaN. TFMA loads the classes by their names; a class with
the name of a metric of its own (`Recall`, `NDCG`) would never be loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow_model_analysis as tfma

from modules.evaluation import rank_features
from modules.evaluation.ranking import NO_REFERENCE, hits, ndcg, reciprocal_ranks

K = 10
"""Recommendations that the gate judges."""

RECALL_KS = (1, 5, 10, 50)
REFERENCES = {
    "popularity": rank_features.RANK_POPULARITY,
    "recent_popularity": rank_features.RANK_RECENT_POPULARITY,
    "float32": rank_features.RANK_FLOAT32,
    "blessed": rank_features.RANK_BLESSED,
}
"""What the model is compared with, and the feature with its ranks."""

Sums = npt.NDArray[np.float64]
_MetricKey = tfma.metrics.MetricKey
_FIELDS = (
    "windows",
    *(f"hits_{k}" for k in RECALL_KS),
    "ndcg",
    "reciprocal_rank",
    *(f"hits_{name}" for name in REFERENCES),
    *(f"ranked_{name}" for name in REFERENCES),
)


def window_sums(window: dict[str, Any]) -> Sums:
    """Returns what one window, or a batch of them, adds to each of the sums.

    Args:
        window: The rank features of `modules.evaluation.rank_features`, arrays of one value a
            window.
    """
    rank = np.asarray(window[rank_features.RANK_MODEL], np.int64).reshape(-1)
    references = [np.asarray(window[name], np.int64).reshape(-1) for name in REFERENCES.values()]
    return np.array(
        [
            len(rank),
            *(hits(rank, k).sum() for k in RECALL_KS),
            ndcg(rank, K).sum(),
            reciprocal_ranks(rank).sum(),
            *(hits(ranks, K)[ranks != NO_REFERENCE].sum() for ranks in references),
            *((ranks != NO_REFERENCE).sum() for ranks in references),
        ],
        np.float64,
    )


class _SumsPreprocessor(tfma.metrics.Preprocessor):
    """Reduces a window to its few numbers before TFMA copies it into every slice."""

    def process(self, extracts: dict[str, Any]) -> Iterable[Sums]:
        yield window_sums(extracts[tfma.FEATURES_KEY])


class _SumsCombiner(beam.CombineFn):
    """Adds up the windows."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self._keys = keys

    def create_accumulator(self) -> Sums:
        return np.zeros(len(_FIELDS), np.float64)

    def add_input(self, accumulator: Sums, element: Sums) -> Sums:
        return accumulator + element

    def merge_accumulators(self, accumulators: Iterable[Sums]) -> Sums:
        return np.sum(list(accumulators), axis=0)

    def extract_output(self, accumulator: Sums) -> dict[Any, float]:
        return {
            key: float(value) for key, value in zip(self._keys.values(), accumulator, strict=True)
        }


class WindowSums:
    """The sums of a slice, by name, and what the metrics have in common."""

    def __init__(self, sums: dict[str, float]) -> None:
        self._sums = sums

    def __getitem__(self, field: str) -> float:
        return self._sums[field]

    def mean(self, field: str) -> float:
        """Returns a sum over the number of windows, NaN without windows."""
        windows = self._sums["windows"]
        return self._sums[field] / windows if windows else float("nan")

    def has_reference(self, name: str) -> bool:
        """Tells whether any window was ranked by the reference."""
        return self._sums[f"ranked_{name}"] > 0

    def reference_recall(self, name: str) -> float:
        """Returns a reference's recall@10; NaN unless it ranked every window."""
        if self._sums[f"ranked_{name}"] != self._sums["windows"]:
            return float("nan")
        return self.mean(f"hits_{name}")


class _SumsMetric(tfma.metrics.Metric):
    """A metric that is a function of the sums."""

    def __init__(self, name: str, **settings: Any) -> None:
        self._settings = settings
        super().__init__(self._computations, name=name)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self._settings}

    def value(self, sums: WindowSums) -> float | None:
        """Returns the metric, or None where it does not apply and is left out."""
        raise NotImplementedError

    def _computations(self, name: str, model_names: Sequence[str] | None = None) -> list[Any]:
        computations: list[Any] = []
        for model_name in model_names or [""]:
            sums = {
                field: _MetricKey(name=f"_sum_{field}", model_name=model_name) for field in _FIELDS
            }
            key = _MetricKey(name=name, model_name=model_name)

            def derive(
                metrics: dict[Any, float], sums: dict[str, Any] = sums, key: Any = key
            ) -> dict[Any, float]:
                value = self.value(WindowSums({f: metrics[k] for f, k in sums.items()}))
                return {} if value is None else {key: value}

            # TFMA computes equal computations once, so every metric may bring the sums along.
            computations += [
                tfma.metrics.MetricComputation(
                    keys=list(sums.values()),
                    preprocessors=[_SumsPreprocessor()],
                    combiner=_SumsCombiner(sums),
                ),
                tfma.metrics.DerivedMetricComputation(keys=[key], result=derive),
            ]
        return computations


class WindowCount(_SumsMetric):
    """Test windows in the slice."""

    def __init__(self, name: str = "windows", source_hash: str = "") -> None:
        """Makes the metric.

        Args:
            name: Of the metric.
            source_hash: Of the evaluation's code. It changes nothing; as a part of the
                Evaluator's configuration it keeps changed code from being served from the cache.
        """
        super().__init__(name, source_hash=source_hash)

    def value(self, sums: WindowSums) -> float:
        """Returns the number of windows."""
        return sums["windows"]


class RecallAtK(_SumsMetric):
    """Recall@k: the share of windows whose target is among the first k."""

    def __init__(self, name: str, k: int) -> None:
        """Makes the metric; `k` is one of `RECALL_KS`."""
        super().__init__(name, k=k)
        self._k = k

    def value(self, sums: WindowSums) -> float:
        """Returns the share."""
        return sums.mean(f"hits_{self._k}")


class NdcgAtK(_SumsMetric):
    """NDCG@10 with one target."""

    def __init__(self, name: str = "ndcg_at_10") -> None:
        super().__init__(name)

    def value(self, sums: WindowSums) -> float:
        """Returns the mean over windows."""
        return sums.mean("ndcg")


class MeanReciprocalRank(_SumsMetric):
    """Mean reciprocal rank within the list that the model returns."""

    def __init__(self, name: str = "mrr") -> None:
        super().__init__(name)

    def value(self, sums: WindowSums) -> float:
        """Returns the mean over windows."""
        return sums.mean("reciprocal_rank")


class ReferenceRecall(_SumsMetric):
    """Recall@10 of one of `REFERENCES` on the same windows; left out where there is none."""

    def __init__(self, name: str, reference: str) -> None:
        super().__init__(name, reference=reference)
        self._reference = reference

    def value(self, sums: WindowSums) -> float | None:
        """Returns the share, or None without such a reference."""
        if not sums.has_reference(self._reference):
            return None
        return sums.reference_recall(self._reference)


class RecallMarginOverPopularity(_SumsMetric):
    """Recall@10 minus that of the better of the two popularity recommenders."""

    def __init__(self, name: str = "recall_margin_over_popularity_at_10") -> None:
        super().__init__(name)

    def value(self, sums: WindowSums) -> float:
        """Returns the difference."""
        # np.maximum keeps NaN, max() may drop it.
        best = np.maximum(
            sums.reference_recall("popularity"), sums.reference_recall("recent_popularity")
        )
        return float(sums.mean(f"hits_{K}") - best)


class RecallChange(_SumsMetric):
    """Recall@10 minus that of one of `REFERENCES`."""

    def __init__(self, name: str, reference: str, optional: bool = False) -> None:
        """Makes the metric.

        Args:
            name: Of the metric.
            reference: What to compare with.
            optional: Whether the reference may not be there at all; the change is then 0. That is
                so for the latest blessed model before the first blessing.
        """
        super().__init__(name, reference=reference, optional=optional)
        self._reference = reference
        self._optional = optional

    def value(self, sums: WindowSums) -> float:
        """Returns the difference."""
        if self._optional and sums["windows"] and not sums.has_reference(self._reference):
            return 0.0
        return sums.mean(f"hits_{K}") - sums.reference_recall(self._reference)
