"""Reads the converter's artifact: variants, vocabulary and report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic

from modules.features import CONTEXT_MOVIE_ID
from modules.serving_inputs import FURTHER_INPUTS
from pipeline.errors import RegistryError

REPORT_FILE = "conversion.json"
VARIANTS_FOLDER = "variants"
VOCABULARY_FILE = "movie_vocabulary.txt"


class VariantReport(pydantic.BaseModel):
    """What the converter says of one variant.

    Attributes:
        bytes: Size of what ships, which may be gzipped.
        sha256: Digest of the file.
        parity: Figures against the Keras model on eval windows.
        latency_ms: Median of single answers on one thread; None where it was not measured.
        memory_bytes: How much loading the file and answering once adds to a process; likewise.
        unzipped_bytes: Size of the file that runs; None in reports from before.
    """

    model_config = pydantic.ConfigDict(frozen=True)

    bytes: int
    sha256: str
    parity: Mapping[str, float | int | None]
    latency_ms: float | None = None
    memory_bytes: int | None = None
    unzipped_bytes: int | None = None


class Conversion(pydantic.BaseModel):
    """The converter's report.

    Attributes:
        history_length: N.
        padding: Side that Transform pads; the graph takes both.
        min_history: Known events that a history needs.
        min_rating: Stars; lower-rated events are no history.
        further_inputs: What the model reads beside the ids, see `modules.serving_inputs`.
        top_k: K.
        gated: The variant that was evaluated.
        hyperparameters: Settings by key path that a Tuner found; empty without one.
        variants: By name.
        not_made: Why the converter could not make a variant, by its name.
    """

    model_config = pydantic.ConfigDict(frozen=True)

    history_length: int = pydantic.Field(ge=1)
    padding: Literal["left", "right"]
    min_history: int = pydantic.Field(ge=1)
    min_rating: float
    further_inputs: tuple[str, ...] = ()
    top_k: int = pydantic.Field(ge=1)
    gated: str
    hyperparameters: Mapping[str, Any] = {}
    variants: Mapping[str, VariantReport]
    not_made: Mapping[str, str] = {}


def read_conversion(model_uri: Path) -> Conversion:
    """Reads the report in a converter's artifact.

    Raises:
        RegistryError: It is missing or not what the converter writes.
    """
    path = model_uri / REPORT_FILE
    try:
        return _conversion(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RegistryError(
            f"{path}: not a conversion report ({error}); run the pipeline again"
        ) from None


def read_variants(model_uri: Path, conversion: Conversion) -> dict[str, bytes]:
    """Returns the content of each variant, checked against the report.

    Raises:
        RegistryError: A file is missing or is not the one that was evaluated.
    """
    variants = {}
    for name, report in conversion.variants.items():
        path = model_uri / VARIANTS_FOLDER / f"{name}.tflite"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RegistryError(f"{path}: cannot be read ({error.strerror})") from None
        digest = hashlib.sha256(content).hexdigest()
        if digest != report.sha256:
            raise RegistryError(
                f"{path}: sha256 is {digest}, the converter reported {report.sha256}; "
                "the file was changed after its conversion: run the pipeline again"
            )
        variants[name] = content
    return variants


def read_movie_ids(model_uri: Path) -> list[int]:
    """Returns the release's movie ids in the order of the model's ids, from 1.

    Raises:
        RegistryError: The file is missing or a line is not a number.
    """
    path = model_uri / VOCABULARY_FILE
    try:
        return [int(line) for line in path.read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise RegistryError(f"{path}: not a vocabulary ({error}); run the pipeline again") from None


def _conversion(report: Mapping[str, Any]) -> Conversion:
    history = report["history"]
    return Conversion(
        history_length=history["length"],
        padding=history["padding"],
        min_history=history["min_history"],
        min_rating=history["min_rating"],
        further_inputs=_further_inputs(report),
        top_k=report["top_k"],
        gated=report["gated"],
        hyperparameters=report.get("hyperparameters", {}),
        variants={name: _variant(entry) for name, entry in report["variants"].items()},
        not_made=report.get("not_made", {}),
    )


def _further_inputs(report: Mapping[str, Any]) -> tuple[str, ...]:
    # Reports from before there were others name none.
    names = report.get("inputs", [CONTEXT_MOVIE_ID])
    unknown = [name for name in names if name not in (CONTEXT_MOVIE_ID, *FURTHER_INPUTS)]
    if unknown or CONTEXT_MOVIE_ID not in names:
        raise ValueError(
            f"inputs are {names}: {CONTEXT_MOVIE_ID} must be one, and others can be "
            f"{sorted(FURTHER_INPUTS)}"
        )
    return tuple(name for name in names if name != CONTEXT_MOVIE_ID)


def _variant(entry: Mapping[str, Any]) -> VariantReport:
    parity = {
        name: value
        for name, value in entry.items()
        if name not in VariantReport.model_fields
        and (value is None or (isinstance(value, int | float) and not isinstance(value, bool)))
    }
    # Reports from before there were these have none of them.
    later = {name: entry.get(name) for name in ("latency_ms", "memory_bytes", "unzipped_bytes")}
    return VariantReport(bytes=entry["bytes"], sha256=entry["sha256"], parity=parity, **later)
