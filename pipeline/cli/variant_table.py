"""The variants of a bundle as `pocketrec registry show` tells them: a table, or plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pocketrec_device.manifest import Manifest

_KIB = 1024
_MISSING = "-"


def described(manifest: Manifest) -> dict[str, Any]:
    """Returns file, bytes and what was measured of each variant, and why others are not there."""
    told = manifest.raw.get("variant_figures", {})
    return {
        "variants": {
            name: {"file": file, "bytes": manifest.files[file].bytes, **told.get(name, {})}
            for name, file in sorted(manifest.variants.items())
        },
        "variants_left_out": dict(manifest.left_out),
    }


def lines(manifest: Manifest) -> list[str]:
    """Returns a table of the variants, the smallest file last, and a line for each left out."""
    from tabulate import tabulate

    sizes = {name: manifest.files[file].bytes for name, file in manifest.variants.items()}
    rows = []
    for name in sorted(sizes, key=lambda one: (-sizes[one], one)):
        figures = manifest.figures.get(name)
        gated = " (gated)" if name == manifest.default_variant else ""
        row = [f"{name}{gated}", f"{sizes[name]:,}"]
        if figures is None:
            rows.append([*row, *[_MISSING] * 4])
            continue
        rows.append(
            [
                *row,
                _shown(figures.recall_at_10, ".4f"),
                _shown(figures.recall_change_from_float32, "+.4f"),
                _shown(figures.latency_ms, ".3f"),
                _MISSING if figures.memory_bytes is None else f"{figures.memory_bytes / _KIB:,.0f}",
            ]
        )
    headers = ["variant", "bytes", "recall@10", "against float32", "ms", "KiB in memory"]
    table = tabulate(
        rows, headers=headers, disable_numparse=True, colalign=("left", *["right"] * 5)
    )
    left = [f"left out: {name}, {reason}" for name, reason in sorted(manifest.left_out.items())]
    return [*table.splitlines(), *left]


def _shown(value: float | None, form: str) -> str:
    return _MISSING if value is None else format(value, form)
