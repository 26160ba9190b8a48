"""The child process of `convert`: `worker SOURCE VARIANT OUTPUT [SAMPLES]`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from components.tflite_converter.flatbuffer import finish
from components.tflite_converter.quantize import is_quantized, quantized
from components.tflite_converter.samples import read_samples
from pipeline.config.delivery import VariantName


def main(arguments: Sequence[str]) -> None:
    """Converts a SavedModel's `serving_default` and writes the file, whole or not at all.

    Args:
        arguments: Folder of the SavedModel, or its float32 file where the variant has fewer bits;
            variant; file to write; file of samples, for the variant that needs any.

    Raises:
        ValueError: There is no such variant, or it needs samples.
    """
    source, variant, output, *further = arguments
    if variant not in get_args(VariantName):
        raise ValueError(f"variant {variant!r} is none of {get_args(VariantName)}")
    if is_quantized(variant):
        path = Path(source)
        float32 = path.read_bytes() if path.is_file() else _convert(source, "float32")
        samples = read_samples(Path(further[0])) if further else None
        content = quantized(float32, variant, samples)
    else:
        content = finish(_convert(source, variant))
    unfinished = Path(f"{output}.part")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(output)


def _convert(saved_model: str, variant: str) -> bytes:
    # Most of a conversion's time is this import: variants of fewer bits need not wait for it.
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        saved_model, signature_keys=["serving_default"]
    )
    if variant == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


if __name__ == "__main__":
    main(sys.argv[1:])
