"""The files of a slim bundle: one variant, cut to a budget. Without TensorFlow and without data."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.registry_pusher.bundle import LINEAGE_FILE, to_json
from components.registry_pusher.embedding import METADATA_NAME
from components.tflite_converter.budgets import budget_name, size_text
from components.tflite_converter.convert import ConversionError
from components.tflite_converter.elastic_budget import BudgetTooSmallError, Fitted, fit
from components.tflite_converter.flatbuffer import embed_metadata, read_metadata
from components.tflite_converter.smoke import smoke_test
from modules.evaluation.litert import TopKModel
from modules.models.item_tables.elastic_layout import all_layouts
from modules.models.item_tables.elastic_master import FILE, ElasticMaster
from pipeline.errors import RegistryError
from pocketrec_device.bundle import Bundle
from pocketrec_device.manifest import MANIFEST_FILE, VariantFigures

# What a slim bundle takes over as it is; the measured figures are of other files.
_KEPT = ("vocabulary", "catalogue")


@dataclasses.dataclass(frozen=True)
class SlimBundle:
    """A bundle in memory.

    Attributes:
        files: Content by name, the manifest last.
        name: Of its variant.
        base: The variant that gave all but the table; its own name where the pipeline made it.
        layout: Blocks that each segment keeps; None where the pipeline made the file.
        is_whole: Whether these are all blocks.
        bundle_id: Its id.
        measured: The variant's figures where the pipeline made and measured the file, else None.
    """

    files: Mapping[str, bytes]
    name: str
    base: str
    layout: tuple[int, ...] | None
    is_whole: bool
    bundle_id: str
    measured: VariantFigures | None


def cut(bundle: Bundle, budget: int, *, group: int = 0, variant: str | None = None) -> SlimBundle:
    """Makes the bundle whose model file is the largest that keeps a budget.

    A file that the pipeline made for that budget is taken as it is, with its figures.

    Args:
        bundle: Of an elastic model.
        budget: Most bytes of the `.tflite` file.
        group: Of users, from 1; 0 for everybody's table.
        variant: What gives all but the table; None: the gated variant, or where even its smallest
            file is too large, the one whose smallest file is smallest.

    Raises:
        RegistryError: The bundle is of no elastic model, there is no such group or variant, or no
            file keeps the budget.
        ConversionError: The file does not do what it should.
        BundleError: The bundle is damaged.
    """
    master = _master(bundle)
    if not 0 <= group < len(master.groups):
        known = f"1 to {len(master.groups) - 1}" if len(master.groups) > 1 else "none"
        raise RegistryError(f"{bundle.path}: no group {group}; groups of this model: {known}")
    name = budget_name(budget, group)
    manifest = bundle.manifest
    made = variant is None and name in manifest.variants and len(bundle.model(name)) <= budget
    if made:
        base, content, layout = name, bundle.model(name), None
    else:
        base, fitted = _fitted(bundle, master, budget, group, variant, name)
        content, layout = fitted.content, fitted.layout
    measured = manifest.figures.get(name) if made else None
    smoke_test(
        TopKModel(content, name),
        name=name,
        history_length=manifest.history_length,
        movies=len(bundle.movies),
        top_k=manifest.top_k,
    )
    files = {f"{name}.tflite": content}
    for kept in _KEPT:
        file = manifest.raw[kept]["file"]
        files[file] = bundle.read(file)
    if LINEAGE_FILE in manifest.files:
        files[LINEAGE_FILE] = bundle.read(LINEAGE_FILE)
    slim = {
        "of_bundle": manifest.bundle_id,
        "of_variant": base,
        "budget_bytes": budget,
        "group": group or None,
        "blocks_by_segment": None if layout is None else list(layout),
        "recall_at_10": _told(bundle, measured),
    }
    bundle_id, told = _manifest(bundle, name, files, slim, measured)
    return SlimBundle(
        files={**files, MANIFEST_FILE: told},
        name=name,
        base=base,
        layout=layout,
        is_whole=layout == all_layouts(master.groups[group].shares)[-1],
        bundle_id=bundle_id,
        measured=measured,
    )


def _master(bundle: Bundle) -> ElasticMaster:
    if FILE not in bundle.manifest.files:
        raise RegistryError(
            f"{bundle.path}: not a bundle that can be cut, as it has no {FILE}; train a model with "
            "--set model.item_table=elastic"
        )
    master = ElasticMaster.from_bytes(bundle.read(FILE), f"{bundle.path}/{FILE}")
    if master.grid.borders[-1] != len(bundle.movies) + 1:
        raise RegistryError(
            f"{bundle.path}: {FILE} has {master.grid.borders[-1] - 1} movies, the vocabulary "
            f"{len(bundle.movies)}: the files do not belong together"
        )
    return master


def _fitted(
    bundle: Bundle,
    master: ElasticMaster,
    budget: int,
    group: int,
    variant: str | None,
    name: str,
) -> tuple[str, Fitted]:
    """Returns the variant that gave all but the table, and the file."""
    smallest: dict[str, int] = {}
    for base in _bases(bundle, variant):
        content = bundle.model(base)
        contract = json.loads(read_metadata(content, METADATA_NAME) or b"null")
        if not isinstance(contract, dict):
            raise RegistryError(f"{bundle.path}: variant {base} does not say how it is to be used")
        payload = json.dumps({**contract, "variant": name}, ensure_ascii=False, sort_keys=True)

        def finish(model: bytes, payload: bytes = payload.encode()) -> bytes:
            return embed_metadata(model, METADATA_NAME, payload)

        try:
            fitted = fit(content, master, budget, group=group, finish=finish)
        except BudgetTooSmallError as error:
            smallest[base] = error.smallest
            continue
        except ConversionError:
            # Such as one that computes in integers throughout.
            if variant is not None:
                raise
            continue
        return base, fitted
    if not smallest:
        raise RegistryError(f"{bundle.path}: no variant of it can be cut")
    least = min(smallest, key=lambda base: (smallest[base], base))
    raise RegistryError(
        f"no file of {budget:,} bytes can be cut from {bundle.path}: the smallest, of its variant "
        f"{least}, has {smallest[least]:,} ({size_text(smallest[least])}); give a larger budget, "
        "or train a model with a smaller encoder or more blocks"
    )


def _bases(bundle: Bundle, variant: str | None) -> Sequence[str]:
    """Returns the variants to try, the gated one first, then those with the smallest files."""
    manifest = bundle.manifest
    if variant is not None:
        if variant not in manifest.variants:
            raise RegistryError(
                f"{bundle.path}: no variant {variant!r}; it has {', '.join(manifest.variants)}"
            )
        return [variant]
    others = sorted(
        (name for name in manifest.variants if not name.startswith("elastic_")),
        key=lambda name: (manifest.files[manifest.variants[name]].bytes, name),
    )
    gated = manifest.default_variant
    return [gated, *(name for name in others if name != gated)]


def _told(bundle: Bundle, measured: VariantFigures | None) -> dict[str, Any]:
    """Says what is known of the recall: of this file, or of the one that it was cut from."""
    manifest = bundle.manifest
    of_source = manifest.figures.get(manifest.default_variant)
    return {
        "measured": measured is not None,
        "value": None if measured is None else measured.recall_at_10,
        "of_source": {
            "variant": manifest.default_variant,
            "value": None if of_source is None else of_source.recall_at_10,
        },
    }


def _manifest(
    bundle: Bundle,
    name: str,
    files: Mapping[str, bytes],
    slim: Mapping[str, Any],
    measured: VariantFigures | None,
) -> tuple[str, bytes]:
    """Returns the bundle's id and its manifest."""
    left_out = {"files", "bundle_id", "variant_figures", "variants_left_out", "groups"}
    raw = {key: value for key, value in bundle.manifest.raw.items() if key not in left_out}
    what_it_is = {key: value for key, value in slim.items() if key != "recall_at_10"}
    manifest = {**raw, "variants": {name: f"{name}.tflite"}, "default_variant": name}
    entries = {
        file: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for file, content in sorted(files.items())
    }
    counting = {file: entry for file, entry in entries.items() if file != LINEAGE_FILE}
    identity = to_json({**manifest, "slim": what_it_is, "files": counting})
    bundle_id = hashlib.sha256(identity).hexdigest()
    figures = (
        dataclasses.asdict(measured)
        if measured is not None
        else {
            "recall_at_10": None,
            "recall_change_from_float32": None,
            "recall_at_10_by_popularity": {},
            "memory_bytes": None,
            "latency_ms": None,
        }
    )
    size = entries[f"{name}.tflite"]["bytes"]
    return bundle_id, to_json(
        {
            **manifest,
            "bundle_id": bundle_id,
            "variant_figures": {name: {"file": f"{name}.tflite", "bytes": size, **figures}},
            "slim": slim,
            "files": entries,
        }
    )
