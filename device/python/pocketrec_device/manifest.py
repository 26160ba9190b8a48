"""The bundle's manifest: what it must say, and what this runtime understands of it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from pocketrec_device.errors import BundleError

FORMAT = "pocketrec-bundle"
FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"

SIGNATURE = "serving_default"
HISTORY_INPUT = "context_movie_id"
IDS_OUTPUT = "top_prediction_ids"
SCORES_OUTPUT = "top_prediction_scores"
PADDING_ID = 0
OLDEST_FIRST = "oldest_first"

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
class Manifest:
    """A checked manifest.

    Attributes:
        bundle_id: Digest that names the bundle's content.
        model_name: The model's name in the registry that it came from.
        history_length: N, the ids that the model takes.
        padding: Side on which a short history is filled, "left" or "right".
        min_history: Known movies that a history needs.
        min_rating: Stars; what was rated lower is no part of a history.
        top_k: K, the ids and scores that the model returns.
        variants: File name by variant name.
        default_variant: The variant that passed the gate.
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
    top_k: int
    variants: Mapping[str, str]
    default_variant: str
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
    if raw.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{source}: format_version is {raw.get('format_version')!r}; this runtime reads "
            f"{FORMAT_VERSION}: use a runtime as new as the bundle, or an older bundle"
        )
    reader = _Reader(raw, source)
    history = reader.section("history")
    length = history.integer("length", minimum=1)
    top_k = reader.integer("top_k", minimum=1)
    _check_signature(reader.section("signature"), length, top_k)
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
        top_k=top_k,
        variants=variants,
        default_variant=default_variant,
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


def _files(section: _Reader) -> dict[str, FileEntry]:
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


def _check_signature(section: _Reader, length: int, top_k: int) -> None:
    name = section.text("name")
    if name != SIGNATURE:
        raise BundleError(f"{section.source}: signature is {name!r}, must be {SIGNATURE!r}")
    inputs = section.objects("inputs")
    names = [entry.text("name") for entry in inputs]
    if names != [HISTORY_INPUT]:
        raise BundleError(
            f"{section.source}: the model takes {names}; this runtime feeds {[HISTORY_INPUT]} "
            "alone: use a runtime as new as the bundle"
        )
    (history,) = inputs
    history.expect("dtype", "int32")
    history.expect("shape", [-1, length])
    history.expect("order", OLDEST_FIRST)
    history.section("padding").expect("id", PADDING_ID)
    outputs = {entry.text("name"): entry for entry in section.objects("outputs")}
    for name, dtype in ((IDS_OUTPUT, "int32"), (SCORES_OUTPUT, "float32")):
        if name not in outputs:
            raise BundleError(
                f"{section.source}: the model returns {sorted(outputs)}, {name!r} is missing"
            )
        outputs[name].expect("dtype", dtype)
        outputs[name].expect("shape", [-1, top_k])


class _Reader:
    """Typed access to a JSON object, with errors that name the key."""

    def __init__(self, raw: Mapping[str, Any], source: str, prefix: str = "") -> None:
        self.raw = raw
        self.source = source
        self._prefix = prefix

    def section(self, key: str) -> _Reader:
        value = self._typed(key, dict, "an object")
        return _Reader(value, self.source, f"{self._prefix}{key}.")

    def objects(self, key: str) -> list[_Reader]:
        values = self._typed(key, list, "a list")
        readers = []
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise BundleError(f"{self.source}: {self._prefix}{key}[{index}] must be an object")
            readers.append(_Reader(value, self.source, f"{self._prefix}{key}[{index}]."))
        return readers

    def text(self, key: str) -> str:
        value: str = self._typed(key, str, "a string")
        return value

    def integer(self, key: str, *, minimum: int) -> int:
        value: int = self._typed(key, int, "an integer")
        if isinstance(value, bool) or value < minimum:
            raise BundleError(
                f"{self.source}: {self._prefix}{key} is {value!r}, must be at least {minimum}"
            )
        return value

    def number(self, key: str) -> float:
        return float(self._typed(key, (int, float), "a number"))

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in allowed:
            raise BundleError(
                f"{self.source}: {self._prefix}{key} is {value!r}, must be one of {allowed}"
            )
        return value

    def expect(self, key: str, expected: object) -> None:
        value = self.raw.get(key)
        if value != expected:
            raise BundleError(
                f"{self.source}: {self._prefix}{key} is {value!r}; this runtime understands "
                f"{expected!r}: use a runtime as new as the bundle"
            )

    def _typed(self, key: str, kind: type | tuple[type, ...], described: str) -> Any:
        if key not in self.raw:
            raise BundleError(f"{self.source}: {self._prefix}{key} is missing")
        value = self.raw[key]
        if not isinstance(value, kind):
            raise BundleError(
                f"{self.source}: {self._prefix}{key} is {value!r}, must be {described}"
            )
        return value
