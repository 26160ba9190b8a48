"""What plots of studies share: a style, and SVG files that are the same each time."""

from __future__ import annotations

import io
import re
from typing import Any

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
MARKERS = "os^Dv<>P"


def style(salt: str) -> dict[str, Any]:
    """Returns matplotlib's settings.

    Args:
        salt: What names inside of the file are made from.
    """
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "font.size": 9,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }


def svg(figure: Any) -> str:
    """Returns a matplotlib figure as an SVG file's content, without the time of its making."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+$", "", buffer.getvalue(), flags=re.MULTILINE)
