"""What the registry shows of a version without opening its bundle."""

from __future__ import annotations

import json
from pathlib import Path

from components.registry_pusher.bundle import BundleSource
from pocketrec_device.manifest import MANIFEST_FILE

OVERALL = "overall"

_TAGGED_METRICS = ("recall_at_10", "ndcg_at_10")


def registry_tags(source: BundleSource, bundle_dir: Path) -> dict[str, str]:
    """Returns the tags of the version.

    Args:
        source: What the bundle was made of.
        bundle_dir: The bundle.
    """
    manifest = json.loads((bundle_dir / MANIFEST_FILE).read_text(encoding="utf-8"))
    gated_file = manifest["variants"][manifest["default_variant"]]
    overall = source.metrics[OVERALL]
    lineage = source.lineage
    return {
        "encoder": manifest["encoder"],
        "history_length": str(manifest["history"]["length"]),
        **{name: _figure(overall.get(name)) for name in _TAGGED_METRICS},
        "variant": manifest["default_variant"],
        "bytes": str(manifest["files"][gated_file]["bytes"]),
        "dataset": source.dataset,
        "movies": str(len(source.movies)),
        "pipeline": str(lineage["pipeline"]),
        "pipeline_run": str(lineage["pipeline_run"]),
        **{
            f"mlmd_{name}_id": str(artifact["mlmd_id"])
            for name, artifact in lineage["artifacts"].items()
        },
        **{f"sha256/{name}": entry["sha256"] for name, entry in manifest["files"].items()},
    }


def run_metrics(source: BundleSource) -> dict[str, float]:
    """Returns the metrics of all test windows, those that have a value."""
    return {name: value for name, value in source.metrics[OVERALL].items() if value is not None}


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.6f}"
