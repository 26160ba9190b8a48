"""Which variants of a model a configuration asks for, told in one place for all that judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config.budgets import budget_bytes, budget_name

if TYPE_CHECKING:
    from pipeline.config.root import Config

REFERENCE = "float32"
"""The variant that the others are compared with."""


def converted_variants(config: Config) -> tuple[str, ...]:
    """Returns the names of all variants that the converter is to make, in its order."""
    conversion = config.conversion
    cut = (budget_name(budget_bytes(budget)) for budget in conversion.budgets)
    return (*conversion.variants, *cut)


def further_variants(config: Config) -> tuple[str, ...]:
    """Returns the variants that are judged beside the gated one and the float32 reference."""
    return tuple(
        name
        for name in converted_variants(config)
        if name not in (config.conversion.gated, REFERENCE)
    )
