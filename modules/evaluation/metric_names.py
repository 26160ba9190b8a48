"""Names of the Evaluator's metrics that other stages look up."""

from __future__ import annotations

RECALL = "recall_at_10"
CHANGE_FROM_FLOAT32 = "recall_change_from_float32_at_10"


def recall_of(reference: str) -> str:
    """Names the recall@10 of a reference, or of a variant that is not the gated one."""
    return f"{RECALL}_{reference}"


def change_of_variant(variant: str) -> str:
    """Names the recall@10 of a variant that is not the gated one, minus that of float32."""
    return f"recall_change_of_{variant}_from_float32_at_10"
