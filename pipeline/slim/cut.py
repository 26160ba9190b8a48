"""The files of a slim bundle: one variant, cut to a budget. Without TensorFlow and without data."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence

from components.registry_pusher.bundle import LINEAGE_FILE, to_json
from components.registry_pusher.embedding import METADATA_NAME
from components.tflite_converter.convert import ConversionError
from components.tflite_converter.elastic_budget import BudgetTooSmallError, Fitted, fit
from components.tflite_converter.flatbuffer import embed_metadata, read_metadata
from components.tflite_converter.shipped import shipped, shipped_file
from components.tflite_converter.smoke import smoke_test
from modules.evaluation.litert import TopKModel
from modules.models.item_tables.elastic_groups import AFFINITIES_FILE
from modules.models.item_tables.elastic_layout import all_layouts
from modules.models.item_tables.elastic_master import FILE, ElasticMaster
from pipeline.config.budgets import budget_name, size_text
from pipeline.errors import RegistryError
from pocketrec_device.bundle import Bundle
from pocketrec_device.gzipped import SUFFIX
from pocketrec_device.manifest import (
    FORMAT_VERSION,
    GZIPPED_FORMAT_VERSION,
    MANIFEST_FILE,
    VariantFigures,
)

# What a manifest says of the source alone.
_OF_THE_SOURCE = {"files", "bundle_id", "variant_figures", "variants_left_out"}

_NOT_MEASURED = VariantFigures(None, None, {}, None, None)


@dataclasses.dataclass(frozen=True)
class CutFile:
    """One `.tflite` file.

    Attributes:
        name: Of the variant.
        file: Its name.
        content: Of the file as it ships.
        unzipped_bytes: Of the file as it runs.
        group: Of users, from 1; 0 for everybody's table.
        base: The variant that gave all but the table; its own name where the pipeline made it.
        layout: Blocks that each segment keeps; None where the pipeline made the file.
        is_whole: Whether these are all blocks.
        measured: Its figures where the pipeline made and measured it, else None.
    """

    name: str
    file: str
    content: bytes
    unzipped_bytes: int
    group: int
    base: str
    layout: tuple[int, ...] | None
    is_whole: bool
    measured: VariantFigures | None


@dataclasses.dataclass(frozen=True)
class SlimBundle:
    """A bundle in memory.

    Attributes:
        cuts: Its variants, the default one first.
        files: Content by name, the manifest last.
        bundle_id: Its id.
    """

    cuts: tuple[CutFile, ...]
    files: Mapping[str, bytes]
    bundle_id: str


def cut(
    bundle: Bundle,
    budget: int,
    *,
    groups: Sequence[int] = (0,),
    variant: str | None = None,
    gzip: bool | None = None,
) -> SlimBundle:
    """Makes the bundle whose model files are the largest that keep a budget.

    A file that the pipeline made for that budget is taken as it is, with its figures.

    Args:
        bundle: Of an elastic model.
        budget: Most bytes of each `.tflite` file, gzipped where it ships so.
        groups: Of users, from 1, each of which gets a file; 0 stands for everybody's table.
        variant: What gives all but the table; None: the one that leaves most room for it, of
            equals the gated one, then those of small files.
        gzip: Whether files ship gzipped; None: where those of the bundle do.

    Raises:
        RegistryError: The bundle is of no elastic model, there is no such group or variant, or no
            file keeps the budget.
        ConversionError: A file does not do what it should.
        BundleError: The bundle is damaged.
    """
    master = elastic_master(bundle)
    manifest = bundle.manifest
    if gzip is None:
        gzip = manifest.variants[manifest.default_variant].endswith(SUFFIX)
    cuts = tuple(_cut(bundle, master, budget, group, variant, gzip=gzip) for group in groups)
    files = {one.file: one.content for one in cuts}
    kept = [manifest.vocabulary_file, manifest.catalogue_file]
    kept += [file for file in (LINEAGE_FILE, AFFINITIES_FILE) if file in manifest.files]
    files.update({file: bundle.read(file) for file in kept})
    bundle_id, told = _manifest(bundle, budget, cuts, files, gzip=gzip)
    return SlimBundle(cuts, {**files, MANIFEST_FILE: told}, bundle_id)


def _cut(
    bundle: Bundle,
    master: ElasticMaster,
    budget: int,
    group: int,
    variant: str | None,
    *,
    gzip: bool,
) -> CutFile:
    if not 0 <= group < len(master.groups):
        known = f"1 to {len(master.groups) - 1}" if len(master.groups) > 1 else "none"
        raise RegistryError(f"{bundle.path}: no group {group}; groups of this model: {known}")
    name, manifest = budget_name(budget, group), bundle.manifest
    file = shipped_file(name, gzip=gzip)
    if variant is None and name in manifest.variants:
        model = bundle.model(name)
        content = shipped(model, gzip=gzip)
        if len(content) <= budget:
            figures = manifest.figures.get(name)
            return CutFile(name, file, content, len(model), group, name, None, False, figures)
    base, fitted = _fitted(bundle, master, budget, group, variant, name, gzip=gzip)
    smoke_test(
        TopKModel(fitted.content, name),
        name=name,
        history_length=manifest.history_length,
        movies=len(bundle.movies),
        top_k=manifest.top_k,
    )
    is_whole = fitted.layout == all_layouts(master.groups[group].shares)[-1]
    content = shipped(fitted.content, gzip=gzip)
    size = len(fitted.content)
    return CutFile(name, file, content, size, group, base, fitted.layout, is_whole, None)


def elastic_master(bundle: Bundle) -> ElasticMaster:
    """Reads the whole table of an elastic model's bundle.

    Raises:
        RegistryError: The bundle has none, or it is not the bundle's.
    """
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


def all_groups(master: ElasticMaster) -> list[int]:
    """Returns the groups of a model, from 1.

    Raises:
        RegistryError: It has none.
    """
    if len(master.groups) == 1:
        raise RegistryError(
            "the model has no groups of users; train one with item_table.groups, or leave --group "
            "out"
        )
    return list(range(1, len(master.groups)))


def _fitted(
    bundle: Bundle,
    master: ElasticMaster,
    budget: int,
    group: int,
    variant: str | None,
    name: str,
    *,
    gzip: bool,
) -> tuple[str, Fitted]:
    """Returns the variant that gave all but the table, and the file.

    It is the one that leaves most room for the table, of equals the first.
    """
    found: list[tuple[str, Fitted]] = []
    smallest: dict[str, int] = {}
    for base in _bases(bundle, variant):
        content = bundle.model(base)
        contract = json.loads(read_metadata(content, METADATA_NAME) or b"null")
        if not isinstance(contract, dict):
            raise RegistryError(f"{bundle.path}: variant {base} does not say how it is to be used")
        payload = json.dumps({**contract, "variant": name}, ensure_ascii=False, sort_keys=True)

        def finish(model: bytes, payload: bytes = payload.encode()) -> bytes:
            return embed_metadata(model, METADATA_NAME, payload)

        def size(model: bytes) -> int:
            return len(shipped(model, gzip=gzip))

        try:
            fitted = fit(content, master, budget, group=group, finish=finish, size=size)
            found.append((base, fitted))
        except BudgetTooSmallError as error:
            smallest[base] = error.smallest
        except ConversionError:
            # Such as one that computes in integers throughout.
            if variant is not None:
                raise
    if found:
        return max(found, key=lambda file: file[1].table_bytes)
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


def _manifest(
    bundle: Bundle,
    budget: int,
    cuts: Sequence[CutFile],
    files: Mapping[str, bytes],
    *,
    gzip: bool,
) -> tuple[str, bytes]:
    """Returns the bundle's id and its manifest."""
    source = bundle.manifest
    of_source = source.figures.get(source.default_variant)
    entries = {
        file: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for file, content in sorted(files.items())
    }
    manifest = {
        **{key: value for key, value in source.raw.items() if key not in _OF_THE_SOURCE},
        "format_version": GZIPPED_FORMAT_VERSION if gzip else FORMAT_VERSION,
        "variants": {one.name: one.file for one in cuts},
        "default_variant": cuts[0].name,
        "slim": {
            "of_bundle": source.bundle_id,
            "budget_bytes": budget,
            "variants": {
                one.name: {
                    "of_variant": one.base,
                    "group": one.group or None,
                    "blocks_by_segment": one.layout,
                }
                for one in cuts
            },
        },
    }
    counting = {file: entry for file, entry in entries.items() if file != LINEAGE_FILE}
    bundle_id = hashlib.sha256(to_json({**manifest, "files": counting})).hexdigest()
    told = {
        **manifest,
        "bundle_id": bundle_id,
        "variant_figures": {
            one.name: {
                "file": one.file,
                "bytes": len(one.content),
                "unzipped_bytes": one.unzipped_bytes,
                **dataclasses.asdict(one.measured or _NOT_MEASURED),
            }
            for one in cuts
        },
        # What the gate saw was another file: who reads on should know of which.
        "gated": {
            "of_bundle": source.bundle_id,
            "variant": source.default_variant,
            "recall_at_10": None if of_source is None else of_source.recall_at_10,
            "is_of_these_files": all(one.measured is not None for one in cuts),
        },
        "files": entries,
    }
    return bundle_id, to_json(told)
