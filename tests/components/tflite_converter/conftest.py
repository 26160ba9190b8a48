from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from components.tflite_converter import worker
from components.tflite_converter.quantize import is_quantized
from components.tflite_converter.samples import write_samples
from tests.components.tflite_converter import toy


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Folder of the SavedModel of an encoder."""

    @cache
    def make(encoder: str) -> str:
        folder = tmp_path_factory.mktemp(encoder) / "model"
        toy.export(encoder, folder)
        return str(folder)

    return make


@pytest.fixture(scope="session")
def converted(
    saved_model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], bytes]:
    """Content of a variant of an encoder.

    Converted in this process, which has TensorFlow loaded already: `test_executor` shows the same
    in a child process.
    """
    folder = tmp_path_factory.mktemp("converted")

    @cache
    def make(encoder: str, variant: str) -> bytes:
        output = Path(folder, f"{encoder}-{variant}.tflite")
        if is_quantized(variant):
            make(encoder, "float32")
            source = str(folder / f"{encoder}-float32.tflite")
        else:
            source = saved_model(encoder)
        samples = write_samples(folder / f"{encoder}.npz", toy.samples(encoder))
        worker.main([source, variant, str(output), str(samples)])
        return output.read_bytes()

    return make
