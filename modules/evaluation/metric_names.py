"""Names of metrics that other stages look up, and what epochs are chosen by."""

from __future__ import annotations

from collections.abc import Mapping

RECALL = "recall_at_10"
RECALL_OF_SIZES = "recall_at_10_of_sizes"
"""Of an epoch of an elastic model: the mean over the whole table, its half and its quarter."""
CHANGE_FROM_FLOAT32 = "recall_change_from_float32_at_10"


def recall_of(reference: str) -> str:
    """Names the recall@10 of a reference, or of a variant that is not the gated one."""
    return f"{RECALL}_{reference}"


def change_of_variant(variant: str) -> str:
    """Names the recall@10 of a variant that is not the gated one, minus that of float32."""
    return f"recall_change_of_{variant}_from_float32_at_10"


def chosen_by(epoch: Mapping[str, float]) -> float:
    """Returns what the weights of an epoch are kept by: the higher, the better.

    Args:
        epoch: Its metrics on eval windows.
    """
    return epoch.get(RECALL_OF_SIZES, epoch[RECALL])
