"""What a served model may read beside the ids of the history: each input is described once, here.

Who feeds a model asks it for the names of its inputs, and takes the values out of windows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modules import features
from modules.user_attributes import ATTRIBUTES, CATEGORIES, id_feature
from pipeline.config.model import ModelConfig

_NOT_KNOWN = "0 = not known"


@dataclasses.dataclass(frozen=True)
class ServingInput:
    """An input of the signature.

    Attributes:
        name: In the signature.
        dtype: Of the tensor.
        per_event: Whether it is [batch, N], padded with 0 where the ids are; else [batch, 1].
        column: The feature of windows (see `modules.features`) that holds its values.
        meaning: For those who read a manifest.
        categories: Words of the ids 1, 2, ...; empty where values are no ids.
    """

    name: str
    dtype: Literal["int32", "float32"]
    per_event: bool
    column: str
    meaning: str
    categories: tuple[str, ...] = ()

    def shape(self, history_length: int) -> tuple[int | None, int]:
        """Returns the tensor's shape; None is the batch."""
        return (None, history_length if self.per_event else 1)


FURTHER_INPUTS: Mapping[str, ServingInput] = {
    described.name: described
    for described in (
        ServingInput(
            features.CONTEXT_RATING,
            "float32",
            True,
            features.CONTEXT_RATING,
            f"stars that the user gave to each movie of the history, 0.5 to 5; {_NOT_KNOWN}",
        ),
        ServingInput(
            features.CONTEXT_TIMESTAMP,
            "int32",
            True,
            features.CONTEXT_TIMESTAMP,
            f"when each movie of the history was watched, seconds since 1970 UTC; {_NOT_KNOWN}",
        ),
        ServingInput(
            features.REQUEST_TIMESTAMP,
            "int32",
            False,
            features.TARGET_TIMESTAMP,
            f"the moment to recommend for, seconds since 1970 UTC; {_NOT_KNOWN}",
        ),
        *(
            ServingInput(
                name,
                "int32",
                False,
                id_feature(name),
                f"{name.removeprefix('user_')} of the user, number of a category; {_NOT_KNOWN}",
                CATEGORIES[name],
            )
            for name in ATTRIBUTES
        ),
    )
}


def further_inputs(model: ModelConfig) -> tuple[ServingInput, ...]:
    """Returns what a model reads beside the ids, in the order of its signature.

    Args:
        model: The model's section.
    """
    names = []
    if model.reads_rating:
        names.append(features.CONTEXT_RATING)
    if model.reads_time:
        names.append(features.CONTEXT_TIMESTAMP)
    if model.reads_request_time:
        names.append(features.REQUEST_TIMESTAMP)
    names += model.user_features.attributes
    return tuple(FURTHER_INPUTS[name] for name in names)


def inputs_of_windows(names: Iterable[str], windows: Mapping[str, Any]) -> dict[str, Any]:
    """Takes the values of inputs out of windows.

    Args:
        names: Of inputs beside the ids.
        windows: Columns of windows [batch, ...] by feature name; more than needed does no harm.

    Returns:
        Arrays [batch, N] or [batch, 1] of the inputs' types, by input name.

    Raises:
        ValueError: There is no such input, or the windows lack its values.
    """
    taken = {}
    for name in names:
        if name not in FURTHER_INPUTS:
            raise ValueError(f"there is no input {name!r}; there are {sorted(FURTHER_INPUTS)}")
        described = FURTHER_INPUTS[name]
        values = windows.get(described.column)
        if values is None:
            raise ValueError(
                f"the model reads {name!r}: windows need the feature {described.column!r}, they "
                f"have {sorted(windows)}"
            )
        taken[name] = _as_type(np.asarray(values), described.dtype)
    return taken


def _as_type(values: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    if dtype == "int32":
        # Later than 2038 must not become 1901.
        return np.minimum(values, np.iinfo(np.int32).max).astype(np.int32)
    return values.astype(np.float32)
