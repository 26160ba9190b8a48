"""Catalogue coverage for TFMA: whether a model recommends more than a few favourites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma

from modules.evaluation import rank_features


class _ShownPreprocessor(tfma.metrics.Preprocessor):
    """Passes on what a window was recommended, and the catalogue's size."""

    def process(self, extracts: dict[str, Any]) -> Iterable[tuple[list[int], int]]:
        window = extracts[tfma.FEATURES_KEY]
        shown = np.asarray(window[rank_features.RECOMMENDED_MOVIE_ID]).reshape(-1)
        size = np.asarray(window[rank_features.CATALOGUE_SIZE]).reshape(-1)
        yield [int(movie) for movie in shown if movie], int(size.max())


class _ShownCombiner(beam.CombineFn):
    """Collects the distinct movies that were recommended."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def create_accumulator(self) -> tuple[set[int], int]:
        return set(), 0

    def add_input(
        self, accumulator: tuple[set[int], int], element: tuple[list[int], int]
    ) -> tuple[set[int], int]:
        movies, size = accumulator
        movies.update(element[0])
        return movies, max(size, element[1])

    def merge_accumulators(
        self, accumulators: Iterable[tuple[set[int], int]]
    ) -> tuple[set[int], int]:
        parts = list(accumulators)
        return set().union(*(movies for movies, _ in parts)), max(size for _, size in parts)

    def extract_output(self, accumulator: tuple[set[int], int]) -> dict[Any, float]:
        movies, size = accumulator
        return {self._key: len(movies) / size if size else float("nan")}


class CatalogueCoverage(tfma.metrics.Metric):
    """The share of the catalogue that reaches the first 10 of some window."""

    def __init__(self, name: str = "catalogue_coverage_at_10") -> None:
        super().__init__(_coverage_computations, name=name)


def _coverage_computations(name: str, model_names: Sequence[str] | None = None) -> list[Any]:
    keys = [
        tfma.metrics.MetricKey(name=name, model_name=model_name)
        for model_name in model_names or [""]
    ]
    return [
        tfma.metrics.MetricComputation(
            keys=[key], preprocessors=[_ShownPreprocessor()], combiner=_ShownCombiner(key)
        )
        for key in keys
    ]
