"""A parsed file as a graph: what the passes over it ask for and change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

NUMPY_TYPES: dict[int, type[np.generic]] = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
    schema.TensorType.INT8: np.int8,
}

# Where an operator's code moved to when a byte was no longer enough for it.
_DEPRECATED_CODES = 127


class Graph:
    """The one graph of a parsed file, changed in place.

    Attributes:
        model: The schema's `ModelT`.
        operators: In the order in which they run.
        tensors: What operators refer to by number.
    """

    def __init__(self, model: Any) -> None:
        """Takes a parsed file.

        Args:
            model: What `flatbuffer.parse` returned.

        Raises:
            ValueError: There are several graphs in it, as of a loop.
        """
        if len(model.subgraphs) != 1:
            raise ValueError(f"expected one graph in the file, found {len(model.subgraphs)}")
        self.model = model

    @property
    def operators(self) -> list[Any]:
        """The operators, in the order in which they run."""
        operators: list[Any] = self.model.subgraphs[0].operators
        return operators

    @operators.setter
    def operators(self, operators: list[Any]) -> None:
        self.model.subgraphs[0].operators = operators

    @property
    def tensors(self) -> list[Any]:
        """The tensors, by number."""
        tensors: list[Any] = self.model.subgraphs[0].tensors
        return tensors

    def kind(self, operator: Any) -> int:
        """Returns the `BuiltinOperator` of an operator."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))

    def constant(self, tensor: int) -> npt.NDArray[Any] | None:
        """Returns a constant's values in their shape; None for other tensors and types."""
        described = self.tensors[tensor]
        data = self.model.buffers[described.buffer].data
        kind = NUMPY_TYPES.get(described.type)
        if data is None or not len(data) or kind is None:
            return None
        values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), kind)
        return values.reshape(shape_of(described))

    def outputs(self) -> list[int]:
        """Returns the numbers of the tensors that the graph returns."""
        return [int(tensor) for tensor in self.model.subgraphs[0].outputs]

    def add_tensor(self, kind: int, shape: Sequence[int]) -> int:
        """Adds a tensor of a `TensorType`, its shape being a batch of one's; returns its number."""
        tensor = schema.TensorT()
        tensor.type = kind
        tensor.shape = np.array(shape, np.int32)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def add_integers(self, values: Iterable[int]) -> int:
        """Adds a constant, int32 [values]; returns its number."""
        return self.add_constant(schema.TensorType.INT32, np.array(list(values), np.int32))

    def add_constant(self, kind: int, values: npt.NDArray[Any]) -> int:
        """Adds a constant of a `TensorType` and of these values' shape; returns its number."""
        buffer = schema.BufferT()
        buffer.data = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
        self.model.buffers.append(buffer)
        number = self.add_tensor(kind, values.shape)
        self.tensors[number].buffer = len(self.model.buffers) - 1
        return number

    def operator(
        self, kind: int, inputs: Sequence[int], outputs: Sequence[int], *, version: int = 1
    ) -> Any:
        """Makes an operator without settings, which still has to be put among `operators`."""
        operator = schema.OperatorT()
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array(outputs, np.int32)
        self.set_kind(operator, kind, version)
        return operator

    def set_kind(self, operator: Any, kind: int, version: int) -> None:
        """Makes an operator one of this kind and version."""
        codes = self.model.operatorCodes
        for index, code in enumerate(codes):
            known = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
            if (known, code.version) == (kind, version):
                operator.opcodeIndex = index
                return
        code = schema.OperatorCodeT()
        code.builtinCode = kind
        code.deprecatedBuiltinCode = min(kind, _DEPRECATED_CODES)
        code.version = version
        codes.append(code)
        operator.opcodeIndex = len(codes) - 1


def shape_of(tensor: Any) -> tuple[int, ...]:
    """Returns a tensor's shape for a batch of one."""
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
