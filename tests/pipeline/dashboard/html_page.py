"""Reads a page as a browser without scripts would: nesting, rows of tables, attributes."""

from __future__ import annotations

import html.parser
import json
from typing import Any


class Page(html.parser.HTMLParser):
    """Checks that elements nest, and collects the text, the rows of tables and the attributes."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, source: str):
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.specs: list[dict[str, Any]] = []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.is_spec = tag == "script" and ("type", "application/json") in attrs

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        if self.open and self.open[-1] == "script" and self.is_spec:
            self.specs.append(json.loads(data))

    def row(self, *start: str) -> list[str]:
        rows = [row for row in self.rows if tuple(row[: len(start)]) == start]
        assert len(rows) == 1, (start, self.rows)
        return rows[0]

    def values(self, name: str) -> list[str]:
        return [value for _, other, value in self.attributes if other == name]
