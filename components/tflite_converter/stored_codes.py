"""Codes as constants of a graph, and the versions of the operators that read them."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.tflite_converter.codes import Codes, pack, unpack
from components.tflite_converter.graph import Graph, shape_of

_KIND = schema.BuiltinOperator
_TYPES = {8: schema.TensorType.INT8, 4: schema.TensorType.INT4, 2: schema.TensorType.INT2}
_BITS = {kind: bits for bits, kind in _TYPES.items()}

LOOKUP_VERSIONS = {
    schema.TensorType.INT8: 2,
    schema.TensorType.INT4: 4,
    schema.TensorType.INT2: 5,
}
"""The first versions of EMBEDDING_LOOKUP that read rows of these types."""

HYBRID_VERSIONS = {_KIND.FULLY_CONNECTED: 9, _KIND.CONV_2D: 6, _KIND.DEPTHWISE_CONV_2D: 6}
"""The first versions that read codes beside float32 activations, and quantize these around their
own middle."""


def store(graph: Graph, number: int, codes: Codes) -> None:
    """Makes a tensor, whose shape is that of the codes, a constant that holds them.

    Args:
        graph: Changed in place.
        number: Of the tensor.
        codes: What it will hold.
    """
    tensor = graph.tensors[number]
    buffer = schema.BufferT()
    buffer.data = pack(codes.values, codes.bits)
    graph.model.buffers.append(buffer)
    tensor.buffer = len(graph.model.buffers) - 1
    tensor.type = _TYPES[codes.bits]
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = codes.steps
    tensor.quantization.zeroPoint = np.zeros(len(codes.steps), np.int64)
    tensor.quantization.quantizedDimension = codes.axis


def stored(graph: Graph, number: int) -> Codes | None:
    """Reads what `store` wrote, or a converter in its place.

    Args:
        graph: Stays as it is.
        number: Of a tensor.

    Returns:
        None where it is no constant of codes around zero with a step for all or for each index of
        an axis.
    """
    tensor = graph.tensors[number]
    bits, parameters = _BITS.get(tensor.type), tensor.quantization
    data = graph.model.buffers[tensor.buffer].data
    if bits is None or data is None or parameters is None or parameters.scale is None:
        return None
    if parameters.details is not None or np.any(parameters.zeroPoint):
        return None
    values = unpack(np.asarray(data, np.uint8), bits, shape_of(tensor))
    steps = np.asarray(parameters.scale, np.float32)
    return Codes(bits, values, steps, int(parameters.quantizedDimension))


def add_codes(graph: Graph, codes: Codes) -> int:
    """Adds a constant that holds codes; returns its tensor's number."""
    number = graph.add_tensor(_TYPES[codes.bits], codes.values.shape)
    store(graph, number, codes)
    return number
