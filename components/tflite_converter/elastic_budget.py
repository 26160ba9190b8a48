"""The largest part of an elastic table whose file keeps a budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from components.tflite_converter.convert import ConversionError
from components.tflite_converter.elastic_tables import with_tables
from modules.models.item_tables.elastic_layout import Layout, all_layouts
from modules.models.item_tables.elastic_master import ElasticMaster

Size = Callable[[bytes], int]
"""How many bytes of a budget a file takes."""

# More than what operators take that the smallest file has and others can do without.
_SPARED = 1024
# What is left of a table's bytes, at best, where a file counts as compressed.
_COMPRESSED_TO = 0.5


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
    size: Size = len,
) -> Fitted:
    """Makes the file with the largest part of the table that keeps the budget.

    Args:
        base: A `.tflite` file of the same model with any table of the same size.
        master: The table.
        budget: Most bytes of the file, counted by `size`.
        group: Whose table of the master's, from 0.
        finish: What is still done to the file before it ships, such as adding metadata.
        size: Bytes as which a file counts: its own, or fewer where it ships compressed.

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
    least = size(smallest)
    if least > budget:
        raise BudgetTooSmallError(budget, least)
    # All else in a file is hardly smaller than in the smallest one, so that few are made in vain.
    room = budget - least + _SPARED
    share = 1.0 if least == len(smallest) else _COMPRESSED_TO
    for layout in reversed(layouts[1:]):
        if share * (numbers(layout) - numbers(layouts[0])) <= room:
            content = made(layout)
            if size(content) <= budget:
                return Fitted(content, layout, numbers(layout))
    return Fitted(smallest, layouts[0], numbers(layouts[0]))
