"""What a table of the page is made of: text to read, values to sort by, marks to filter by."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from pipeline.dashboard.formats import MISSING


@dataclasses.dataclass(frozen=True)
class Cell:
    """One field.

    Attributes:
        text: What is shown.
        value: What it is sorted by; None sorts a number last and a text by itself.
        kind: A word for the style, e.g. `good`, `bad`, `code`; empty for plain text.
        href: Where a click leads; empty for nowhere.
        note: Shown small behind the text.
    """

    text: str
    value: float | None = None
    kind: str = ""
    href: str = ""
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Column:
    """A heading; `meaning` is a line that explains it."""

    label: str
    is_number: bool = False
    meaning: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """Cells, what the page's controls filter by, and an anchor to link to; empty for none."""

    cells: Sequence[Cell]
    marks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    anchor: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        anchor: Its id in the page.
        caption: Its heading.
        columns: Headings; the first column names the row.
        rows: In the order in which they are shown at first.
        can_sort: Whether a click on a heading sorts.
        can_filter: Whether a field for text to look for stands above.
    """

    anchor: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    can_sort: bool = True
    can_filter: bool = False


def text(value: object, *, kind: str = "", href: str = "", note: str = "") -> Cell:
    """Returns a field of text."""
    return Cell(str(value), kind=kind, href=href, note=note)


def figure(value: float | None, shown: str, *, kind: str = "", note: str = "") -> Cell:
    """Returns a field with a number, which sorts by its value and not by how it is written."""
    if value is None or math.isnan(value):
        return Cell(MISSING if value is None else shown, kind=kind, note=note)
    return Cell(shown, value=float(value), kind=kind, note=note)


def state(name: str, note: str = "") -> Cell:
    """Returns a field with a state or verdict in its colour."""
    return Cell(name, kind=f"state {name.replace(' ', '-')}", note=note)
