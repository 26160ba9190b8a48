"""How charts look: colours are the page's CSS variables, so that they follow light, dark and print.

A spec is drawn as SVG, where a colour may be a variable as anywhere in a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.dashboard.comparison import MODEL

INK, QUIET, GRID, PAGE = "var(--ink)", "var(--quiet)", "var(--grid)", "var(--page)"
SERIES = tuple(f"var(--series-{place})" for place in range(1, 6))
BAR, WHOLE_BAR = "var(--bar)", "var(--bar-whole)"
"""Of bars under whiskers: apart from the page as well as from `INK`."""
GOOD, BAD, WARN = "var(--good)", "var(--bad)", "var(--warn)"

RECOMMENDER_COLOURS: Mapping[str, str] = {
    MODEL: SERIES[0],
    "float32": SERIES[2],
    "blessed": SERIES[3],
    "popularity": SERIES[1],
    "recent_popularity": SERIES[4],
}
RECOMMENDER_SHAPES: Mapping[str, str] = {
    MODEL: "circle",
    "float32": "diamond",
    "blessed": "triangle-up",
    "popularity": "square",
    "recent_popularity": "cross",
}
OUTCOME_COLOURS: Mapping[str, str] = {
    "pushed": GOOD,
    "not pushed": BAD,
    "failed": BAD,
    "incomplete": WARN,
    "data only": WARN,
}
OUTCOME_SHAPES: Mapping[str, str] = {
    "pushed": "circle",
    "not pushed": "triangle-down",
    "failed": "cross",
    "incomplete": "diamond",
    "data only": "square",
}

_FONT = "system-ui, sans-serif"


def vega_config() -> dict[str, Any]:
    """Returns the configuration that all charts of a page share."""
    return {
        "background": None,
        "font": _FONT,
        "view": {"stroke": None},
        "padding": {"left": 2, "right": 8, "top": 4, "bottom": 2},
        "axis": {
            "labelColor": QUIET,
            "titleColor": QUIET,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "domainColor": GRID,
            "tickColor": GRID,
            "gridColor": GRID,
            "gridOpacity": 0.7,
        },
        "axisY": {"domain": False, "ticks": False, "labelPadding": 8},
        "legend": {
            "orient": "top",
            "direction": "horizontal",
            "labelColor": INK,
            "titleColor": QUIET,
            "labelFontSize": 12,
            "labelLimit": 220,
            "symbolSize": 90,
            "title": None,
        },
        "text": {"fill": INK, "fontSize": 12},
        "bar": {"cornerRadiusEnd": 2},
    }
