"""Variants of an elastic model for budgets that are known beforehand: the gate judges them."""

from __future__ import annotations

from collections.abc import Sequence

from components.tflite_converter.elastic_budget import Fitted, fit
from modules.models.item_tables.elastic_master import ElasticMaster

PREFIX = "elastic_"
"""Of the names of such variants."""

METADATA_RESERVE = 2048
"""Bytes of a budget that are kept for what the bundle writes into the file."""

_UNITS = ((1024**2, "MB"), (1024, "KB"))


def size_text(count: int) -> str:
    """Returns a size as people write it, such as `64KB`, rounded up where it is no whole number.

    Args:
        count: Bytes.
    """
    for unit, name in _UNITS:
        if count % unit == 0:
            return f"{count // unit}{name}"
    return f"{count}B" if count < 1024 else f"{-(-count // 1024)}KB"


def budget_name(budget: int, group: int = 0) -> str:
    """Returns the name of the variant for a budget, such as `elastic_64kb`, `elastic_64kb_group_2`.

    Args:
        budget: Bytes of the file.
        group: Of users, from 1; 0 for everybody's table.
    """
    exact = next((f"{budget // unit}{name}" for unit, name in _UNITS if budget % unit == 0), None)
    name = f"{PREFIX}{exact or f'{budget}b'}".lower()
    return f"{name}_group_{group}" if group else name


def budget_files(base: bytes, master: ElasticMaster, budgets: Sequence[int]) -> dict[str, Fitted]:
    """Makes the file of each budget, with room for what a bundle writes into it.

    Args:
        base: The variant that gives all but the table.
        master: The table.
        budgets: Most bytes of each file in a bundle.

    Returns:
        Files by name of the variant.

    Raises:
        ConversionError: A budget is too small, or the variant has no table that can be replaced.
    """
    return {budget_name(budget): fit(base, master, budget - METADATA_RESERVE) for budget in budgets}
