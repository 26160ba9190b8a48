"""Sums over test windows, which the gate's metrics are derived from.

TFMA computes equal computations once: every metric brings the sums along that it needs.
"""

from __future__ import annotations

import abc
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


def _reference_fields(name: str) -> tuple[str, str]:
    return f"hits_{name}", f"ranked_{name}"


_FIELDS = (
    "windows",
    *(f"hits_{k}" for k in RECALL_KS),
    "ndcg",
    "reciprocal_rank",
    *(field for name in REFERENCES for field in _reference_fields(name)),
)


def window_sums(window: dict[str, Any]) -> Sums:
    """Returns what one window, or a batch of them, adds to each of the sums.

    Args:
        window: The rank features of `modules.evaluation.rank_features`, arrays of one value a
            window.
    """
    rank = np.asarray(window[rank_features.RANK_MODEL], np.int64).reshape(-1)
    own = [
        len(rank),
        *(hits(rank, k).sum() for k in RECALL_KS),
        ndcg(rank, K).sum(),
        reciprocal_ranks(rank).sum(),
    ]
    references = [reference_sums(window, feature) for feature in REFERENCES.values()]
    return np.concatenate([np.array(own, np.float64), *references])


def reference_sums(window: dict[str, Any], feature: str) -> Sums:
    """Returns what windows add to the sums of one reference: hits, and windows that it ranked.

    Args:
        window: As for `window_sums`.
        feature: The one with the reference's ranks.
    """
    ranks = np.asarray(window[feature], np.int64).reshape(-1)
    ranked = ranks != NO_REFERENCE
    return np.array([hits(ranks, K)[ranked].sum(), ranked.sum()], np.float64)


class _SumsPreprocessor(tfma.metrics.Preprocessor):
    """Reduces a window to its few numbers before TFMA copies it into every slice."""

    def process(self, extracts: dict[str, Any]) -> Iterable[Sums]:
        yield window_sums(extracts[tfma.FEATURES_KEY])


class _VariantPreprocessor(tfma.metrics.Preprocessor):
    """Reduces a window to what a further variant made of it."""

    def __init__(self, variant: str) -> None:
        # TFMA takes two preprocessors of one name for the same.
        super().__init__(name=f"_VariantPreprocessor_{variant}")
        self._feature = rank_features.rank_of_variant(variant)

    def process(self, extracts: dict[str, Any]) -> Iterable[Sums]:
        yield reference_sums(extracts[tfma.FEATURES_KEY], self._feature)


class _SumsCombiner(beam.CombineFn):
    """Adds up the windows."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self._keys = keys

    def create_accumulator(self) -> Sums:
        return np.zeros(len(self._keys), np.float64)

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


class SumsMetric(tfma.metrics.Metric, abc.ABC):
    """A metric that is a function of the sums, a further variant's among them where one is named.

    Args:
        name: Of the metric.
        variant: Whose ranks are summed as a reference of its name; "" for none.
        settings: What else the subclass was made with.
    """

    def __init__(self, name: str, variant: str = "", **settings: Any) -> None:
        self._variant = variant
        self._settings = {**settings, "variant": variant} if variant else settings
        super().__init__(self._computations, name=name)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the metric again; TFMA asks."""
        return {"name": self.name, **self._settings}

    @abc.abstractmethod
    def value(self, sums: WindowSums) -> float | None:
        """Returns the metric, or None where it does not apply and is left out."""

    def _computations(self, name: str, model_names: Sequence[str] | None = None) -> list[Any]:
        return [
            computation
            for model_name in model_names or [""]
            for computation in self._of_model(name, model_name)
        ]

    def _of_model(self, name: str, model_name: str) -> list[Any]:
        key = _MetricKey(name=name, model_name=model_name)
        sums = _sum_keys(_FIELDS, model_name)
        found = [_summing(sums, _SumsPreprocessor())]
        if self._variant:
            of_variant = _sum_keys(_reference_fields(self._variant), model_name)
            found.append(_summing(of_variant, _VariantPreprocessor(self._variant)))
            sums = {**sums, **of_variant}

        def derive(metrics: dict[Any, float]) -> dict[Any, float]:
            value = self.value(WindowSums({field: metrics[of] for field, of in sums.items()}))
            return {} if value is None else {key: value}

        return [*found, tfma.metrics.DerivedMetricComputation(keys=[key], result=derive)]


def _sum_keys(fields: Iterable[str], model_name: str) -> dict[str, Any]:
    return {field: _MetricKey(name=f"_sum_{field}", model_name=model_name) for field in fields}


def _summing(keys: dict[str, Any], preprocessor: Any) -> Any:
    return tfma.metrics.MetricComputation(
        keys=list(keys.values()), preprocessors=[preprocessor], combiner=_SumsCombiner(keys)
    )
