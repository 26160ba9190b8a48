from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tflite_converter import flatbuffer
from components.tflite_converter.graph import Graph, shape_of
from modules.evaluation.litert import TopKModel
from pipeline.config.delivery import VariantName
from tests.components.tflite_converter import toy
from tests.components.tflite_converter.small_file import NAMES

Converted = Callable[[str, str], bytes]
HISTORIES = np.array([[1, 2, 3, 0, 0, 0], [0, 0, 0, 0, 0, 300], [9, 8, 7, 6, 5, 4]], np.int64)


def answers(content: bytes) -> list[Any]:
    return [values.tolist() for values in TopKModel(content, "toy").predict(HISTORIES)]


@pytest.mark.parametrize("variant", get_args(VariantName))
@pytest.mark.parametrize("encoder", list(toy.ENCODERS | toy.OTHER_ENCODERS))
@pytest.mark.thorough
def test_a_tied_table_is_stored_once(converted: Converted, encoder: str, variant: str) -> None:
    size = {"float32": 4, "float16": 2, "int4": 0.5}.get(variant, 1)
    content = converted(encoder, variant)
    tables = [
        len(data)
        for _, data in flatbuffer.constants(content)
        if len(data) >= toy.MOVIES * toy.DIM * size
    ]
    assert tables == [(toy.MOVIES + 1) * toy.DIM * size]
    # One tensor of it, for input and scores alike; float16 has one more in float32 behind it.
    shapes = [shape_of(tensor) for tensor in flatbuffer.parse(content).subgraphs[0].tensors]
    assert shapes.count((toy.MOVIES + 1, toy.DIM)) == (2 if variant == "float16" else 1)


@pytest.mark.parametrize("encoder", list(toy.ENCODERS))
@pytest.mark.thorough
def test_inputs_and_outputs_have_the_names_of_the_signature(
    converted: Converted, encoder: str
) -> None:
    interpreter = Interpreter(model_content=converted(encoder, "int8"))
    names = {entry["name"] for entry in interpreter.get_input_details()}
    assert names == {"context_movie_id", *toy.inputs(encoder)}
    assert sorted(entry["name"] for entry in interpreter.get_output_details()) == [
        "top_prediction_ids",
        "top_prediction_scores",
    ]


@pytest.mark.parametrize("variant", ["int8", "int4"])
def test_both_ends_of_a_tied_model_read_one_tensor(converted: Converted, variant: str) -> None:
    graph = Graph(flatbuffer.parse(converted("cnn", variant)))
    readers = {
        NAMES[graph.kind(operator)]
        for operator in graph.operators
        for tensor in operator.inputs
        if tensor >= 0 and shape_of(graph.tensors[tensor]) == (toy.MOVIES + 1, toy.DIM)
    }
    look_up = {"int8": "GATHER", "int4": "EMBEDDING_LOOKUP"}[variant]
    assert readers == {look_up, "FULLY_CONNECTED"}


def test_constants_behind_the_flatbuffer_are_read(converted: Converted) -> None:
    content = converted("bow", "int8")
    parsed = flatbuffer.parse(content)
    behind = b""
    start = len(content) + 4096
    for buffer in parsed.buffers:
        if buffer.data is not None and len(buffer.data) > 1000:
            buffer.offset, buffer.size = start + len(behind), len(buffer.data)
            behind += np.asarray(buffer.data, np.uint8).tobytes()
            buffer.data = None
    assert behind
    apart = flatbuffer.serialize(parsed)
    apart += bytes(start - len(apart)) + behind
    assert flatbuffer.finish(apart) == content


def test_equal_constants_become_one_and_the_answers_stay(converted: Converted) -> None:
    content = converted("cnn", "int8")
    parsed = flatbuffer.parse(content)
    # Undo the sharing: every tensor gets a buffer of its own.
    for graph in parsed.subgraphs:
        for tensor in graph.tensors:
            if parsed.buffers[tensor.buffer].data is not None:
                parsed.buffers.append(parsed.buffers[tensor.buffer])
                tensor.buffer = len(parsed.buffers) - 1
    apart = flatbuffer.serialize(parsed)
    together = flatbuffer.finish(apart)
    assert len(apart) > len(together)
    assert len(together) == len(content)
    assert answers(apart) == answers(together) == answers(content)


def test_equal_descriptions_are_stored_once(converted: Converted) -> None:
    content = converted("lstm", "int8")
    parsed = flatbuffer.parse(content)
    operators = parsed.subgraphs[0].operators
    again = len(flatbuffer.serialize(parsed))
    parsed.subgraphs[0].operators = [*operators, *operators]
    twice = len(flatbuffer.serialize(parsed))
    # A table of an operator alone: its code, the places of its inputs, outputs and settings.
    assert again == len(content)
    assert (twice - again) / len(operators) <= 32


def test_constants_lie_at_multiples_of_16(converted: Converted) -> None:
    content = flatbuffer.embed_metadata(converted("cnn", "float32"), "odd", b"abc")
    found = 0
    for _, data in flatbuffer.constants(content):
        # Small values stand in many places by chance.
        if len(data) >= 256:
            assert content.index(data.tobytes()) % 16 == 0
            found += 1
    assert found >= 3


def test_finishing_twice_changes_nothing(converted: Converted) -> None:
    content = converted("bow", "float16")
    assert flatbuffer.finish(content) == content


@settings(max_examples=10, deadline=None)
@given(first=st.binary(min_size=1), second=st.binary(min_size=1, max_size=5000))
def test_metadata_comes_back_and_is_replaced(
    converted: Converted, first: bytes, second: bytes
) -> None:
    content = converted("bow", "int8")
    once = flatbuffer.embed_metadata(content, "mine", first)
    assert flatbuffer.read_metadata(once, "mine") == first
    both = flatbuffer.embed_metadata(once, "other", second)
    assert flatbuffer.read_metadata(both, "mine") == first
    assert flatbuffer.read_metadata(both, "other") == second
    replaced = flatbuffer.embed_metadata(both, "mine", second)
    assert flatbuffer.read_metadata(replaced, "mine") == second
    assert flatbuffer.read_metadata(replaced, "other") == second


def test_metadata_leaves_the_answers_alone(converted: Converted) -> None:
    content = converted("lstm", "int8")
    assert flatbuffer.read_metadata(content, "mine") is None
    assert answers(flatbuffer.embed_metadata(content, "mine", b"x" * 1001)) == answers(content)


def test_replaced_metadata_leaves_nothing_behind(converted: Converted) -> None:
    content = converted("bow", "int8")
    large = flatbuffer.embed_metadata(content, "mine", b"x" * 10_000)
    small = flatbuffer.embed_metadata(large, "mine", b"y" * 10)
    assert small == flatbuffer.embed_metadata(content, "mine", b"y" * 10)


def test_wrong_input_is_refused(converted: Converted) -> None:
    with pytest.raises(ValueError, match=r"not a \.tflite file: 4 bytes"):
        flatbuffer.read_metadata(b"junk", "mine")
    with pytest.raises(ValueError, match="'mine' is empty"):
        flatbuffer.embed_metadata(converted("bow", "int8"), "mine", b"")
    parsed = flatbuffer.parse(converted("bow", "int8"))
    parsed.signatureDefs = None
    with pytest.raises(ValueError, match="no signature"):
        flatbuffer.finish(flatbuffer.serialize(parsed))


def test_a_corrupted_table_still_loads_and_answers_otherwise(converted: Converted) -> None:
    content = converted("cnn", "int8")
    broken = toy.corrupt_table(content)
    assert len(broken) == len(content)
    assert answers(broken) != answers(content)
