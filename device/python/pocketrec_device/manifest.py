"""The bundle's manifest: what it must say, and what this runtime understands of it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from pocketrec_device.errors import BundleError
from pocketrec_device.json_reader import Reader

FORMAT = "pocketrec-bundle"
FORMAT_VERSION = 1
GZIPPED_FORMAT_VERSION = 2
"""Of bundles whose models are gzipped: runtimes from before could not open those."""

MANIFEST_FILE = "manifest.json"

SIGNATURE = "serving_default"
HISTORY_INPUT = "context_movie_id"
RATING_INPUT = "context_rating"
TIME_INPUT = "context_timestamp"
REQUEST_TIME_INPUT = "request_timestamp"
IDS_OUTPUT = "top_prediction_ids"
SCORES_OUTPUT = "top_prediction_scores"
PADDING_ID = 0
OLDEST_FIRST = "oldest_first"
UNKNOWN = 0
"""What stands for anything that is not known."""

USER_INPUTS = ("user_gender", "user_age", "user_occupation")
"""Each takes the number of a category, from 1."""

# Type, and whether there is a value an event.
_FURTHER_INPUTS = {
    RATING_INPUT: ("float32", True),
    TIME_INPUT: ("int32", True),
    REQUEST_TIME_INPUT: ("int32", False),
    **dict.fromkeys(USER_INPUTS, ("int32", False)),
}

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class FileEntry:
    """What the manifest says of one file.

    Attributes:
        sha256: Hexadecimal digest of the content.
        bytes: Size of the content.
    """

    sha256: str
    bytes: int


@dataclasses.dataclass(frozen=True)
class VariantFigures:
    """What was measured of a variant; None where it was not.

    Attributes:
        recall_at_10: Share of test windows whose target is among the first ten.
        recall_change_from_float32: Its difference from that of float32.
        recall_at_10_by_popularity: Likewise on parts of the windows: `head` has the most watched
            targets, then `torso` and `tail`.
        memory_bytes: How much loading the file and answering once adds to a process.
        latency_ms: Median time of an answer, on one thread of the machine that made the bundle.
    """

    recall_at_10: float | None
    recall_change_from_float32: float | None
    recall_at_10_by_popularity: Mapping[str, float | None]
    memory_bytes: int | None
    latency_ms: float | None


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A checked manifest.

    Attributes:
        bundle_id: Digest that names the bundle's content.
        model_name: The model's name in the registry that it came from.
        history_length: N, the ids that the model takes.
        padding: Side on which a short history is filled, "left" or "right".
        min_history: Known movies that a history needs.
        min_rating: Stars; what was rated lower is no part of a history.
        further_inputs: What the model reads beside the ids: type and width by input name.
        categories: Of those of the user: the words, the first one being number 1.
        top_k: K, the ids and scores that the model returns.
        variants: File name by variant name.
        default_variant: The variant that the gate judged the model by.
        figures: What was measured of each variant, by name; empty in bundles from before.
        left_out: Why a variant that was made, or wanted, is not there, by name.
        vocabulary_file: File with the raw movie ids, in the order of the model's ids.
        catalogue_file: File with titles, genres and years.
        files: Digest and size by file name.
        data: How the training data was prepared: what an evaluation on a release repeats.
        raw: The whole manifest as read.
    """

    bundle_id: str
    model_name: str
    history_length: int
    padding: str
    min_history: int
    min_rating: float
    further_inputs: Mapping[str, tuple[str, int]]
    categories: Mapping[str, tuple[str, ...]]
    top_k: int
    variants: Mapping[str, str]
    default_variant: str
    figures: Mapping[str, VariantFigures]
    left_out: Mapping[str, str]
    vocabulary_file: str
    catalogue_file: str
    files: Mapping[str, FileEntry]
    data: Mapping[str, Any]
    raw: Mapping[str, Any]


def parse_manifest(text: str, source: str) -> Manifest:
    """Reads a manifest and refuses what this runtime does not understand.

    Args:
        text: JSON.
        source: The file's path, for messages.

    Raises:
        BundleError: Not JSON, another format or version, a missing or impossible entry, or a
            signature that this runtime cannot serve.
    """
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise BundleError(f"{source}: not valid JSON ({error}); fetch the bundle again") from None
    if not isinstance(raw, dict):
        raise BundleError(f"{source}: must hold an object, holds {type(raw).__name__}")
    if raw.get("format") != FORMAT:
        raise BundleError(f"{source}: format is {raw.get('format')!r}, must be {FORMAT!r}")
    if raw.get("format_version") not in (FORMAT_VERSION, GZIPPED_FORMAT_VERSION):
        raise BundleError(
            f"{source}: format_version is {raw.get('format_version')!r}; this runtime reads "
            f"{FORMAT_VERSION} and {GZIPPED_FORMAT_VERSION}: use a runtime as new as the bundle, "
            "or an older bundle"
        )
    reader = Reader(raw, source)
    history = reader.section("history")
    length = history.integer("length", minimum=1)
    top_k = reader.integer("top_k", minimum=1)
    further_inputs = _checked_signature(reader.section("signature"), length, top_k)
    files = _files(reader.section("files"))
    variants = {
        name: reader.section("variants").text(name) for name in reader.section("variants").raw
    }
    default_variant = reader.text("default_variant")
    if default_variant not in variants:
        raise BundleError(
            f"{source}: default_variant is {default_variant!r}, variants are {sorted(variants)}"
        )
    manifest = Manifest(
        bundle_id=reader.text("bundle_id"),
        model_name=reader.text("model_name"),
        history_length=length,
        padding=history.choice("padding", ("left", "right")),
        min_history=history.integer("min_history", minimum=1),
        min_rating=history.number("min_rating"),
        further_inputs=further_inputs,
        categories={
            entry.text("name"): entry.texts("categories")
            for entry in reader.section("signature").objects("inputs")
            if entry.text("name") in USER_INPUTS
        },
        top_k=top_k,
        variants=variants,
        default_variant=default_variant,
        figures=_figures(reader, variants),
        left_out=_left_out(reader),
        vocabulary_file=reader.section("vocabulary").text("file"),
        catalogue_file=reader.section("catalogue").text("file"),
        files=files,
        data=reader.section("data").raw,
        raw=raw,
    )
    for name in (*variants.values(), manifest.vocabulary_file, manifest.catalogue_file):
        if name not in files:
            raise BundleError(f"{source}: {name!r} is referred to but not listed under files")
    return manifest


def _figures(reader: Reader, variants: Mapping[str, str]) -> dict[str, VariantFigures]:
    if "variant_figures" not in reader.raw:
        return {}
    section = reader.section("variant_figures")
    if set(section.raw) != set(variants):
        raise BundleError(
            f"{reader.source}: variant_figures tells of {sorted(section.raw)}, variants are "
            f"{sorted(variants)}"
        )
    return {name: _variant_figures(section.section(name)) for name in variants}


def _variant_figures(entry: Reader) -> VariantFigures:
    memory = (
        None if entry.raw.get("memory_bytes") is None else entry.integer("memory_bytes", minimum=0)
    )
    by_popularity = entry.section("recall_at_10_by_popularity")
    return VariantFigures(
        recall_at_10=entry.optional_number("recall_at_10"),
        recall_change_from_float32=entry.optional_number("recall_change_from_float32"),
        recall_at_10_by_popularity={
            name: by_popularity.optional_number(name) for name in by_popularity.raw
        },
        memory_bytes=memory,
        latency_ms=entry.optional_number("latency_ms"),
    )


def _left_out(reader: Reader) -> dict[str, str]:
    if "variants_left_out" not in reader.raw:
        return {}
    section = reader.section("variants_left_out")
    return {name: section.text(name) for name in section.raw}


def _files(section: Reader) -> dict[str, FileEntry]:
    files = {}
    for name in section.raw:
        parts = name.split("/")
        if "\\" in name or any(part in ("", ".", "..") for part in parts):
            raise BundleError(f"{section.source}: file name {name!r} points outside of the bundle")
        entry = section.section(name)
        sha256 = entry.text("sha256")
        if not _SHA256.fullmatch(sha256):
            raise BundleError(
                f"{section.source}: files.{name}.sha256 is {sha256!r}, must be 64 hex digits"
            )
        files[name] = FileEntry(sha256=sha256, bytes=entry.integer("bytes", minimum=0))
    return files


def _checked_signature(section: Reader, length: int, top_k: int) -> dict[str, tuple[str, int]]:
    """Returns the further inputs of a signature that this runtime can serve."""
    name = section.text("name")
    if name != SIGNATURE:
        raise BundleError(f"{section.source}: signature is {name!r}, must be {SIGNATURE!r}")
    inputs = {entry.text("name"): entry for entry in section.objects("inputs")}
    understood = [HISTORY_INPUT, *_FURTHER_INPUTS]
    if HISTORY_INPUT not in inputs or not set(inputs) <= set(understood):
        raise BundleError(
            f"{section.source}: the model takes {list(inputs)}; this runtime feeds "
            f"{HISTORY_INPUT}, and of others {list(_FURTHER_INPUTS)}: use a runtime as new as the "
            "bundle"
        )
    history = inputs.pop(HISTORY_INPUT)
    history.expect("dtype", "int32")
    history.expect("shape", [-1, length])
    history.expect("order", OLDEST_FIRST)
    history.section("padding").expect("id", PADDING_ID)
    further = {}
    for name, entry in inputs.items():
        dtype, per_event = _FURTHER_INPUTS[name]
        width = length if per_event else 1
        entry.expect("dtype", dtype)
        entry.expect("shape", [-1, width])
        entry.expect("unknown", UNKNOWN)
        if per_event:
            entry.expect("order", OLDEST_FIRST)
            entry.section("padding").expect("value", UNKNOWN)
            entry.section("padding").expect("like", HISTORY_INPUT)
        further[name] = (dtype, width)
    outputs = {entry.text("name"): entry for entry in section.objects("outputs")}
    for name, dtype in ((IDS_OUTPUT, "int32"), (SCORES_OUTPUT, "float32")):
        if name not in outputs:
            raise BundleError(
                f"{section.source}: the model returns {sorted(outputs)}, {name!r} is missing"
            )
        outputs[name].expect("dtype", dtype)
        outputs[name].expect("shape", [-1, top_k])
    return further
