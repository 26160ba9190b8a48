"""Runs a `.tflite` recommender as the device does: LiteRT, its default delegates, one thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from modules import features
from modules.evaluation.ranking import FloatArray, IntArray
from modules.serving_inputs import FURTHER_INPUTS

SIGNATURE = "serving_default"
BATCH = 256
"""Windows in one invocation; the graph takes any number, more than this saves no time."""


class TopKModel:
    """A loaded `.tflite` file with the signature of the device contract.

    Attributes:
        inputs: Names of what it reads beside the ids, see `modules.serving_inputs`.
    """

    def __init__(self, content: bytes, name: str) -> None:
        """Loads the model.

        Args:
            content: The file's bytes.
            name: What to call the model in errors.

        Raises:
            ValueError: The file is no TFLite model, or its signature is another one.
        """
        # A heavy import that only the processes running the model need.
        from ai_edge_litert.interpreter import Interpreter

        self._name = name
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=1)
            signature = self._interpreter.get_signature_list().get(SIGNATURE)
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{name}: LiteRT cannot load it: {error}") from error
        outputs = [features.TOP_PREDICTION_IDS, features.TOP_PREDICTION_SCORES]
        needed = {features.CONTEXT_MOVIE_ID}
        if signature is None or not needed <= set(signature["inputs"]) <= {
            *needed,
            *FURTHER_INPUTS,
        }:
            raise ValueError(
                f"{name}: needs a signature {SIGNATURE!r} with the input "
                f"{features.CONTEXT_MOVIE_ID!r} and at most {sorted(FURTHER_INPUTS)} beside it, "
                f"has {self._interpreter.get_signature_list()}"
            )
        if sorted(signature["outputs"]) != outputs:
            raise ValueError(f"{name}: needs outputs {outputs}, has {signature['outputs']}")
        self.inputs = tuple(further for further in FURTHER_INPUTS if further in signature["inputs"])
        self._runner = self._interpreter.get_signature_runner(SIGNATURE)
        self._details = self._runner.get_input_details()
        self._history_length = int(self._details[features.CONTEXT_MOVIE_ID]["shape_signature"][-1])

    def predict(
        self, context: IntArray, further: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Recommends for a batch of histories.

        Args:
            context: int64 [batch, N], vocabulary ids, oldest first, 0 = padding.
            further: At least the `inputs` by name, [batch, N] or [batch, 1].

        Returns:
            Vocabulary ids int64 [batch, K] and scores float32 [batch, K], best first.

        Raises:
            ValueError: The model does not take this history or fails on it.
        """
        given = {features.CONTEXT_MOVIE_ID: context, **(further or {})}
        missing = [name for name in self.inputs if name not in given]
        if missing:
            raise ValueError(f"{self._name}: reads {missing} beside the history")
        # LiteRT would take any length, and answer from whatever its operations make of it.
        if context.ndim != 2 or context.shape[1] != self._history_length:
            raise ValueError(
                f"{self._name}: takes histories of shape [batch, {self._history_length}], got "
                f"{list(context.shape)}"
            )
        ids: list[npt.NDArray[np.int64]] = []
        scores: list[npt.NDArray[np.float32]] = []
        for name in self.inputs:
            described = FURTHER_INPUTS[name]
            expected = (len(context), described.shape(self._history_length)[1])
            if given[name].shape != expected:
                raise ValueError(
                    f"{self._name}: takes {name} of shape {list(expected)}, got "
                    f"{list(given[name].shape)}"
                )
        for start in range(0, len(context), BATCH):
            batch = {
                name: np.ascontiguousarray(
                    given[name][start : start + BATCH], dtype=details["dtype"]
                )
                for name, details in self._details.items()
            }
            try:
                outputs = self._runner(**batch)
            except (ValueError, RuntimeError) as error:
                shape = batch[features.CONTEXT_MOVIE_ID].shape
                raise ValueError(
                    f"{self._name}: fails on a history of shape {shape}: {error}"
                ) from error
            ids.append(outputs[features.TOP_PREDICTION_IDS].astype(np.int64))
            scores.append(outputs[features.TOP_PREDICTION_SCORES].astype(np.float32))
        for movie_ids, values in zip(ids, scores, strict=True):
            if movie_ids.ndim != 2 or movie_ids.shape != values.shape:
                raise ValueError(
                    f"{self._name}: ids {movie_ids.shape} and scores {values.shape} must both "
                    "be [batch, K]"
                )
        return np.concatenate(ids), np.concatenate(scores)
