"""Reads and edits `.tflite` files (flatbuffers) without TensorFlow.

A converted file is valid, but not yet what ships: its outputs carry TensorFlow's internal names,
equal constants may be stored more than once, and every intermediate result has a name that only
makes the file larger. The schema's classes come with LiteRT.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"

# The schema asks for it, so that interpreters may map the file and compute on it in place.
# Packing through the generated classes does not see to it.
_ALIGNMENT = 16


def parse(model: bytes) -> Any:
    """Parses a file.

    Args:
        model: Content of a `.tflite` file.

    Returns:
        The schema's `ModelT`: nested Python objects that may be changed.

    Raises:
        ValueError: The content is not a TFLite flatbuffer.
    """
    _check_identifier(model)
    return schema.ModelT.InitFromPackedBuf(bytearray(model), 0)


def serialize(model: Any) -> bytes:
    """Packs what `parse` returned, as small as can be, constants aligned as the schema asks for."""
    model = copy.copy(model)
    model.subgraphs = _with_shared_options(model.subgraphs)
    model.buffers = [_AlignedBuffer(buffer) for buffer in model.buffers]
    builder = _SharingBuilder(1024)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def finish(model: bytes) -> bytes:
    """Makes a converted file fit to ship; what it computes is unchanged.

    Args:
        model: What the converter returned; must have a signature.

    Returns:
        The same graph, with inputs and outputs named as in its signature, every constant stored
        once, no names of intermediate results, and nothing else that says nothing. An unrolled
        LSTM has a thousand operators, whose descriptions would be a quarter of its file.

    Raises:
        ValueError: Not a TFLite file, or one without signatures.
    """
    parsed = parse(model)
    _name_by_signature(parsed)
    _share_buffers(parsed)
    _drop_empty_fields(parsed)
    return serialize(parsed)


def embed_metadata(model: bytes, name: str, payload: bytes) -> bytes:
    """Adds a named block to a file, in place of one of the same name.

    Interpreters ignore blocks that they do not know.

    Args:
        model: Content of a `.tflite` file.
        name: The block's name.
        payload: Its content, not empty.

    Raises:
        ValueError: Not a TFLite file, or an empty payload (which could not be told from none).
    """
    if not payload:
        raise ValueError(f"metadata {name!r} is empty")
    parsed = parse(model)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(payload, np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, len(parsed.buffers)
    parsed.metadata = [*_other_metadata(parsed, name), entry]
    parsed.buffers = [*parsed.buffers, buffer]
    _renumber_buffers(parsed, lambda index: index)
    return serialize(parsed)


def read_metadata(model: bytes, name: str) -> bytes | None:
    """Returns the named block of a file, or None where it holds none of that name.

    Raises:
        ValueError: Not a TFLite file.
    """
    _check_identifier(model)
    # Without unpacking the whole file: runtimes read metadata before anything else.
    root = schema.Model.GetRootAs(model, 0)
    for index in range(root.MetadataLength()):
        entry = root.Metadata(index)
        if _text(entry.Name()) == name:
            buffer = root.Buffers(entry.Buffer())
            return b"" if buffer.DataIsNone() else bytes(buffer.DataAsNumpy())
    return None


def constants(model: bytes) -> list[tuple[tuple[int, ...], npt.NDArray[np.uint8]]]:
    """Lists the stored constants, one entry a buffer, largest first.

    Args:
        model: Content of a `.tflite` file.

    Returns:
        The shape of the first tensor that uses the buffer, and its bytes.

    Raises:
        ValueError: Not a TFLite file.
    """
    parsed = parse(model)
    found: dict[int, tuple[int, ...]] = {}
    for graph in parsed.subgraphs:
        for tensor in graph.tensors:
            if parsed.buffers[tensor.buffer].data is not None:
                shape = () if tensor.shape is None else tensor.shape
                found.setdefault(tensor.buffer, tuple(int(size) for size in shape))
    listed = [(shape, np.asarray(parsed.buffers[i].data, np.uint8)) for i, shape in found.items()]
    return sorted(listed, key=lambda entry: -len(entry[1]))


class _SharingBuilder(flatbuffers.Builder):
    """Writes equal vectors once, those of shapes above all; the format allows for it."""

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


def _check_identifier(model: bytes) -> None:
    if model[4:8] != IDENTIFIER:
        raise ValueError(
            f"not a .tflite file: {len(model)} bytes, {bytes(model[4:8])!r} where "
            f"{IDENTIFIER!r} should stand"
        )


def _name_by_signature(model: Any) -> None:
    if not model.signatureDefs:
        raise ValueError("the .tflite file has no signature: convert from a SavedModel")
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = None
    for signature in model.signatureDefs:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        for entry in [*signature.inputs, *signature.outputs]:
            tensors[entry.tensorIndex].name = entry.name


def _share_buffers(model: Any) -> None:
    first_with: dict[bytes, int] = {}
    same_as: dict[int, int] = {}
    for index, buffer in enumerate(model.buffers):
        # Buffer 0 is the schema's sign for "no constant"; other empty ones may be variables.
        if buffer.data is None or len(buffer.data) == 0:
            same_as[index] = index
        else:
            content = np.asarray(buffer.data, np.uint8).tobytes()
            same_as[index] = first_with.setdefault(content, index)
    _renumber_buffers(model, lambda index: same_as[index])


def _drop_empty_fields(model: Any) -> None:
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            parameters = tensor.quantization
            if parameters is not None and parameters.scale is None and parameters.details is None:
                tensor.quantization = None
        for operator in graph.operators:
            for field in ("intermediates", "mutatingVariableInputs"):
                values = getattr(operator, field)
                if values is not None and not any(values):
                    setattr(operator, field, None)


def _with_shared_options(graphs: list[Any]) -> list[Any]:
    """Copies graphs, such that operators with equal settings refer to the same ones."""
    first: dict[tuple[Any, ...], _SharedTable] = {}
    copies = []
    for graph in graphs:
        operators = [copy.copy(operator) for operator in graph.operators]
        for operator in operators:
            options = operator.builtinOptions
            if options is None:
                continue
            values = tuple(
                (name, value.tobytes() if isinstance(value, np.ndarray) else value)
                for name, value in sorted(vars(options).items())
            )
            key = (operator.builtinOptionsType, values)
            operator.builtinOptions = first.setdefault(key, _SharedTable(options))
        copies.append(copy.copy(graph))
        copies[-1].operators = operators
    return copies


def _renumber_buffers(model: Any, target: Callable[[int], int]) -> None:
    """Sends every reference to `target` of it, and drops what nothing refers to any more."""
    holders = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    holders += model.metadata or []
    used = sorted({0} | {target(int(holder.buffer)) for holder in holders})
    place = {old: new for new, old in enumerate(used)}
    for holder in holders:
        holder.buffer = place[target(int(holder.buffer))]
    model.buffers = [model.buffers[old] for old in used]
    # An older form of `metadata`: numbers of buffers that no interpreter reads.
    model.metadataBuffer = None


def _other_metadata(model: Any, name: str) -> list[Any]:
    return [entry for entry in model.metadata or [] if _text(entry.name) != name]


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
