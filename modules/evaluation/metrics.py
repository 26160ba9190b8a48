"""The gate's metrics for TFMA, all from the ranks of the test windows.

One pass sums what each window adds; every metric is derived from the sums. A metric that cannot be
computed is NaN, and no threshold accepts NaN. TFMA loads the classes by their names; a class with
the name of a metric of its own (`Recall`, `NDCG`) would never be loaded.
"""

from __future__ import annotations

import numpy as np

from modules.evaluation.window_sums import K, SumsMetric, WindowSums


class WindowCount(SumsMetric):
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


class RecallAtK(SumsMetric):
    """Recall@k: the share of windows whose target is among the first k."""

    def __init__(self, name: str, k: int) -> None:
        """Makes the metric; `k` is one of `RECALL_KS`."""
        super().__init__(name, k=k)
        self._k = k

    def value(self, sums: WindowSums) -> float:
        """Returns the share."""
        return sums.mean(f"hits_{self._k}")


class NdcgAtK(SumsMetric):
    """NDCG@10 with one target."""

    def __init__(self, name: str = "ndcg_at_10") -> None:
        super().__init__(name)

    def value(self, sums: WindowSums) -> float:
        """Returns the mean over windows."""
        return sums.mean("ndcg")


class MeanReciprocalRank(SumsMetric):
    """Mean reciprocal rank within the list that the model returns."""

    def __init__(self, name: str = "mrr") -> None:
        super().__init__(name)

    def value(self, sums: WindowSums) -> float:
        """Returns the mean over windows."""
        return sums.mean("reciprocal_rank")


class ReferenceRecall(SumsMetric):
    """Recall@10 of one of `REFERENCES` on the same windows; left out where there is none."""

    def __init__(self, name: str, reference: str) -> None:
        super().__init__(name, reference=reference)
        self._reference = reference

    def value(self, sums: WindowSums) -> float | None:
        """Returns the share, or None without such a reference."""
        if not sums.has_reference(self._reference):
            return None
        return sums.reference_recall(self._reference)


class RecallMarginOverPopularity(SumsMetric):
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


class RecallChange(SumsMetric):
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


class VariantRecall(SumsMetric):
    """Recall@10 of a variant other than the gated one; NaN where it did not rank all windows."""

    def __init__(self, name: str, variant: str) -> None:
        super().__init__(name, variant=variant)

    def value(self, sums: WindowSums) -> float:
        """Returns the share."""
        return sums.reference_recall(self._variant)


class VariantRecallChange(SumsMetric):
    """Recall@10 of a variant other than the gated one, minus that of float32."""

    def __init__(self, name: str, variant: str) -> None:
        super().__init__(name, variant=variant)

    def value(self, sums: WindowSums) -> float:
        """Returns the difference."""
        return sums.reference_recall(self._variant) - sums.reference_recall("float32")
