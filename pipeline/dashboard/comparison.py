"""The model against what it has to beat: popularity, its own float32 form, the champion."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pipeline.dashboard import glossary, slices
from pipeline.dashboard.evaluation import Evaluation

MODEL = "model"
"""Key of the model itself among the recommenders."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Recall of all recommenders on one slice.

    Attributes:
        slice: Where.
        by_recommender: A measure by `MODEL` or key of `glossary.RECOMMENDERS`; whoever did not
            rank every window of the slice is left out.
    """

    slice: slices.Slice
    by_recommender: Mapping[str, slices.Measure]

    def difference(self, reference: str) -> float | None:
        """Returns the model's recall minus a reference's; None where either is missing."""
        own, other = self.by_recommender.get(MODEL), self.by_recommender.get(reference)
        return None if own is None or other is None else own.value - other.value


def compare(evaluation: Evaluation, k: int = glossary.GATED_K) -> list[Comparison]:
    """Compares recall@k on every slice on which the model has it."""
    names = {MODEL: f"recall_at_{k}"} | {
        key: f"recall_at_{k}_{key}" for key in glossary.RECOMMENDERS
    }
    rows = []
    for one in slices.slices(evaluation):
        values = evaluation.slices[one.name]
        found = {
            key: measure
            for key, name in names.items()
            if (measure := slices.measure(one, glossary.metric(name), values))
        }
        if MODEL in found:
            rows.append(Comparison(one, found))
    return rows


def references(rows: Sequence[Comparison]) -> list[str]:
    """Returns the keys of the recommenders that any slice knows, the model left out."""
    return [key for key in glossary.RECOMMENDERS if any(key in row.by_recommender for row in rows)]


def recall_by_k(evaluation: Evaluation) -> dict[str, list[tuple[int, slices.Measure]]]:
    """Returns recall on the whole test split at every K that was measured, by recommender.

    Returns:
        (K, measure) with rising K, by `MODEL` or key of `glossary.RECOMMENDERS`.
    """
    whole = next((one for one in slices.slices(evaluation) if one.family == slices.OVERALL), None)
    curves: dict[str, list[tuple[int, slices.Measure]]] = {}
    for metric in slices.metrics(evaluation) if whole else ():
        if metric.k is None or not metric.is_share or metric.group == glossary.OF_VARIANTS:
            continue
        assert whole is not None
        found = slices.measure(whole, metric, evaluation.slices[whole.name])
        if found:
            curves.setdefault(metric.reference or MODEL, []).append((metric.k, found))
    return {key: sorted(points, key=lambda point: point[0]) for key, points in curves.items()}
