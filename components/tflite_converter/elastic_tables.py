"""Puts the tables of a budget into a converted file, in the place of its item table.

A file reads its table twice: a look-up of the history's rows, and a product with all of them. Both
get the tables of a staircase: rows that keep as many blocks are a table of their own. A look-up in
each gives zeros for the rows of others, so that the sum is what was looked up; scores of each are
put side by side. Where all rows keep as many blocks, there is one table, and hardly more operators
than before. A table's own row of zeros stands at its ends. Matrices between the table's width and
the model's are cut to the columns that some row keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.tflite_converter.codes import Codes
from components.tflite_converter.convert import ConversionError
from components.tflite_converter.flatbuffer import parse, serialize
from components.tflite_converter.graph import Graph, shape_of
from components.tflite_converter.projections import narrow_contexts, narrow_rows
from components.tflite_converter.slimming import slim
from components.tflite_converter.stored_codes import HYBRID_VERSIONS, LOOKUP_VERSIONS, add_codes
from modules.models.item_tables.elastic_master import TableStep

_KIND = schema.BuiltinOperator
_FLOAT, _INT = schema.TensorType.FLOAT32, schema.TensorType.INT32


def with_tables(content: bytes, rows: int, width: int, steps: Sequence[TableStep]) -> bytes:
    """Replaces a file's item table.

    Args:
        content: A `.tflite` file with one item table for look-ups and scores, of any type; what
            surrounds it computes in float32.
        rows: Of the table: movies and padding.
        width: Of a row.
        steps: The new tables, in the order of rows.

    Returns:
        The file without metadata of PocketRec.

    Raises:
        ConversionError: There is no such table in it, or a row's numbers fill no whole bytes.
    """
    for step in steps:
        if step.codes.shape[1] * step.bits % 8:
            raise ConversionError(
                f"rows of {step.codes.shape[1]} numbers of {step.bits} bits fill no whole bytes, "
                "and LiteRT looks up no others: train with fewer item_table.blocks"
            )
    graph = Graph(parse(content))
    graph.model.metadata = None
    readers = _Readers(graph, rows, width)
    found = [(operator, readers.of(operator)) for operator in graph.operators]
    if readers.seen != {"look_up", "scores"}:
        raise ConversionError(
            f"the file has no item table of {rows} rows and {width} columns that look-ups and "
            "scores read in float32"
        )
    kept = max(step.codes.shape[1] for step in steps)
    looked_up = [reader.result for _, reader in found if reader and reader.kind == "look_up"]
    contexts = [reader.given for _, reader in found if reader and reader.kind == "scores"]
    tables = _Tables(
        graph,
        rows,
        steps,
        width=kept if narrow_rows(graph, looked_up, width, kept) else width,
        context_width=kept if narrow_contexts(graph, contexts, width, kept) else width,
    )
    operators: list[Any] = []
    for operator, reader in found:
        if reader is None:
            operators.append(operator)
        elif reader.kind == "look_up":
            operators += tables.look_up(reader.given, reader.result)
        elif reader.kind == "scores":
            operators += tables.scores(reader.given, reader.result, operator.inputs[2:])
    graph.operators = operators
    slim(graph.model)
    return serialize(graph.model)


class _Reader:
    """An operator that reads the table, or that nobody needs without it (`kind` "none")."""

    def __init__(self, kind: str, given: int = -1, result: int = -1) -> None:
        self.kind, self.given, self.result = kind, given, result


class _Readers:
    """Recognises the readers of the table, whichever way the file stores it."""

    def __init__(self, graph: Graph, rows: int, width: int) -> None:
        self.seen: set[str] = set()
        self._graph = graph
        # Constants of the table's shape, and what restores their numbers.
        self._tables = {
            number
            for number, tensor in enumerate(graph.tensors)
            if shape_of(tensor) == (rows, width)
            and graph.model.buffers[tensor.buffer].data is not None
        }
        # Rows that were copied as codes: the ids that they are of.
        self._copied: dict[int, int] = {}

    def of(self, operator: Any) -> _Reader | None:
        kind = self._graph.kind(operator)
        inputs = [int(tensor) for tensor in operator.inputs]
        result = int(operator.outputs[0])
        if kind == _KIND.DEQUANTIZE and inputs[0] in self._tables:
            self._tables.add(result)
            return _Reader("none")
        if kind == _KIND.DEQUANTIZE and inputs[0] in self._copied:
            return self._found("look_up", self._copied[inputs[0]], result)
        if kind == _KIND.GATHER and inputs[0] in self._tables:
            return self._looked_up(inputs[1], result)
        if kind == _KIND.EMBEDDING_LOOKUP and inputs[1] in self._tables:
            return self._looked_up(inputs[0], result)
        if (
            kind == _KIND.FULLY_CONNECTED
            and inputs[1] in self._tables
            and all(tensor < 0 for tensor in inputs[2:])
            and self._graph.tensors[inputs[0]].type == _FLOAT
        ):
            return self._found("scores", inputs[0], result)
        return None

    def _looked_up(self, ids: int, result: int) -> _Reader:
        if self._graph.tensors[result].type != _FLOAT:
            self._copied[result] = ids
            return _Reader("none")
        return self._found("look_up", ids, result)

    def _found(self, kind: str, given: int, result: int) -> _Reader:
        self.seen.add(kind)
        return _Reader(kind, given, result)


class _Tables:
    """The new tables as constants of a graph, and the operators that read them."""

    def __init__(
        self,
        graph: Graph,
        rows: int,
        steps: Sequence[TableStep],
        *,
        width: int,
        context_width: int,
    ) -> None:
        self._graph, self._rows, self._steps = graph, rows, steps
        self._width, self._context_width = width, context_width
        self._numbers = [self._constant(step) for step in steps]

    def look_up(self, ids: int, result: int) -> list[Any]:
        """Returns operators that give float32 rows of int32 ids of any shape."""
        graph = self._graph
        made: list[Any] = []
        if len(shape_of(graph.tensors[ids])) != 1:
            flat = graph.add_tensor(_INT, [1])
            made.append(graph.operator(_KIND.RESHAPE, [ids, graph.add_integers([-1])], [flat]))
            ids = flat
        sums = []
        for step, table in zip(self._steps, self._numbers, strict=True):
            own = self._own_ids(step, ids, made)
            count = step.codes.shape[1]
            found = graph.add_tensor(_FLOAT, [1, count])
            version = LOOKUP_VERSIONS[graph.tensors[table].type]
            made.append(
                graph.operator(_KIND.EMBEDDING_LOOKUP, [own, table], [found], version=version)
            )
            if count < self._width:
                whole = graph.add_tensor(_FLOAT, [1, self._width])
                padding = self._integers([[0, 0], [0, self._width - count]])
                made.append(graph.operator(_KIND.PAD, [found, padding], [whole]))
                found = whole
            sums.append(found)
        while len(sums) > 1:
            both = graph.add_tensor(_FLOAT, [1, self._width])
            made.append(graph.operator(_KIND.ADD, [sums.pop(0), sums.pop(0)], [both]))
            sums.insert(0, both)
        shape = shape_of(graph.tensors[result])
        as_asked = graph.add_integers([-1, *shape[1:]])
        made.append(graph.operator(_KIND.RESHAPE, [sums[0], as_asked], [result]))
        return made

    def scores(self, context: int, result: int, bias: Sequence[int]) -> list[Any]:
        """Returns operators that multiply a context with all rows.

        Args:
            context: What is multiplied, float32 [batch, context width].
            result: Where the scores go.
            bias: What stands for the bias that the product does not have; may be empty.
        """
        graph = self._graph
        made: list[Any] = []
        parts = []
        for step, table in zip(self._steps, self._numbers, strict=True):
            rows, count = shape_of(graph.tensors[table])
            given = context
            if count < self._context_width:
                given = self._columns(context, 0, count, made)
            alone = len(self._steps) == 1
            part = result if alone else graph.add_tensor(_FLOAT, [1, rows])
            inputs = [given, table, *bias]
            version = HYBRID_VERSIONS[_KIND.FULLY_CONNECTED]
            operator = graph.operator(_KIND.FULLY_CONNECTED, inputs, [part], version=version)
            operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
            operator.builtinOptions = schema.FullyConnectedOptionsT()
            operator.builtinOptions.asymmetricQuantizeInputs = True
            made.append(operator)
            own = len(step.codes)
            if rows > own:
                first = int(step.start > 0)
                part = self._columns(part, first, first + own, made)
            parts.append(part)
        if len(parts) > 1:
            joined = graph.operator(_KIND.CONCATENATION, parts, [result])
            joined.builtinOptionsType = schema.BuiltinOptions.ConcatenationOptions
            joined.builtinOptions = schema.ConcatenationOptionsT()
            joined.builtinOptions.axis = 1
            made.append(joined)
        return made

    def _columns(self, values: int, start: int, end: int, made: list[Any]) -> int:
        """Returns some columns of float32 [batch, columns]."""
        result = self._graph.add_tensor(_FLOAT, [1, end - start])
        places = [self._graph.add_integers(place) for place in ([0, start], [0, end], [1, 1])]
        operator = self._graph.operator(_KIND.STRIDED_SLICE, [values, *places], [result])
        operator.builtinOptionsType = schema.BuiltinOptions.StridedSliceOptions
        operator.builtinOptions = schema.StridedSliceOptionsT()
        # All of the batch.
        operator.builtinOptions.beginMask = operator.builtinOptions.endMask = 1
        made.append(operator)
        return result

    def _own_ids(self, step: TableStep, ids: int, made: list[Any]) -> int:
        """Returns the ids of rows in a step's table, those of zeros for rows of others."""
        end = step.start + len(step.codes)
        if step.start:
            ids = self._with_integer(_KIND.SUB, ids, step.start - 1, made)
            ids = self._with_integer(_KIND.MAXIMUM, ids, 0, made)
            end += 1 - step.start
        if step.start + len(step.codes) < self._rows:
            ids = self._with_integer(_KIND.MINIMUM, ids, end, made)
        return ids

    def _with_integer(self, kind: int, ids: int, value: int, made: list[Any]) -> int:
        result = self._graph.add_tensor(_INT, [1])
        operator = self._graph.operator(kind, [ids, self._graph.add_integers([value])], [result])
        made.append(operator)
        return result

    def _constant(self, step: TableStep) -> int:
        before = int(step.start > 0)
        after = int(step.start + len(step.codes) < self._rows)
        values = np.pad(step.codes, [(before, after), (0, 0)])
        return add_codes(self._graph, Codes(step.bits, values, np.array([step.step], np.float32)))

    def _integers(self, values: Sequence[Sequence[int]]) -> int:
        number = self._graph.add_integers([value for row in values for value in row])
        tensor = self._graph.tensors[number]
        tensor.shape = np.array([len(values), len(values[0])], np.int32)
        return number
