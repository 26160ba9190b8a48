"""Converts one variant in a child process that may crash, abort or hang.

TensorFlow's converter ends the whole process on some graphs, which nothing inside it can catch.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from components.tflite_converter.child_process import run, tail
from components.tflite_converter.quantize import CALIBRATED
from components.tflite_converter.samples import Samples, write_samples
from pipeline.errors import PocketRecError

WORKER = (sys.executable, "-m", "components.tflite_converter.worker")


class ConversionError(PocketRecError):
    """A variant that could not be made, or that does not do what it should."""


def convert(
    saved_model: str,
    variant: str,
    *,
    timeout_seconds: float,
    float32: bytes | None = None,
    samples: Samples | None = None,
    worker: Sequence[str] = WORKER,
) -> bytes:
    """Converts a SavedModel.

    Args:
        saved_model: Folder of the SavedModel.
        variant: A `VariantName`.
        timeout_seconds: After these the child process is ended.
        float32: The file of that variant, where it is there: those of fewer bits are made from it,
            and TensorFlow is not needed then.
        samples: What `CALIBRATED` takes the ranges of activations of.
        worker: Command of the child process; gets what to convert, the variant, the file to write,
            and a file of samples where there are any.

    Returns:
        Content of the `.tflite` file.

    Raises:
        ConversionError: The child process crashed, failed, wrote nothing or took too long; with
            the end of what it said.
    """
    with tempfile.TemporaryDirectory(prefix="pocketrec-convert-") as folder:
        output, log = Path(folder, f"{variant}.tflite"), Path(folder, "log")
        source, further = saved_model, []
        if float32 is not None:
            Path(folder, "source.tflite").write_bytes(float32)
            source = str(Path(folder, "source.tflite"))
        if variant == CALIBRATED and samples is not None:
            further = [str(write_samples(Path(folder, "samples.npz"), samples))]
        outcome = run([*worker, source, variant, str(output), *further], log, timeout_seconds)
        if outcome is None and output.is_file():
            return output.read_bytes()
        raise ConversionError(
            f"variant {variant} of {saved_model}: the conversion "
            f"{outcome or 'ended without writing a file'}. Leave {variant!r} out of "
            f"conversion.variants, or see the end of its log:\n{tail(log)}"
        )
