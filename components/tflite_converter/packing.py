"""Packs a model so that nothing is written twice: the format's references allow for it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"

# The schema asks for it, so that interpreters may map the file and compute on it in place.
# Packing through the generated classes does not see to it.
_ALIGNMENT = 16


def pack_model(model: Any) -> bytes:
    """Packs a `ModelT`, as small as can be, constants aligned as the schema asks for."""
    model = copy.copy(model)
    model.subgraphs = [_with_shared_tables(graph) for graph in model.subgraphs]
    model.buffers = [_AlignedBuffer(buffer) for buffer in model.buffers]
    builder = _SharingBuilder(1024)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


class _SharingBuilder(flatbuffers.Builder):
    """Writes equal vectors once, those of shapes above all."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


class _SharedTable:
    """Packs a table once a file, however often it is referred to."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._packed: tuple[Any, int] | None = None

    def Pack(self, builder: Any) -> int:  # noqa: N802
        if self._packed is None or self._packed[0] is not builder:
            self._packed = (builder, self._table.Pack(builder))
        return self._packed[1]


class _AlignedBuffer:
    """Packs a `BufferT` with aligned content."""

    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - the generated classes call it so
        data = self._buffer.data
        vector = None
        if data is not None and len(data):
            content = np.asarray(data, np.uint8).tobytes()
            builder.StartVector(1, len(content), _ALIGNMENT)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        schema.BufferAddOffset(builder, self._buffer.offset)
        schema.BufferAddSize(builder, self._buffer.size)
        return schema.BufferEnd(builder)


def _with_shared_tables(graph: Any) -> Any:
    """Copies a graph, such that equal settings and equal descriptions of tensors are one table."""
    graph = copy.copy(graph)
    graph.operators = [copy.copy(operator) for operator in graph.operators]
    settings: dict[Any, _SharedTable] = {}
    for operator in graph.operators:
        if operator.builtinOptions is not None:
            key = (operator.builtinOptionsType, _content(operator.builtinOptions))
            operator.builtinOptions = settings.setdefault(
                key, _SharedTable(operator.builtinOptions)
            )
    described: dict[Any, _SharedTable] = {}
    graph.tensors = [
        described.setdefault(_content(tensor), _SharedTable(tensor)) for tensor in graph.tensors
    ]
    return graph


def _content(table: Any) -> tuple[Any, ...]:
    """Returns what a table holds, comparable."""
    return tuple((name, _value(value)) for name, value in sorted(vars(table).items()))


def _value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, Iterable):
        return tuple(_value(item) for item in value)
    return _content(value) if hasattr(value, "__dict__") else value
