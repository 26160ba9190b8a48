"""Whole models in few bits: every encoder, every variant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.tflite_converter import flatbuffer, worker
from components.tflite_converter.graph import Graph, shape_of
from components.tflite_converter.parity import Answers, HeldOut, top10_overlap
from components.tflite_converter.quantize import QUANTIZED, quantized
from components.tflite_converter.smoke import smoke_test
from modules.evaluation.litert import TopKModel
from modules.evaluation.ranking import Ragged
from modules.models import serving
from tests.components.tflite_converter import toy
from tests.components.tflite_converter.small_file import NAMES, TYPE, TYPES, operators

Converted = Callable[[str, str], bytes]

# Of random weights and tables, which are harder to round than trained ones.
OVERLAPS = {"int8": 0.85, "int8_full": 0.6, "int4": 0.45}


def checked(content: bytes, name: str) -> TopKModel:
    model = TopKModel(content, name)
    smoke_test(model, name=name, history_length=toy.LENGTH, movies=toy.MOVIES, top_k=toy.TOP_K)
    return model


def overlap(content: bytes, reference: bytes, encoder: str) -> float:
    samples = toy.samples(encoder, 256)
    context = samples.pop("context_movie_id").astype(np.int64)
    seen = Ragged(np.zeros(0, np.int64), np.zeros(len(context) + 1, np.int64))
    windows = HeldOut(context, np.ones(len(context), np.int64), seen, toy.MOVIES, samples)
    found, expected = (
        Answers(*TopKModel(model, "toy").predict(context, samples))
        for model in (content, reference)
    )
    return top10_overlap(found, expected, windows)


@pytest.mark.parametrize("variant", QUANTIZED)
@pytest.mark.parametrize("encoder", list(toy.ENCODERS | toy.OTHER_ENCODERS))
@pytest.mark.thorough
def test_every_encoder_has_every_variant(converted: Converted, encoder: str, variant: str) -> None:
    content = converted(encoder, variant)
    checked(content, variant)
    assert overlap(content, converted(encoder, "float32"), encoder) > OVERLAPS[variant]
    used = operators(Graph(flatbuffer.parse(content)))
    assert not {name for name in used if name in ("CUSTOM", "WHILE", "VAR_HANDLE")}


def test_int8_full_computes_between_products_in_8_bits_and_scores_in_float32(
    converted: Converted,
) -> None:
    graph = Graph(flatbuffer.parse(converted("cnn", "int8_full")))
    checked(flatbuffer.serialize(graph.model), "int8_full")
    types = {tensor.name: TYPES[tensor.type] for tensor in graph.tensors if tensor.name}
    assert types == {
        b"context_movie_id": "INT32",
        b"top_prediction_ids": "INT32",
        b"top_prediction_scores": "FLOAT32",
    }
    read: dict[str, set[str]] = {}
    for operator in graph.operators:
        given = graph.tensors[int(operator.inputs[0])]
        weights = graph.tensors[int(operator.inputs[1])] if len(operator.inputs) > 1 else given
        is_scores = shape_of(weights) == (toy.MOVIES + 1, toy.DIM)
        name = "scores" if is_scores else NAMES[graph.kind(operator)]
        read.setdefault(name, set()).add(TYPES[given.type])
    assert read["FULLY_CONNECTED"] == {"INT8"}
    assert read["scores"] == {"FLOAT32"}
    assert read["TOPK_V2"] == {"FLOAT32"}
    assert read["LOGISTIC"] == {"INT8"}


def test_int8_full_needs_samples(converted: Converted) -> None:
    with pytest.raises(ValueError, match="needs samples"):
        quantized(converted("bow", "float32"), "int8_full")
    with pytest.raises(ValueError, match="'float16' is none of"):
        quantized(converted("bow", "float32"), "float16")


@pytest.mark.parametrize(
    ("top", "kind", "per_byte"), [(7, TYPE.INT4, 2), (1, TYPE.INT2, 4)], ids=["int4", "int2"]
)
def test_a_table_trained_for_few_bits_ships_in_them_without_loss(
    top: int, kind: int, per_byte: int, tmp_path: Path
) -> None:
    model = toy.recommender("bow", scoring="dot")
    table = model.movie_tables[0]
    codes = np.random.default_rng(2).integers(-top, top, table.shape, endpoint=True)
    codes[0], codes[1, 0] = 0, top
    table.assign(codes * np.float32(0.1))
    serving.export(model, str(tmp_path / "model"), top_k=toy.TOP_K)
    files = {}
    for variant in ("float32", "float16"):
        worker.main([str(tmp_path / "model"), variant, str(tmp_path / variant)])
        files[variant] = (tmp_path / variant).read_bytes()
    for variant in QUANTIZED:
        files[variant] = quantized(files["float32"], variant, toy.samples("bow"))
        graph = Graph(flatbuffer.parse(files[variant]))
        (stored,) = [t for t in graph.tensors if shape_of(t) == table.shape]
        assert stored.type == kind
        data = graph.model.buffers[stored.buffer].data
        assert len(data) == codes.size // per_byte
    for variant, content in files.items():
        checked(content, variant)
        # What is left is the rounding of the encoder, and of the scores' activations.
        assert overlap(content, files["float32"], "bow") > (0.9 if "float" in variant else 0.75)


def test_a_table_of_two_bits_has_four_codes(tmp_path: Path) -> None:
    model = toy.recommender("bow", scoring="dot", item_table={"name": "dense", "bits": 2})
    serving.export(model, str(tmp_path / "model"), top_k=toy.TOP_K)
    worker.main([str(tmp_path / "model"), "float32", str(tmp_path / "float32")])
    whole = (tmp_path / "float32").read_bytes()
    small = quantized(whole, "int8", toy.samples("bow"))
    graph = Graph(flatbuffer.parse(small))
    (stored,) = [tensor for tensor in graph.tensors if tensor.type == TYPE.INT2]
    data = np.asarray(graph.model.buffers[stored.buffer].data, np.uint8)
    codes = data[:, np.newaxis] >> np.array([0, 2, 4, 6], np.uint8) & 3
    assert set(np.unique(codes)) == {0, 1, 2, 3}
    checked(small, "int8")
    assert overlap(small, whole, "bow") > 0.75


def test_a_table_of_two_bits_may_be_stored_in_four(tmp_path: Path) -> None:
    files = {}
    for stored_bits in (None, 4):
        table = {"name": "dense", "bits": 2, "stored_bits": stored_bits}
        model = toy.recommender("bow", scoring="dot", item_table=table)
        serving.export(model, str(tmp_path / "model"), top_k=toy.TOP_K)
        worker.main([str(tmp_path / "model"), "float32", str(tmp_path / "float32")])
        whole = (tmp_path / "float32").read_bytes()
        files[stored_bits] = quantized(whole, "int8", toy.samples("bow"))
    graph = Graph(flatbuffer.parse(files[4]))
    (stored,) = [t for t in graph.tensors if shape_of(t) == (toy.MOVIES + 1, toy.DIM)]
    assert stored.type == TYPE.INT4
    data = np.asarray(graph.model.buffers[stored.buffer].data, np.uint8)
    # Halves of a step, and a zero for padding.
    assert set(np.unique(np.stack([data & 15, data >> 4]))) == {0, 1, 3, 16 - 1, 16 - 3}
    kinds = [graph.kind(operator) for operator in graph.operators]
    others = Graph(flatbuffer.parse(files[None]))
    # Nothing is added to what was looked up, and nothing to the scores.
    assert len(kinds) < len(others.operators)
    checked(files[4], "int8")
    assert overlap(files[4], files[None], "bow") > 0.95


def test_bands_of_few_movies_are_as_short_in_a_file(tmp_path: Path) -> None:
    bands = [
        {"width": 8, "bits": 4},
        {"width": 4, "bits": 4, "movies": 200},
        {"width": 8, "bits": 2, "movies": 90},
    ]
    model = toy.recommender("bow", scoring="dot", item_table={"name": "dense", "bands": bands})
    serving.export(model, str(tmp_path / "model"), top_k=toy.TOP_K)
    worker.main([str(tmp_path / "model"), "float32", str(tmp_path / "float32")])
    whole = (tmp_path / "float32").read_bytes()
    small = quantized(whole, "int8", toy.samples("bow"))
    graph = Graph(flatbuffer.parse(small))
    stored = {shape_of(tensor): tensor.type for tensor in graph.tensors}
    # Four bits have a row of zeros for all others; two have no zero.
    expected = {(toy.MOVIES + 1, 8): TYPE.INT4, (202, 4): TYPE.INT4, (91, 8): TYPE.INT2}
    assert expected.items() <= stored.items()
    checked(small, "int8")
    assert overlap(small, whole, "bow") > 0.75


def test_what_was_trained_for_eight_bits_keeps_them_beside_weights_of_four(tmp_path: Path) -> None:
    table = {"name": "codebooks", "books": 4, "codes": 100}
    model = toy.recommender("bow", scoring="dot", item_table=table)
    serving.export(model, str(tmp_path / "model"), top_k=toy.TOP_K)
    worker.main([str(tmp_path / "model"), "float32", str(tmp_path / "float32")])
    whole = (tmp_path / "float32").read_bytes()
    small = quantized(whole, "int4", toy.samples("bow"))
    graph = Graph(flatbuffer.parse(small))
    (centroids,) = [t for t in graph.tensors if shape_of(t) == (400, 4)]
    assert centroids.type == TYPE.INT8
    assert TYPE.INT4 in {tensor.type for tensor in graph.tensors}
    checked(small, "int4")
    assert overlap(small, whole, "bow") > 0.75
