from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from components.tflite_converter.flatbuffer import embed_metadata, parse, serialize
from components.tflite_converter.graph import Graph
from components.tflite_converter.slimming import slim
from tests.components.tflite_converter.small_file import KIND, TYPE, ask, operators, tied

TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)
IDS, CONTEXT = np.array([[2, 0]], np.int32), np.ones((1, 3), np.float32)


def passed_on(kind: int, shape: list[int], further: list[list[int]], options: Any = None) -> Graph:
    """`tied`, whose context passes an operator first that returns it in the given shape."""
    graph = tied(TABLE)
    context = int(graph.model.subgraphs[0].inputs[1])
    result = graph.add_tensor(TYPE.FLOAT32, [abs(size) for size in shape])
    for number, signature in ((context, [-1, 3]), (result, shape)):
        graph.tensors[number].shapeSignature = np.array(signature, np.int32)
        graph.tensors[number].hasRank = True
    constants = [graph.add_integers(values) for values in further]
    operator = graph.operator(kind, [context, *constants], [result])
    operator.builtinOptions = options
    if options is not None:
        operator.builtinOptionsType = schema.BuiltinOptions.StridedSliceOptions
    product = graph.operators[1]
    product.inputs = np.array([result, *product.inputs[1:]], np.int32)
    graph.operators = [graph.operators[0], operator, product]
    return graph


def sliced(end_mask: int, begin: list[int]) -> Graph:
    options = schema.StridedSliceOptionsT()
    options.endMask = end_mask
    return passed_on(KIND.STRIDED_SLICE, [-1, 3], [begin, [1, 3], [1, 1]], options)


@pytest.mark.parametrize(
    ("graph", "idle"),
    [
        (passed_on(KIND.RESHAPE, [-1, 3], [[-1, 3]]), True),
        (passed_on(KIND.RESHAPE, [1, 3], [[1, 3]]), False),
        (sliced(end_mask=1, begin=[0, 0]), True),
        # Ends after the first row of any batch.
        (sliced(end_mask=0, begin=[0, 0]), False),
        (sliced(end_mask=1, begin=[0, -3]), False),
    ],
    ids=["reshape", "reshape of one", "slice of all", "slice of one", "slice from another place"],
)
def test_operators_that_return_what_they_get_are_taken_out(graph: Graph, idle: bool) -> None:
    before = [values.tolist() for values in ask(graph, IDS, CONTEXT)]
    assert before[1] == [[3.0, 12.0, 21.0, 30.0]]
    slim(graph.model)
    assert len(operators(graph)) == (2 if idle else 3)
    assert [values.tolist() for values in ask(graph, IDS, CONTEXT)] == before


def test_shapes_that_were_dropped_tell_nothing() -> None:
    graph = passed_on(KIND.RESHAPE, [-1, 3], [[-1, 3]])
    for tensor in graph.tensors:
        tensor.hasRank = False
    slim(graph.model)
    assert len(operators(graph)) == 3


def test_an_operator_before_an_output_stays() -> None:
    graph = passed_on(KIND.RESHAPE, [-1, 3], [[-1, 3]])
    result = int(graph.operators[1].outputs[0])
    model = graph.model
    model.subgraphs[0].outputs = np.array([*model.subgraphs[0].outputs[:1], result], np.int32)
    model.signatureDefs[0].outputs[1].tensorIndex = result
    graph.tensors[result].name = "scores"
    graph.operators = graph.operators[:2]
    slim(model)
    assert operators(graph) == ["GATHER", "RESHAPE"]
    assert ask(graph, IDS, CONTEXT)[1].tolist() == CONTEXT.tolist()


def test_what_the_converter_says_of_itself_is_left_out_and_all_else_stays() -> None:
    content = serialize(tied(TABLE).model)
    for name in ("min_runtime_version", "mine", "CONVERSION_METADATA"):
        content = embed_metadata(content, name, b"words")
    model = parse(content)
    model.description = "MLIR Converted."
    slim(model)
    assert [entry.name for entry in model.metadata] == [b"mine"]
    assert model.description is None


def test_constants_and_tensors_that_nothing_refers_to_are_left_out() -> None:
    graph = tied(TABLE)
    plain = len(serialize(graph.model))
    graph.add_integers(range(1000))
    graph.add_tensor(TYPE.FLOAT32, [5, 5])
    graph.set_kind(graph.operator(KIND.TANH, [1], [2]), KIND.TANH, 1)
    assert len(serialize(graph.model)) > plain + 4000
    slim(graph.model)
    assert len(graph.tensors) == 5
    assert len(graph.model.buffers) == 2
    assert len(graph.model.operatorCodes) == 2
    rows, scores = ask(graph, IDS, CONTEXT)
    assert rows.tolist() == TABLE[IDS].tolist()
    assert scores.tolist() == [[3.0, 12.0, 21.0, 30.0]]


def test_equal_constants_become_one_tensor() -> None:
    graph = tied(TABLE)
    buffer = schema.BufferT()
    buffer.data = graph.model.buffers[1].data.copy()
    graph.model.buffers.append(buffer)
    again = graph.add_tensor(TYPE.FLOAT32, TABLE.shape)
    graph.tensors[again].buffer = 2
    graph.operators[0].inputs = np.array([again, graph.operators[0].inputs[1]], np.int32)
    slim(graph.model)
    assert graph.operators[0].inputs[0] == graph.operators[1].inputs[1]
    assert len(graph.model.buffers) == 2


def test_settings_that_are_all_zero_are_left_out_and_others_kept() -> None:
    graph = tied(TABLE)
    slim(graph.model)
    assert graph.operators[1].builtinOptions is None
    graph = tied(TABLE)
    graph.operators[1].builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU
    slim(graph.model)
    _, scores = ask(graph, IDS, -CONTEXT)
    assert scores.tolist() == [[0.0] * 4]


def test_any_batch_still_runs() -> None:
    graph = tied(TABLE)
    for number in graph.model.subgraphs[0].inputs:
        tensor = graph.tensors[int(number)]
        tensor.shapeSignature = np.array([-1, *tensor.shape[1:]], np.int32)
    slim(graph.model)
    interpreter = Interpreter(model_content=serialize(graph.model))
    run = interpreter.get_signature_runner("serving_default")
    answers = run(ids=np.repeat(IDS, 3, axis=0), context=np.repeat(CONTEXT, 3, axis=0))
    assert answers["rows"].shape == (3, 2, 3)
    assert answers["scores"].tolist() == [[3.0, 12.0, 21.0, 30.0]] * 3
