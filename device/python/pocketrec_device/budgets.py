"""Which variant of a bundle to take where bytes are counted: the best that fits."""

from __future__ import annotations

import re

from pocketrec_device.errors import BudgetError
from pocketrec_device.manifest import Manifest

_UNITS = {"B": 1, "KB": 1024, "MB": 1024**2}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB)?", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """Returns the bytes that a text such as `64KB`, `1.5 MB` or `65536` stands for.

    A KB has 1,024 bytes, a MB 1,024 KB; a number alone is bytes. Parts of a byte are dropped.

    Raises:
        BudgetError: It is no size, or less than one byte.
    """
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * _UNITS[(found[2] or "B").upper()]) if found else 0
    if size < 1:
        raise BudgetError(
            f"{text!r} is no size: write a number and B, KB (1,024 bytes) or MB, such as 64KB"
        )
    return size


def best_variant(
    manifest: Manifest, budget: int | None = None, memory_budget: int | None = None
) -> str:
    """Returns the variant with the highest recall@10 that keeps the budgets.

    Of equal ones it is the one with the smaller file, then the first by name.

    Args:
        manifest: The bundle's.
        budget: Most bytes of the file; None for any.
        memory_budget: Most bytes that the running model may take; None for any. A variant whose
            memory was not measured keeps no such budget.

    Raises:
        BudgetError: No variant keeps the budgets, or the bundle does not tell their recall.
    """
    if not manifest.figures:
        raise BudgetError(
            "the bundle does not tell the recall of its variants, as it was made before bundles "
            f"did; name a variant instead: {', '.join(sorted(manifest.variants))}"
        )
    sizes = {name: manifest.files[file].bytes for name, file in manifest.variants.items()}
    memory = {name: figures.memory_bytes for name, figures in manifest.figures.items()}
    fitting = [
        name
        for name in manifest.figures
        if (budget is None or sizes[name] <= budget) and _fits(memory[name], memory_budget)
    ]
    if not fitting:
        raise BudgetError(_nothing_fits(sizes, memory, budget, memory_budget))

    def order(name: str) -> tuple[float, int, str]:
        recall = manifest.figures[name].recall_at_10
        return (1.0 if recall is None else -recall, sizes[name], name)

    return min(fitting, key=order)


def _fits(needed: int | None, budget: int | None) -> bool:
    return budget is None or (needed is not None and needed <= budget)


def _nothing_fits(
    sizes: dict[str, int],
    memory: dict[str, int | None],
    budget: int | None,
    memory_budget: int | None,
) -> str:
    wanted, least = [], []
    if budget is not None:
        wanted.append(f"a file of {budget:,} bytes")
        name = min(sizes, key=lambda one: (sizes[one], one))
        least.append(f"the smallest file is that of {name} with {sizes[name]:,}")
    if memory_budget is not None:
        wanted.append(f"{memory_budget:,} bytes of memory")
        known = {name: needed for name, needed in memory.items() if needed is not None}
        name = min(known, key=lambda one: (known[one], one), default="")
        least.append(
            f"the least memory is that of {name} with {known[name]:,}"
            if name
            else "the bundle does not tell how much memory its variants take"
        )
    return f"no variant keeps to {' and '.join(wanted)}: {', '.join(least)}"
