"""Weights in few bits, as LiteRT reads them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from components.tflite_converter.graph import Graph
from components.tflite_converter.weights import Bits, store_weights
from tests.components.tflite_converter.small_file import ask, large_constants, operators, tied

ROWS, WIDTH = 64, 8
IDS = np.array([[3, 60]], np.int32)


def integers(top: int, width: int = WIDTH) -> npt.NDArray[np.float32]:
    """A table of whole numbers from -top to it."""
    drawn = np.random.default_rng(5).integers(-top, top, (ROWS, width), endpoint=True)
    drawn[0, 0] = top
    return drawn.astype(np.float32)


def stored(table: npt.NDArray[np.float32], bits: Bits) -> Graph:
    graph = tied(table)
    store_weights(graph, bits)
    return graph


def context(width: int = WIDTH) -> npt.NDArray[np.float32]:
    """Codes of an int8 that reaches from -128 to 127, so that quantizing it costs nothing."""
    values = np.arange(width, dtype=np.float32) * 17 - 60
    values[:2] = [-128, 127]
    return values[np.newaxis]


@pytest.mark.parametrize("bits", list(Bits))
@pytest.mark.parametrize(
    ("top", "step", "kind", "size"),
    [(7, 0.25, "INT4", ROWS * WIDTH // 2), (1, 0.5, "INT2", ROWS * WIDTH // 4)],
)
def test_a_table_trained_for_few_bits_keeps_its_values(
    bits: Bits, top: int, step: float, kind: str, size: int
) -> None:
    table = integers(top) * np.float32(step)
    graph = stored(table, bits)
    assert operators(graph) == ["RESHAPE", "EMBEDDING_LOOKUP", "RESHAPE", "FULLY_CONNECTED"]
    # One tensor, which both operators read.
    assert large_constants(graph) == [(kind, (ROWS, WIDTH), size)]
    rows, scores = ask(graph, IDS, context())
    assert rows.tolist() == table[IDS].tolist()
    np.testing.assert_allclose(scores, context() @ table.T, rtol=1e-5, atol=1e-3)


def test_other_tables_get_8_bits_and_the_quicker_look_up() -> None:
    table = integers(127) * np.float32(0.01)
    graph = stored(table, Bits.EIGHT)
    assert operators(graph) == ["GATHER", "DEQUANTIZE", "FULLY_CONNECTED"]
    assert large_constants(graph) == [("INT8", (ROWS, WIDTH), ROWS * WIDTH)]
    rows, scores = ask(graph, IDS, context())
    # 127 levels a side are exact in 8 bits.
    np.testing.assert_allclose(rows, table[IDS], rtol=1e-6)
    np.testing.assert_allclose(scores, context() @ table.T, rtol=1e-5, atol=1e-3)


def test_other_tables_get_4_bits_where_these_are_asked_for() -> None:
    table = np.random.default_rng(6).normal(size=(ROWS, WIDTH)).astype(np.float32)
    graph = stored(table, Bits.FOUR)
    assert large_constants(graph) == [("INT4", (ROWS, WIDTH), ROWS * WIDTH // 2)]
    rows, _ = ask(graph, IDS, context())
    scale = graph.tensors[0].quantization.scale
    assert len(scale) == 1
    levels = rows / scale[0]
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    assert np.abs(rows - table[IDS]).mean() < 0.2


@pytest.mark.parametrize(
    ("width", "top", "kind"), [(7, 7, "INT8"), (6, 1, "INT4"), (6, 7, "INT4"), (8, 1, "INT2")]
)
def test_looked_up_rows_fill_whole_bytes(width: int, top: int, kind: str) -> None:
    # LiteRT returns wrong rows of others, without a word.
    table = integers(top, width)
    graph = stored(table, Bits.EIGHT)
    assert large_constants(graph)[0][0] == kind
    rows, scores = ask(graph, IDS, context(width))
    assert rows.tolist() == table[IDS].tolist()
    np.testing.assert_allclose(scores, context(width) @ table.T, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("width", [7, 8])
def test_a_matrix_has_a_step_for_each_row_in_4_bits_and_any_width(width: int) -> None:
    matrix = integers(7, width) + np.float32(0.01)
    matrix[:, 0] = np.arange(ROWS) + 8
    graph = tied(matrix)
    graph.operators = graph.operators[1:]
    graph.model.subgraphs[0].outputs = graph.operators[0].outputs
    graph.model.signatureDefs[0].outputs = graph.model.signatureDefs[0].outputs[1:]
    store_weights(graph, Bits.FOUR)
    assert operators(graph) == ["FULLY_CONNECTED"]
    assert large_constants(graph) == [("INT4", (ROWS, width), ROWS * width // 2)]
    assert len(graph.tensors[0].quantization.scale) == ROWS


def test_a_list_of_ids_needs_no_other_shape() -> None:
    graph = tied(integers(7), ids=[3])
    store_weights(graph, Bits.EIGHT)
    assert operators(graph) == ["EMBEDDING_LOOKUP", "FULLY_CONNECTED"]
    rows, _ = ask(graph, np.array([0, 63, 5], np.int32), context())
    assert rows.tolist() == integers(7)[[0, 63, 5]].tolist()


def test_small_constants_stay_as_they_are() -> None:
    graph = stored(integers(7)[:31], Bits.EIGHT)
    assert operators(graph) == ["GATHER", "FULLY_CONNECTED"]
    assert large_constants(graph) == [("FLOAT32", (31, WIDTH), 31 * WIDTH * 4)]
