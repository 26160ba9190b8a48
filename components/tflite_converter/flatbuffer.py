"""Reads and edits `.tflite` files (flatbuffers) without TensorFlow.

A converted file is valid, but not yet what ships: its outputs carry TensorFlow's internal names,
equal constants may be stored more than once, and every intermediate result has a name that only
makes the file larger. The schema's classes come with LiteRT.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from components.tflite_converter.packing import IDENTIFIER, pack_model
from components.tflite_converter.slimming import renumber_buffers, slim


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
    parsed = schema.ModelT.InitFromPackedBuf(bytearray(model), 0)
    for buffer in parsed.buffers:
        # Large files may hold constants behind the flatbuffer.
        if buffer.offset > 1:
            buffer.data = np.frombuffer(model, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return parsed


def serialize(model: Any) -> bytes:
    """Packs what `parse` returned, as small as can be, constants aligned as the schema asks for."""
    return pack_model(model)


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
    name_by_signature(parsed)
    slim(parsed)
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
    renumber_buffers(parsed, lambda index: index)
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


def _check_identifier(model: bytes) -> None:
    if model[4:8] != IDENTIFIER:
        raise ValueError(
            f"not a .tflite file: {len(model)} bytes, {bytes(model[4:8])!r} where "
            f"{IDENTIFIER!r} should stand"
        )


def name_by_signature(model: Any) -> None:
    """Names inputs and outputs as in the signature, and nothing else.

    Args:
        model: The schema's `ModelT`, changed in place.

    Raises:
        ValueError: It has no signature.
    """
    if not model.signatureDefs:
        raise ValueError("the .tflite file has no signature: convert from a SavedModel")
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = None
    for signature in model.signatureDefs:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        for entry in [*signature.inputs, *signature.outputs]:
            tensors[entry.tensorIndex].name = entry.name


def _other_metadata(model: Any, name: str) -> list[Any]:
    return [entry for entry in model.metadata or [] if _text(entry.name) != name]


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
