"""Reads the windows that variants are compared on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow_transform as tft

from components.tflite_converter.parity import HeldOut
from modules import features
from modules.evaluation.ranking import Ragged
from modules.serving_inputs import ServingInput, inputs_of_windows
from modules.training.input import read_windows
from modules.user_attributes import ID_FEATURES


def read_held_out(
    folders: Sequence[str],
    graph_uri: str,
    *,
    movies: int,
    count: int,
    inputs: Sequence[ServingInput],
) -> HeldOut:
    """Reads transformed examples of a held-out split.

    Args:
        folders: Of the split's files.
        graph_uri: The `TransformGraph` that they were made with.
        movies: Size of its vocabulary.
        count: The first so many windows are taken.
        inputs: What the model reads beside the ids.

    Raises:
        DataError: Windows and vocabulary do not belong together.
    """
    spec = tft.TFTransformOutput(graph_uri).transformed_feature_spec()
    columns = {given.column for given in inputs}
    windows = read_windows(
        [f"{folder}/*" for folder in folders],
        spec,
        with_seen=True,
        movies=movies,
        with_rating=features.CONTEXT_RATING in columns,
        with_time=features.CONTEXT_TIMESTAMP in columns,
        with_user=not columns.isdisjoint(ID_FEATURES),
    ).first(count)
    return HeldOut(
        context=windows.context.astype(np.int64),
        # A held-out window has one target, and 0 elsewhere.
        target=windows.target.max(axis=1).astype(np.int64),
        seen=Ragged(windows.seen.astype(np.int64), windows.seen_splits),
        movies=movies,
        further=inputs_of_windows((given.name for given in inputs), windows.columns()),
    )
