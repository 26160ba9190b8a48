"""Takes out of a parsed file what interpreters do not need; what it computes is unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.tflite_converter.graph import shape_of

# What the converter says of itself: which TensorFlow reads the file as it was converted, and how.
_CONVERTERS_BLOCKS = {"min_runtime_version", "CONVERSION_METADATA"}

_KIND = schema.BuiltinOperator


def slim(model: Any) -> None:
    """Makes a file small: equal constants once, nothing that says nothing, no idle operator.

    Args:
        model: The schema's `ModelT`, changed in place; inputs and outputs keep their names.
    """
    model.description = None
    kept = [entry for entry in model.metadata or [] if _text(entry.name) not in _CONVERTERS_BLOCKS]
    model.metadata = kept or None
    share_constants(model)
    for index, graph in enumerate(model.subgraphs):
        graph.name = None
        signatures = [s for s in model.signatureDefs or [] if s.subgraphIndex == index]
        _take_out_idle_operators(model, graph)
        _drop_unused_tensors(graph, signatures)
        _describe_shortly(graph)
    _drop_unused_codes(model)
    renumber_buffers(model, lambda buffer: buffer)


def share_constants(model: Any) -> None:
    """Stores equal constants once, and lets all operators read the same tensor.

    Args:
        model: The schema's `ModelT`, changed in place.
    """
    _share_buffers(model)
    for graph in model.subgraphs:
        _use_equal_constants_once(model, graph)


def renumber_buffers(model: Any, target: Callable[[int], int]) -> None:
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


def _share_buffers(model: Any) -> None:
    first_with: dict[bytes, int] = {}
    same_as: dict[int, int] = {}
    for index, buffer in enumerate(model.buffers):
        # Buffer 0 is the schema's sign for "no constant".
        content = b"" if buffer.data is None else np.asarray(buffer.data, np.uint8).tobytes()
        same_as[index] = first_with.setdefault(content, index) if content else 0
    renumber_buffers(model, lambda index: same_as[index])


def _use_equal_constants_once(model: Any, graph: Any) -> None:
    first: dict[Any, int] = {}
    same_as: dict[int, int] = {}
    for index, tensor in enumerate(graph.tensors):
        if tensor.name is None and model.buffers[tensor.buffer].data is not None:
            parameters = tensor.quantization
            scale = None if parameters is None else parameters.scale
            steps = None if scale is None else tuple(float(step) for step in scale)
            key = (tensor.buffer, tensor.type, shape_of(tensor), steps)
            same_as[index] = first.setdefault(key, index)
    _redirect(graph, same_as)


def _take_out_idle_operators(model: Any, graph: Any) -> None:
    kinds = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    same_as: dict[int, int] = {}
    needed = {int(tensor) for tensor in graph.outputs}
    working = []
    for operator in graph.operators:
        source, result = int(operator.inputs[0]), int(operator.outputs[0])
        kind = kinds[operator.opcodeIndex]
        if result not in needed and _is_idle(model, graph, kind, operator):
            same_as[result] = same_as.get(source, source)
        else:
            working.append(operator)
    graph.operators = working
    _redirect(graph, same_as)


def _is_idle(model: Any, graph: Any, kind: int, operator: Any) -> bool:
    """Whether an operator returns what it was given, for a batch of any size."""
    given, returned = (graph.tensors[int(t)] for t in (operator.inputs[0], operator.outputs[0]))
    # What was slimmed before does not tell the sizes that vary any more.
    if not (given.hasRank and returned.hasRank):
        return False
    before, after = _signature(given), _signature(returned)
    # With one size that varies, equal shapes are equal for each of its values.
    if before != after or not before or before.count(-1) > 1:
        return False
    if kind == _KIND.RESHAPE:
        return True
    if kind != _KIND.STRIDED_SLICE:
        return False
    begin, strides = (_integers(model, graph, operator.inputs[place]) for place in (1, 3))
    options = operator.builtinOptions
    masks = (options.ellipsisMask, options.newAxisMask, options.shrinkAxisMask)
    if begin is None or strides is None or any(begin) or (strides != 1).any() or any(masks):
        return False
    whole = [size != -1 or options.endMask >> axis & 1 for axis, size in enumerate(before)]
    return all(whole)


def _signature(tensor: Any) -> tuple[int, ...]:
    """Returns a shape with -1 for sizes that vary."""
    if tensor.shapeSignature is None:
        return shape_of(tensor)
    return tuple(int(size) for size in tensor.shapeSignature)


def _integers(model: Any, graph: Any, tensor: int) -> Any:
    data = model.buffers[graph.tensors[int(tensor)].buffer].data
    return None if data is None else np.frombuffer(np.asarray(data, np.uint8).tobytes(), np.int32)


def _redirect(graph: Any, same_as: dict[int, int]) -> None:
    for operator in graph.operators:
        operator.inputs = np.array(
            [same_as.get(int(tensor), int(tensor)) for tensor in operator.inputs], np.int32
        )


def _drop_unused_tensors(graph: Any, signatures: Iterable[Any]) -> None:
    lists = [graph.inputs, graph.outputs]
    for operator in graph.operators:
        lists += [operator.inputs, operator.outputs]
        # Scratch tensors of recurrent operators: part of them like inputs.
        lists += [] if operator.intermediates is None else [operator.intermediates]
    used = sorted({int(tensor) for numbers in lists for tensor in numbers if tensor >= 0})
    place = {old: new for new, old in enumerate(used)} | {-1: -1}

    def moved(numbers: Any) -> Any:
        return np.array([place[int(tensor)] for tensor in numbers], np.int32)

    graph.inputs, graph.outputs = moved(graph.inputs), moved(graph.outputs)
    for operator in graph.operators:
        operator.inputs, operator.outputs = moved(operator.inputs), moved(operator.outputs)
        if operator.intermediates is not None:
            operator.intermediates = moved(operator.intermediates)
    for signature in signatures:
        for entry in [*signature.inputs, *signature.outputs]:
            entry.tensorIndex = place[int(entry.tensorIndex)]
    graph.tensors = [graph.tensors[old] for old in used]


def _describe_shortly(graph: Any) -> None:
    for tensor in graph.tensors:
        parameters = tensor.quantization
        if parameters is not None and parameters.scale is None and parameters.details is None:
            tensor.quantization = None
        # Who runs a graph works the shapes of results out, for the batch that it is given.
        if tensor.name is None and tensor.shape is not None:
            tensor.shapeSignature, tensor.hasRank = None, False
    for operator in graph.operators:
        for field in ("intermediates", "mutatingVariableInputs"):
            values = getattr(operator, field)
            if values is not None and not any(values):
                setattr(operator, field, None)
        if operator.builtinOptions is not None and _says_nothing(operator):
            operator.builtinOptionsType, operator.builtinOptions = 0, None


def _says_nothing(operator: Any) -> bool:
    """Whether an operator's settings are all zero, as which interpreters take missing ones."""
    ignored = set()
    if isinstance(operator.builtinOptions, schema.ReshapeOptionsT) and len(operator.inputs) == 2:
        # An older form of the second input.
        ignored = {"newShape"}
    if isinstance(operator.builtinOptions, (schema.AddOptionsT, schema.SubOptionsT)):
        # Of 16-bit sums, which no variant has.
        ignored = {"potScaleInt16"}
    settings = vars(operator.builtinOptions)
    return not any(np.any(value) for name, value in settings.items() if name not in ignored)


def _drop_unused_codes(model: Any) -> None:
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({int(operator.opcodeIndex) for operator in operators})
    place = {old: new for new, old in enumerate(used)}
    for operator in operators:
        operator.opcodeIndex = place[int(operator.opcodeIndex)]
    model.operatorCodes = [model.operatorCodes[old] for old in used]


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
