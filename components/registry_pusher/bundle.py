"""The bundle: everything that a device, and whoever ships to it, needs of one model, in a folder.

`pocketrec_device` reads it. Its files are determined by their inputs alone. What tells where the
model came from and how it was judged does not count for `bundle_id`: a model that is judged again,
against another one, is the same model.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

from components.registry_pusher.android import android_assets
from components.registry_pusher.conversion import Conversion
from components.registry_pusher.embedding import embed_manifest
from components.registry_pusher.model_card import render_model_card
from components.registry_pusher.shipping import figures
from components.registry_pusher.signature import signature
from components.tflite_converter.shipped import shipped, shipped_file
from modules.models.item_tables.elastic_groups import AFFINITIES_FILE, description
from pipeline.config.root import Config
from pocketrec_device.bundle import Movie
from pocketrec_device.gzipped import unzipped
from pocketrec_device.manifest import (
    FORMAT,
    FORMAT_VERSION,
    GZIPPED_FORMAT_VERSION,
    MANIFEST_FILE,
)

VOCABULARY_FILE = "vocabulary.json"
CATALOGUE_FILE = "catalogue.json"
METRICS_FILE = "metrics.json"
LINEAGE_FILE = "lineage.json"
MODEL_CARD_FILE = "model_card.md"
ANDROID_FOLDER = "android"

_ABOUT_THE_MODEL = (LINEAGE_FILE, METRICS_FILE, MODEL_CARD_FILE)
_REPORTED_PACKAGES = ("tensorflow", "tfx", "ai-edge-litert", "numpy")


class BundleSource(pydantic.BaseModel):
    """What a bundle is made of.

    Attributes:
        conversion: The converter's report.
        variants: `.tflite` by name, of the variants that ship.
        left_out: Why a variant does not ship, by its name.
        movies: The vocabulary, by the model's id.
        metrics: Value by slice and metric; slice "overall" is all test windows.
        gate: The thresholds with values and verdicts, as the Evaluator saw them.
        lineage: Ids of the run and its artifacts.
        config: The pipeline's whole configuration.
        dataset: Name or path of the release.
        data_counts: What ingestion counted.
        model_name: Name in the registry.
        assets: Files that belong to the model beside its variants, by name.
    """

    model_config = pydantic.ConfigDict(frozen=True, arbitrary_types_allowed=True)

    conversion: Conversion
    variants: Mapping[str, bytes]
    left_out: Mapping[str, str] = {}
    movies: tuple[Movie, ...]
    metrics: Mapping[str, Mapping[str, float | None]]
    gate: Sequence[Mapping[str, Any]]
    lineage: Mapping[str, Any]
    config: Config
    dataset: str
    data_counts: Mapping[str, int | float | str]
    model_name: str
    assets: Mapping[str, bytes] = {}


def write_bundle(source: BundleSource, target: Path) -> Path:
    """Writes the bundle as folder `target`, which appears whole or not at all.

    Args:
        source: What goes in.
        target: Must not exist; its parent is created.

    Returns:
        `target`.
    """
    partial = target.with_name(f".{target.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    files = bundle_files(source)
    for name, content in files.items():
        _write(partial / name, content)
    # The manifest is what makes a folder a bundle, so it comes last.
    _write(partial / MANIFEST_FILE, to_json(build_manifest(source, files)))
    return partial.replace(target)


def bundle_files(source: BundleSource) -> dict[str, bytes]:
    """Returns the content of every file but the manifest, by name."""
    contract = device_contract(source)
    variants = {
        name: embed_manifest(model, {**contract, "variant": name})
        for name, model in source.variants.items()
    }
    conversion = source.conversion
    gzip = source.config.conversion.gzip
    files = {
        shipped_file(name, gzip=gzip): shipped(model, gzip=gzip)
        for name, model in sorted(variants.items())
    }
    files[VOCABULARY_FILE] = to_json([movie.movie_id for movie in source.movies], indent=None)
    files[CATALOGUE_FILE] = to_json(
        [
            {
                "id": movie.id,
                "movie_id": movie.movie_id,
                "title": movie.title,
                "genres": list(movie.genres),
                "year": movie.year,
                "count": movie.count,
            }
            for movie in source.movies
        ],
        indent=None,
    )
    files[METRICS_FILE] = to_json(
        {
            "slices": source.metrics,
            "gate": list(source.gate),
            "variants": {name: report.parity for name, report in conversion.variants.items()},
            "variants_left_out": {
                name: {"reason": reason, **_figures_of_left_out(source, name)}
                for name, reason in source.left_out.items()
            },
        }
    )
    files.update(source.assets)
    files[LINEAGE_FILE] = to_json({**source.lineage, "config": source.config.model_dump()})
    files[MODEL_CARD_FILE] = render_model_card(
        model_name=source.model_name,
        dataset=source.dataset,
        data_counts=source.data_counts,
        config=source.config,
        conversion=conversion,
        movies=source.movies,
        metrics=source.metrics,
        gate=source.gate,
        figures=variant_figures(source, files),
        left_out=source.left_out,
    ).encode()
    # TensorFlow's app feeds ids and nothing else: for other models there is nothing to ship to it.
    if not conversion.further_inputs:
        assets = android_assets(
            variants[conversion.gated],
            source.movies,
            encoder=source.config.model.encoder.name,
            history_length=conversion.history_length,
            top_k=conversion.top_k,
        )
        files.update({f"{ANDROID_FOLDER}/{name}": content for name, content in assets.items()})
    return files


def device_contract(source: BundleSource) -> dict[str, Any]:
    """Returns what a runtime must know to run the model; part of manifest and model alike."""
    conversion = source.conversion
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model_name": source.model_name,
        "signature": signature(conversion),
        "history": {
            "length": conversion.history_length,
            "padding": conversion.padding,
            "min_history": conversion.min_history,
            "min_rating": conversion.min_rating,
        },
        "top_k": conversion.top_k,
        "vocabulary": {
            "file": VOCABULARY_FILE,
            "size": len(source.movies),
            "first_id": 1,
            "sha256": _sha256(to_json([movie.movie_id for movie in source.movies], indent=None)),
        },
    }


def variant_figures(source: BundleSource, files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Returns what is told of each variant that ships: its file, and what was measured of it."""
    told, gzip = {}, source.config.conversion.gzip
    for name in sorted(source.variants):
        file = shipped_file(name, gzip=gzip)
        told[name] = {
            "file": file,
            "bytes": len(files[file]),
            "unzipped_bytes": len(unzipped(files[file]) if gzip else files[file]),
            **figures(source.conversion, source.metrics, name),
        }
    return told


def _figures_of_left_out(source: BundleSource, name: str) -> dict[str, Any]:
    report = source.conversion.variants.get(name)
    if report is None:
        return {}
    return {"bytes": report.bytes, **figures(source.conversion, source.metrics, name)}


def build_manifest(source: BundleSource, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Returns the manifest of a bundle with the given files."""
    conversion = source.conversion
    contract = device_contract(source)
    data, gzip = source.config.data, source.config.conversion.gzip
    entries = {
        name: {"sha256": _sha256(content), "bytes": len(content)}
        for name, content in sorted(files.items())
    }
    manifest = {
        **contract,
        "format_version": GZIPPED_FORMAT_VERSION if gzip else FORMAT_VERSION,
        "variants": {name: shipped_file(name, gzip=gzip) for name in sorted(source.variants)},
        "default_variant": conversion.gated,
        "catalogue": {"file": CATALOGUE_FILE},
        "encoder": source.config.model.encoder.name,
        "data": {
            "dataset": source.dataset,
            "min_ratings_per_movie": data.min_ratings_per_movie,
            "min_ratings_per_user": data.min_ratings_per_user,
            "malformed": data.malformed.model_dump(),
            "split": data.split.strategy,
            # The sample is made, not fetched: who evaluates on it must make the same one.
            "generator": source.config.sample.model_dump(),
        },
        "versions": {name: importlib.metadata.version(name) for name in _REPORTED_PACKAGES},
    }
    if AFFINITIES_FILE in source.assets:
        groups = len(source.assets[AFFINITIES_FILE]) // (len(source.movies) + 1)
        manifest["groups"] = description(groups, len(source.movies))
    what_counts = {name: entry for name, entry in entries.items() if name not in _ABOUT_THE_MODEL}
    return {
        **manifest,
        "bundle_id": _sha256(to_json({**manifest, "files": what_counts})),
        # Measured, so no part of what the model is.
        "variant_figures": variant_figures(source, files),
        "variants_left_out": dict(source.left_out),
        "files": entries,
    }


def to_json(value: object, *, indent: int | None = 1) -> bytes:
    """Returns UTF-8 JSON; not-a-number is refused, keys keep their order."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    return f"{text}\n".encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
