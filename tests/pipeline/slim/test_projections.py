"""Files of tables that are narrower than the model: their matrices are cut with them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from components.tflite_converter import elastic_tables
from components.tflite_converter.convert import ConversionError
from components.tflite_converter.elastic_tables import with_tables
from components.tflite_converter.flatbuffer import parse
from components.tflite_converter.graph import shape_of
from modules.evaluation.litert import TopKModel
from modules.models.item_tables.elastic_layout import Layout
from tests.pipeline.slim import elastic_toy
from tests.pipeline.slim.elastic_toy import MOVIES, Toy

# Matrices of fewer numbers stay in float32.
DIM, WIDTH = 100, 24


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    folder = tmp_path_factory.mktemp("toy")
    variants = ("float16", "int8", "int4")
    return elastic_toy.make(folder, variants=variants, dim=DIM, width=WIDTH, scoring="dot")


def cut(toy: Toy, variant: str, layout: Layout) -> bytes:
    steps = toy.table.master().steps(layout)
    return with_tables(toy.variants[variant], MOVIES + 1, WIDTH, steps)


def cut_without_matrices(
    monkeypatch: pytest.MonkeyPatch, toy: Toy, variant: str, layout: Layout
) -> bytes:
    with monkeypatch.context() as patched:
        patched.setattr(elastic_tables, "narrow_rows", lambda *_: False)
        patched.setattr(elastic_tables, "narrow_contexts", lambda *_: False)
        return cut(toy, variant, layout)


def answers(content: bytes) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    histories = elastic_toy.histories(24).astype(np.int64)
    return TopKModel(content, "cut").predict(histories, {})


def matrices(content: bytes) -> set[tuple[int, ...]]:
    """Shapes of the constants between the table's width and the model's."""
    model = parse(content)
    shapes = {
        shape_of(tensor)
        for tensor in model.subgraphs[0].tensors
        if model.buffers[tensor.buffer].data is not None
    }
    return {shape for shape in shapes if len(shape) == 2 and DIM in shape and shape[0] != shape[1]}


@pytest.mark.parametrize("variant", ["float32", "int8", "int4"])
@pytest.mark.parametrize("layout", [(3, 3, 3), (2, 2, 2), (3, 2, 1), (1, 1, 1)])
def test_matrices_keep_the_columns_of_the_widest_rows(
    toy: Toy, variant: str, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = cut(toy, variant, layout)
    whole = cut_without_matrices(monkeypatch, toy, variant, layout)
    columns = 6 * layout[0]
    assert matrices(whole) == {(DIM, WIDTH), (WIDTH, DIM)}
    assert matrices(narrow) == {(DIM, columns), (columns, DIM)}
    assert len(narrow) < len(whole)
    for found, expected in zip(answers(narrow), answers(whole), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_rows_that_are_left_keep_their_own_steps(toy: Toy) -> None:
    def steps(content: bytes) -> list[float]:
        """Of the matrix that makes contexts."""
        (found,) = [
            tensor.quantization.scale.tolist()
            for tensor in parse(content).subgraphs[0].tensors
            if shape_of(tensor) in ((WIDTH, DIM), (12, DIM)) and tensor.quantization is not None
        ]
        return found

    whole = steps(toy.variants["int4"])
    assert len(set(whole)) == WIDTH
    assert steps(cut(toy, "int4", (2, 2, 2))) == whole[:12]


def test_rows_that_fill_no_whole_bytes_are_refused(toy: Toy) -> None:
    steps = [
        dataclasses.replace(s, codes=s.codes[:, :5]) for s in toy.table.master().steps((2, 2, 2))
    ]
    with pytest.raises(ConversionError, match="rows of 5 numbers of 4 bits fill no whole bytes"):
        with_tables(toy.variants["int8"], MOVIES + 1, WIDTH, steps)


def test_all_columns_need_all_of_the_matrices(toy: Toy) -> None:
    assert matrices(cut(toy, "int8", (4, 4, 1))) == {(DIM, WIDTH), (WIDTH, DIM)}


def test_matrices_that_are_restored_first_stay_whole(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = cut_without_matrices(monkeypatch, toy, "float16", (2, 2, 2))
    assert cut(toy, "float16", (2, 2, 2)) == expected


def test_contexts_of_length_one_count_all_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = elastic_toy.make(tmp_path, dim=DIM, width=WIDTH, scoring="cosine")
    narrow = cut(toy, "float32", (2, 2, 2))
    assert matrices(narrow) == {(DIM, 12), (WIDTH, DIM)}
    whole = cut_without_matrices(monkeypatch, toy, "float32", (2, 2, 2))
    for found, expected in zip(answers(narrow), answers(whole), strict=True):
        np.testing.assert_array_equal(found, expected)
