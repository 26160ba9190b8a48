"""The largest part of an elastic table whose file keeps a budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from components.tflite_converter.convert import ConversionError
from components.tflite_converter.elastic_tables import with_tables
from modules.models.item_tables.elastic_layout import Layout, all_layouts
from modules.models.item_tables.elastic_master import ElasticMaster

# More than what operators take that the smallest file has and others can do without.
_SPARED = 1024


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A file that keeps a budget.

    Attributes:
        content: The `.tflite` file.
        layout: Blocks that each segment keeps.
        table_bytes: Of the numbers that are kept.
    """

    content: bytes
    layout: Layout
    table_bytes: int


class BudgetTooSmallError(ConversionError):
    """A budget that not even the first blocks keep.

    Attributes:
        smallest: Bytes of the smallest file.
    """

    def __init__(self, budget: int, smallest: int) -> None:
        super().__init__(f"a file of {budget:,} bytes: the smallest has {smallest:,}")
        self.smallest = smallest


def fit(
    base: bytes,
    master: ElasticMaster,
    budget: int,
    *,
    group: int = 0,
    finish: Callable[[bytes], bytes] = bytes,
) -> Fitted:
    """Makes the file with the largest part of the table that keeps the budget.

    Args:
        base: A `.tflite` file of the same model with any table of the same size.
        master: The table.
        budget: Most bytes of the file.
        group: Whose table of the master's, from 0.
        finish: What is still done to the file before it ships, such as adding metadata.

    Raises:
        BudgetTooSmallError: No part does.
        ConversionError: The file has no table of that size.
    """
    layouts = all_layouts(master.groups[group].shares)
    rows = master.grid.borders[-1]

    def made(layout: Layout) -> bytes:
        steps = master.steps(layout, group)
        return finish(with_tables(base, rows, master.width, steps))

    def numbers(layout: Layout) -> int:
        return sum(step.bytes for step in master.steps(layout, group))

    smallest = made(layouts[0])
    if len(smallest) > budget:
        raise BudgetTooSmallError(budget, len(smallest))
    # All else in a file is hardly smaller than in the smallest one, so that few are made in vain.
    others = len(smallest) - numbers(layouts[0]) - _SPARED
    for layout in reversed(layouts[1:]):
        if others + numbers(layout) <= budget:
            content = made(layout)
            if len(content) <= budget:
                return Fitted(content, layout, numbers(layout))
    return Fitted(smallest, layouts[0], numbers(layouts[0]))
