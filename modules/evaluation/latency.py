"""What one recommendation takes on one thread of LiteRT, as a device asks for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from modules.evaluation.litert import SIGNATURE

WARM_UP = 100


def measure(
    model: bytes, inputs: Mapping[str, npt.NDArray[Any]], invocations: int
) -> dict[str, float]:
    """Times `Interpreter.invoke` alone, for a batch of one and another history each time.

    Args:
        model: Content of a `.tflite` file.
        inputs: Arrays [histories, ...] of the signature's inputs by name, rows taken in turn.
        invocations: How many to time.

    Returns:
        `median_ms`, `min_ms`.
    """
    # A heavy import that only the processes running the model need.
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    details = interpreter.get_signature_runner(SIGNATURE).get_input_details()
    places = {name: details[name]["index"] for name in inputs}
    for name, values in inputs.items():
        interpreter.resize_tensor_input(places[name], [1, *values.shape[1:]])
    interpreter.allocate_tensors()
    rows = len(next(iter(inputs.values())))
    taken = np.empty(invocations + WARM_UP)
    for i in range(len(taken)):
        for name, values in inputs.items():
            interpreter.set_tensor(places[name], values[i % rows][np.newaxis])
        began = time.perf_counter_ns()
        interpreter.invoke()
        taken[i] = time.perf_counter_ns() - began
    counted = taken[WARM_UP:] / 1e6
    return {"median_ms": float(np.median(counted)), "min_ms": float(counted.min())}
