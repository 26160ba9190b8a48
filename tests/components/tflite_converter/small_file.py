"""A file small enough to compute by hand: rows of a table, and products with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from components.tflite_converter.flatbuffer import serialize
from components.tflite_converter.graph import Graph

KIND = schema.BuiltinOperator
TYPE = schema.TensorType
NAMES = {value: name for name, value in vars(KIND).items() if isinstance(value, int)}
TYPES = {value: name for name, value in vars(TYPE).items() if isinstance(value, int)}


def tied(table: npt.NDArray[np.float32], *, ids: Sequence[int] = (1, 2)) -> Graph:
    """Rows of a table by `ids`, and the product of `context` with the same table.

    Args:
        table: float32 [rows, width].
        ids: Shape of the ids.

    Returns:
        Inputs int32 `ids` and float32 `context` [1, width]; outputs float32 `rows` [*ids, width]
        and `scores` [1, rows].
    """
    rows, width = table.shape
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [], [schema.SubGraphT()]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.ascontiguousarray(table).view(np.uint8).reshape(-1)
    graph = Graph(model)
    model.subgraphs[0].tensors = []
    constant = graph.add_tensor(TYPE.FLOAT32, table.shape)
    graph.tensors[constant].buffer = 1
    given = graph.add_tensor(TYPE.INT32, ids)
    context = graph.add_tensor(TYPE.FLOAT32, [1, width])
    found = graph.add_tensor(TYPE.FLOAT32, [*ids, width])
    scores = graph.add_tensor(TYPE.FLOAT32, [1, rows])
    gather = graph.operator(KIND.GATHER, [constant, given], [found])
    product = graph.operator(KIND.FULLY_CONNECTED, [context, constant, -1], [scores])
    product.builtinOptions = schema.FullyConnectedOptionsT()
    product.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    graph.operators = [gather, product]
    model.subgraphs[0].inputs = np.array([given, context], np.int32)
    model.subgraphs[0].outputs = np.array([found, scores], np.int32)
    named = {"ids": given, "context": context, "rows": found, "scores": scores}
    for name, tensor in named.items():
        graph.tensors[tensor].name = name
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs = [_entry(name, named[name]) for name in ("ids", "context")]
    signature.outputs = [_entry(name, named[name]) for name in ("rows", "scores")]
    model.signatureDefs = [signature]
    return graph


def _entry(name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry


def ask(
    graph: Graph, ids: npt.NDArray[np.int32], context: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Runs `tied`; returns rows and scores."""
    interpreter = Interpreter(model_content=serialize(graph.model), num_threads=1)
    answers = interpreter.get_signature_runner("serving_default")(ids=ids, context=context)
    return answers["rows"], answers["scores"]


def operators(graph: Graph) -> list[str]:
    """Returns the names of a graph's operators, in their order."""
    return [NAMES[graph.kind(operator)] for operator in graph.operators]


def large_constants(graph: Graph, *, at_least: int = 16) -> list[tuple[str, tuple[int, ...], int]]:
    """Returns type, shape and bytes of each tensor with a large constant."""
    found = []
    for tensor in graph.tensors:
        data = graph.model.buffers[tensor.buffer].data
        if data is not None and len(data) >= at_least:
            shape = tuple(int(size) for size in tensor.shape)
            found.append((TYPES[tensor.type], shape, len(data)))
    return found
