"""From the float32 file to the variants of fewer bits."""

from __future__ import annotations

from typing import Literal, get_args

from components.tflite_converter.activations import quantize_activations
from components.tflite_converter.flatbuffer import name_by_signature, parse, serialize
from components.tflite_converter.graph import Graph
from components.tflite_converter.samples import Samples
from components.tflite_converter.slimming import share_constants, slim
from components.tflite_converter.weights import Bits, store_weights

QuantizedName = Literal["int8", "int8_full", "int4"]

QUANTIZED: tuple[QuantizedName, ...] = get_args(QuantizedName)
CALIBRATED = "int8_full"
"""The variant that needs samples."""


def is_quantized(variant: str) -> bool:
    """Whether a variant is made from the float32 file."""
    return variant in QUANTIZED


def quantized(float32: bytes, variant: str, samples: Samples | None = None) -> bytes:
    """Makes a variant of fewer bits.

    Args:
        float32: A `.tflite` file of that variant, as the converter wrote it or finished.
        variant: One of `QUANTIZED`.
        samples: For `CALIBRATED`: windows that the ranges of activations are taken of.

    Returns:
        A finished file, see `flatbuffer.finish`.

    Raises:
        ValueError: No such variant, samples that are missing, or not a file with one graph.
    """
    if not is_quantized(variant):
        raise ValueError(f"variant {variant!r} is none of {QUANTIZED}")
    model = parse(float32)
    name_by_signature(model)
    share_constants(model)
    graph = Graph(model)
    if variant == CALIBRATED:
        if not samples:
            raise ValueError(f"variant {variant!r} needs samples of what the model reads")
        graph = quantize_activations(graph, samples)
    store_weights(graph, Bits.FOUR if variant == "int4" else Bits.EIGHT)
    slim(graph.model)
    return serialize(graph.model)
