"""Quantizes activations of a float32 graph to int8, by the ranges that samples show.

LiteRT's own quantizer does the work (`ai_edge_quantizer`); what is decided here is where. These
stay in float32:

- sums that are next to nothing beside what is added up: LiteRT's kernel ends the process there;
- what holds the pushes that keep movies of the history out of the list, and the masks of
  attention: with a range of a billion, 256 steps tell nothing else apart;
- normalisations with what follows them value by value: a variance in 256 steps is often zero;
- softmax, whose weights of a long history are smaller than a step;
- products with tables of movies, the scores above all: in 256 steps a catalogue of thousands is
  mostly ties;
- products with matrices that were trained for 4 bits or fewer: they keep these.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from components.tflite_converter.flatbuffer import name_by_signature, parse, serialize
from components.tflite_converter.graph import Graph
from components.tflite_converter.samples import Samples
from components.tflite_converter.slimming import share_constants
from components.tflite_converter.weights import matrices_of_few_bits, tables

BATCH = 64
"""Windows that ranges are taken of at a time."""

SIGNATURE = "serving_default"

_KIND = schema.BuiltinOperator
_BITS = 8
_WIDEST_RANGE = 1e4
# The kernel of sums takes results of up to a 2^19th.
_SMALLEST_SHARE = 1e-4
_VALUE_BY_VALUE = {_KIND.ADD, _KIND.SUB, _KIND.MUL}
_NORMALISING = {_KIND.MEAN, _KIND.SQUARED_DIFFERENCE, _KIND.RSQRT, _KIND.SQRT, _KIND.DIV}
_QUANTIZED = _VALUE_BY_VALUE | {
    _KIND.BATCH_MATMUL,
    _KIND.CONCATENATION,
    _KIND.CONV_2D,
    _KIND.DEPTHWISE_CONV_2D,
    _KIND.FULLY_CONNECTED,
    _KIND.GATHER,
    _KIND.GELU,
    _KIND.LOGISTIC,
    _KIND.PAD,
    _KIND.RELU,
    _KIND.RESHAPE,
    _KIND.SPLIT,
    _KIND.STRIDED_SLICE,
    _KIND.TANH,
    _KIND.TRANSPOSE,
}


def quantize_activations(graph: Graph, samples: Samples) -> Graph:
    """Quantizes activations, and the weights that they meet, to int8.

    Inputs and outputs of the graph keep their types.

    Args:
        graph: A float32 graph with a signature.
        samples: Windows that ranges are taken of.

    Returns:
        Another graph; weights of what stays in float32 are not quantized yet.
    """
    # The quantizer uses an attribute of numpy that has to be imported first.
    import numpy.typing  # noqa: F401
    from ai_edge_quantizer import qtyping, quantizer

    _name_all(graph)
    content = bytearray(serialize(graph.model))
    everything = qtyping.TFLOperationName.ALL_SUPPORTED
    observer = quantizer.Quantizer(content)
    observer.add_static_config(".*", everything, _BITS, _BITS)
    ranges = observer.calibrate({SIGNATURE: _batches(samples)}, num_threads=1)
    chosen = _chosen(graph, _magnitudes(graph, ranges))
    if not chosen:
        raise ValueError("none of the graph's operators can be quantized with its activations")
    worker = quantizer.Quantizer(content)
    # The quantizer calls an operator by the names of its results.
    names = "|".join(re.escape("".join(f"{name};" for name in group)) for group in chosen)
    worker.add_static_config(f"^(?:{names})$", everything, _BITS, _BITS)
    result = worker.quantize(ranges, enable_progress_report=False, enable_progress_bar=False)
    quantized = parse(bytes(result.quantized_model))
    name_by_signature(quantized)
    share_constants(quantized)
    return Graph(quantized)


def _batches(samples: Samples) -> list[dict[str, npt.NDArray[Any]]]:
    count = len(next(iter(samples.values())))
    return [
        {name: values[start : start + BATCH] for name, values in samples.items()}
        for start in range(0, count, BATCH)
    ]


def _name_all(graph: Graph) -> None:
    for number, tensor in enumerate(graph.tensors):
        if tensor.name is None:
            tensor.name = f"t{number}".encode()
    graph.model.subgraphs[0].name = b"main"


def _name(graph: Graph, tensor: int) -> str:
    name = graph.tensors[tensor].name
    return name.decode() if isinstance(name, bytes) else str(name)


def _magnitudes(graph: Graph, ranges: Mapping[str, Any]) -> dict[int, float]:
    """Returns the largest magnitude that was seen of each tensor, by number."""
    found = {}
    for number in range(len(graph.tensors)):
        seen = ranges.get(_name(graph, number))
        if seen:
            found[number] = float(max(np.abs(seen["min"]).max(), np.abs(seen["max"]).max()))
    return found


def _chosen(graph: Graph, magnitudes: Mapping[int, float]) -> list[list[str]]:
    """Returns the results' names of each operator whose activations can be int8."""
    in_float = matrices_of_few_bits(graph) | tables(graph)
    normalised: set[int] = set()
    chosen = []
    for operator in graph.operators:
        kind = graph.kind(operator)
        read = {int(tensor) for tensor in operator.inputs if tensor >= 0}
        results = [int(tensor) for tensor in operator.outputs]
        if kind in _NORMALISING or (kind in _VALUE_BY_VALUE and read & normalised):
            normalised.update(results)
        elif (
            kind in _QUANTIZED
            and graph.tensors[results[0]].type == schema.TensorType.FLOAT32
            and not read & in_float
            and _in_range(read, results, magnitudes)
        ):
            chosen.append([_name(graph, result) for result in results])
    return chosen


def _in_range(
    read: Collection[int], results: Collection[int], magnitudes: Mapping[int, float]
) -> bool:
    given = max((magnitudes.get(tensor, 0.0) for tensor in read), default=0.0)
    returned = max(magnitudes.get(tensor, 0.0) for tensor in results)
    return max(given, returned) <= _WIDEST_RANGE and returned > _SMALLEST_SHARE * given
