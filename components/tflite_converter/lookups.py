"""Look-ups of rows in a constant table whose values were stored as codes.

There are two ways from a row of codes to numbers. GATHER copies rows as they are stored, and
DEQUANTIZE turns them into numbers: for 64 rows of 64 bytes that takes a microsecond, where
EMBEDDING_LOOKUP, which does both, takes four. GATHER does not know rows of less than a byte a
value; EMBEDDING_LOOKUP does, and takes one and a half microseconds.
"""

from __future__ import annotations

import math
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from components.tflite_converter.graph import Graph, shape_of
from components.tflite_converter.stored_codes import LOOKUP_VERSIONS

_KIND = schema.BuiltinOperator
_DEQUANTIZE_VERSION = 2


def reads_rows(graph: Graph, operator: Any) -> bool:
    """Whether an operator looks up rows of a matrix by int32 ids of any shape."""
    if graph.kind(operator) != _KIND.GATHER:
        return False
    options = operator.builtinOptions
    table, ids = (graph.tensors[int(tensor)] for tensor in operator.inputs)
    return (
        (options is None or (options.axis == 0 and options.batchDims == 0))
        and len(shape_of(table)) == 2
        and ids.type == schema.TensorType.INT32
    )


def look_up_codes(graph: Graph, gather: Any) -> list[Any]:
    """Returns the operators that read rows of a table of codes, instead of those of a float table.

    Args:
        graph: Gets the tensors between them.
        gather: What `reads_rows`; its table was stored as int8, int4 or int2 meanwhile.
    """
    table = graph.tensors[int(gather.inputs[0])]
    if table.type == schema.TensorType.INT8:
        return _copy_and_restore(graph, gather)
    return _look_up(graph, gather)


def _copy_and_restore(graph: Graph, gather: Any) -> list[Any]:
    table, found = int(gather.inputs[0]), int(gather.outputs[0])
    described = graph.tensors[found]
    rows = graph.add_tensor(schema.TensorType.INT8, shape_of(described))
    graph.tensors[rows].quantization = graph.tensors[table].quantization
    gather.outputs = [rows]
    restore = graph.operator(_KIND.DEQUANTIZE, [rows], [found], version=_DEQUANTIZE_VERSION)
    return [gather, restore]


def _look_up(graph: Graph, gather: Any) -> list[Any]:
    table, ids = (int(tensor) for tensor in gather.inputs)
    found = int(gather.outputs[0])
    version = LOOKUP_VERSIONS[graph.tensors[table].type]
    asked = shape_of(graph.tensors[ids])
    if len(asked) == 1:
        return [graph.operator(_KIND.EMBEDDING_LOOKUP, [ids, table], [found], version=version)]
    # The operator takes a list of ids, and returns one of rows.
    width = shape_of(graph.tensors[table])[1]
    count = math.prod(asked)
    flat = graph.add_tensor(schema.TensorType.INT32, [count])
    rows = graph.add_tensor(schema.TensorType.FLOAT32, [count, width])
    as_list = graph.add_integers([-1])
    # The batch comes first, and its size is the one that may vary.
    as_asked = graph.add_integers([-1, *shape_of(graph.tensors[found])[1:]])
    return [
        graph.operator(_KIND.RESHAPE, [ids, as_list], [flat]),
        graph.operator(_KIND.EMBEDDING_LOOKUP, [flat, table], [rows], version=version),
        graph.operator(_KIND.RESHAPE, [rows, as_asked], [found]),
    ]
