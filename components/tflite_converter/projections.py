"""Narrows the matrices around an item table to the columns that a cut table keeps.

Rows of another width than the model's pass a matrix on their way in, and contexts one before they
are scored. Where no row keeps its last columns, what these matrices hold for them is multiplied
with zeros, and need not ship.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from components.tflite_converter.graph import Graph, shape_of
from components.tflite_converter.stored_codes import add_codes, stored

_KIND = schema.BuiltinOperator
_FLOAT = schema.TensorType.FLOAT32


def narrow_rows(graph: Graph, rows: Sequence[int], width: int, kept: int) -> bool:
    """Cuts the matrices that read looked-up rows.

    Args:
        graph: Changed in place, or left as it is.
        rows: Tensors of looked-up rows, whose last axis is `width`.
        width: Of a whole row.
        kept: Columns from which on all is zero.

    Returns:
        Whether rows have `kept` columns now. Not so where something else than a matrix reads them,
        as in a model of the same width as its table, or where a matrix is no constant of the file,
        as in float16.
    """
    plan = _Plan(graph, width)
    if kept == width or not all(plan.forward(tensor) for tensor in rows):
        return False
    plan.carry_out(kept)
    return True


def narrow_contexts(graph: Graph, contexts: Sequence[int], width: int, kept: int) -> bool:
    """Cuts the matrices that make what is scored.

    Args:
        graph: Changed in place, or left as it is.
        contexts: Tensors that scores are made of, [batch, width].
        width: Of a whole row.
        kept: Columns from which on all rows are zero.

    Returns:
        Whether contexts have `kept` columns now. Not so where something else than a matrix makes
        them, such as their scaling to length one, which counts all columns.
    """
    plan = _Plan(graph, width)
    if kept == width or not all(plan.backward(tensor) for tensor in contexts):
        return False
    plan.carry_out(kept)
    return True


@dataclasses.dataclass
class _Plan:
    """What would have to change; nothing is until `carry_out`.

    Attributes:
        graph: Of it.
        width: Of a whole row.
        tensors: Whose last axis becomes shorter.
        reshapes: Operators that name that axis.
        matrices: Operators that read a matrix, and the axis of it that becomes shorter.
    """

    graph: Graph
    width: int
    tensors: list[int] = dataclasses.field(default_factory=list)
    reshapes: list[Any] = dataclasses.field(default_factory=list)
    matrices: list[tuple[Any, int]] = dataclasses.field(default_factory=list)

    def forward(self, tensor: int) -> bool:
        """Follows rows up to the matrices that read them; says whether nothing else does."""
        if tensor in self.graph.outputs():
            return False
        self.tensors.append(tensor)
        return all(self._passes(operator, tensor) for operator in self._readers(tensor))

    def backward(self, tensor: int) -> bool:
        """Finds the matrix that makes a context; says whether there is one, for scores alone."""
        graph = self.graph
        makers = [one for one in graph.operators if tensor in one.outputs]
        if len(makers) != 1 or len(self._readers(tensor)) != 1 or tensor in graph.outputs():
            return False
        (maker,) = makers
        if graph.kind(maker) != _KIND.FULLY_CONNECTED or any(
            bias >= 0 for bias in maker.inputs[2:]
        ):
            return False
        self.tensors.append(tensor)
        self.matrices.append((maker, 0))
        return self._can_be_cut(int(maker.inputs[1]), 0)

    def carry_out(self, kept: int) -> None:
        """Does what is planned, for so many columns."""
        graph = self.graph
        for number in self.tensors:
            tensor = graph.tensors[number]
            if tensor.shape is not None:
                tensor.shape = np.array([*shape_of(tensor)[:-1], kept], np.int32)
            tensor.shapeSignature = None
        for operator in self.reshapes:
            shape = graph.constant(int(operator.inputs[1]))
            assert shape is not None
            operator.inputs[1] = graph.add_integers([*shape[:-1].tolist(), kept])
            operator.builtinOptionsType, operator.builtinOptions = 0, None
        for operator, axis in self.matrices:
            operator.inputs[1] = _cut(graph, int(operator.inputs[1]), axis, kept)

    def _readers(self, tensor: int) -> list[Any]:
        return [one for one in self.graph.operators if tensor in one.inputs]

    def _passes(self, operator: Any, tensor: int) -> bool:
        graph, kind = self.graph, self.graph.kind(operator)
        inputs = [int(number) for number in operator.inputs]
        result = int(operator.outputs[0])
        if kind == _KIND.FULLY_CONNECTED and inputs[0] == tensor:
            self.matrices.append((operator, 1))
            return self._can_be_cut(inputs[1], 1)
        if kind == _KIND.RESHAPE:
            shape = graph.constant(inputs[1]) if len(inputs) == 2 else None
            if shape is None or shape[-1] != self.width:
                return False
            self.reshapes.append(operator)
            return self.forward(result)
        if kind == _KIND.MUL:
            (other,) = [number for number in inputs if number != tensor] or [tensor]
            # A number an event, the same for all columns.
            return shape_of(graph.tensors[other])[-1:] in ((), (1,)) and self.forward(result)
        return False

    def _can_be_cut(self, number: int, axis: int) -> bool:
        shape = shape_of(self.graph.tensors[number])
        return (
            len(shape) == 2
            and shape[axis] == self.width
            and (_numbers(self.graph, number) is not None or stored(self.graph, number) is not None)
        )


def _numbers(graph: Graph, number: int) -> npt.NDArray[Any] | None:
    """Returns the values of a float32 constant."""
    return graph.constant(number) if graph.tensors[number].type == _FLOAT else None


def _cut(graph: Graph, number: int, axis: int, kept: int) -> int:
    """Adds a matrix of the first rows (axis 0) or columns (1) of a constant; returns its number."""
    part = (slice(kept), slice(None)) if axis == 0 else (slice(None), slice(kept))
    numbers = _numbers(graph, number)
    if numbers is not None:
        return graph.add_constant(_FLOAT, numbers[part])
    codes = stored(graph, number)
    assert codes is not None
    each = axis == codes.axis and len(codes.steps) > 1
    steps = codes.steps[:kept] if each else codes.steps
    return add_codes(graph, dataclasses.replace(codes, values=codes.values[part], steps=steps))
