"""Inputs and outputs of a model as its bundle's manifest describes them, for machines to read."""

from __future__ import annotations

from typing import Any

from components.registry_pusher.conversion import Conversion
from modules import features
from modules.serving_inputs import FURTHER_INPUTS
from pocketrec_device.manifest import HISTORY_INPUT, OLDEST_FIRST, PADDING_ID, SIGNATURE, UNKNOWN


def signature(conversion: Conversion) -> dict[str, Any]:
    """Returns names, types and shapes (-1 = batch), padding and meaning of all tensors.

    Args:
        conversion: The converter's report.
    """
    length, top_k = conversion.history_length, conversion.top_k
    return {
        "name": SIGNATURE,
        "inputs": [
            {
                "name": features.CONTEXT_MOVIE_ID,
                "dtype": "int32",
                "shape": [-1, length],
                "order": OLDEST_FIRST,
                "padding": {"id": PADDING_ID, "sides": ["left", "right"]},
            },
            *(_further_input(name, length) for name in conversion.further_inputs),
        ],
        "outputs": [
            _output(features.TOP_PREDICTION_IDS, "int32", top_k),
            _output(features.TOP_PREDICTION_SCORES, "float32", top_k),
        ],
    }


def _further_input(name: str, length: int) -> dict[str, Any]:
    described = FURTHER_INPUTS[name]
    entry: dict[str, Any] = {
        "name": name,
        "dtype": described.dtype,
        "shape": [-1, described.shape(length)[1]],
    }
    if described.per_event:
        # Each value stands where its movie stands.
        entry |= {"order": OLDEST_FIRST, "padding": {"value": UNKNOWN, "like": HISTORY_INPUT}}
    if described.categories:
        # The first word is number 1.
        entry["categories"] = list(described.categories)
    return {**entry, "unknown": UNKNOWN, "meaning": described.meaning}


def _output(name: str, dtype: str, top_k: int) -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": [-1, top_k], "order": "falling_score"}
