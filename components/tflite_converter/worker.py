"""The child process of `convert`: `worker SAVED_MODEL VARIANT OUTPUT`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from components.tflite_converter.flatbuffer import finish
from pipeline.config.delivery import VariantName


def main(arguments: Sequence[str]) -> None:
    """Converts a SavedModel's `serving_default` and writes the file, whole or not at all.

    Args:
        arguments: Folder of the SavedModel, variant, file to write.

    Raises:
        ValueError: There is no such variant.
    """
    saved_model, variant, output = arguments
    content = finish(_convert(saved_model, variant))
    unfinished = Path(f"{output}.part")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(output)


def _convert(saved_model: str, variant: str) -> bytes:
    if variant not in get_args(VariantName):
        raise ValueError(f"variant {variant!r} is none of {get_args(VariantName)}")
    # Most of a conversion's time is this import: a wrong variant need not wait for it.
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        saved_model, signature_keys=["serving_default"]
    )
    if variant != "float32":
        # Without examples of inputs: dynamic range. Weights become int8, each product quantizes
        # its other side as it runs, and all else stays in float32.
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


if __name__ == "__main__":
    main(sys.argv[1:])
