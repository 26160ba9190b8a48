from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PICTURES = PROJECT / "docs" / "pictures"


def test_pictures_are_small_and_those_that_are_shown_are_there() -> None:
    sizes = {path.name: path.stat().st_size for path in PICTURES.glob("*.png")}
    assert sizes
    assert [name for name, size in sizes.items() if size > 300_000] == []
    shown = re.findall(r"docs/pictures/([\w-]+\.png)", (PROJECT / "README.md").read_text("utf-8"))
    assert shown
    assert set(shown) <= set(sizes)
