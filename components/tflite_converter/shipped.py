"""What of a model's file ships: its bytes, or fewer of them."""

from __future__ import annotations

from pocketrec_device.gzipped import SUFFIX, gzipped


def shipped(content: bytes, *, gzip: bool) -> bytes:
    """Returns a `.tflite` as a bundle holds it.

    Args:
        content: The file.
        gzip: Whether it ships gzipped, see `ConversionConfig.gzip`.
    """
    return gzipped(content) if gzip else content


def shipped_file(variant: str, *, gzip: bool) -> str:
    """Returns the name of a variant's file in a bundle."""
    return f"{variant}.tflite{SUFFIX if gzip else ''}"
