"""Writes a bundle as the artifact that the converter would have made of its model.

The layout is that of `components.tflite_converter.layout`, as far as the gate reads it. An artifact
without a model holds one file, `NO_MODEL`, that says why.
"""

from __future__ import annotations

import json
import posixpath

from tfx.dsl.io import fileio

from components.tflite_converter.layout import (
    GATED,
    REPORT,
    VOCABULARY,
    variant_file,
    write_file,
)
from pocketrec_device.bundle import Bundle

NO_MODEL = "NO_MODEL"


def write_champion(uri: str, bundle: Bundle) -> None:
    """Writes a model.

    Args:
        uri: The artifact's folder.
        bundle: The model; every file is checked against its digest.

    Raises:
        BundleError: A file is missing or differs from its digest.
    """
    bundle.verify()
    manifest = bundle.manifest
    for name in manifest.variants:
        write_file(posixpath.join(uri, variant_file(name)), bundle.model(name))
    write_file(posixpath.join(uri, GATED), bundle.model())
    lines = "".join(f"{movie.movie_id}\n" for movie in bundle.movies)
    write_file(posixpath.join(uri, VOCABULARY), lines.encode())
    report = {
        "history": {
            "length": manifest.history_length,
            "padding": manifest.padding,
            "min_history": manifest.min_history,
            "min_rating": manifest.min_rating,
        },
        "top_k": manifest.top_k,
        "movies": len(bundle.movies),
        "gated": manifest.default_variant,
    }
    write_file(posixpath.join(uri, REPORT), (json.dumps(report, indent=2) + "\n").encode())


def write_no_model(uri: str, reason: str) -> None:
    """Writes an artifact that holds no model.

    Args:
        uri: The artifact's folder.
        reason: Why there is none.
    """
    write_file(posixpath.join(uri, NO_MODEL), f"{reason}\n".encode())


def holds_model(uri: str) -> bool:
    """Whether an artifact holds a model; a damaged one counts as one, so that reading it fails."""
    return not fileio.exists(posixpath.join(uri, NO_MODEL))
