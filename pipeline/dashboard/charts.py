"""Charts as inline SVG: no script, no network, the page's own colours, equal bytes every time."""

from __future__ import annotations

import contextlib
import html
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# matplotlib writes fixed colours. These stand for the page's CSS variables and are exchanged
# in the finished SVG, so that a chart follows the reader's light or dark scheme.
_INK = "#010203"
_GRID = "#040506"
_SERIES = ("#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04")
_STYLE_VARIABLES = {
    _INK: "currentColor",
    _GRID: "var(--grid)",
    **{colour: f"var(--series-{i + 1})" for i, colour in enumerate(_SERIES)},
}
_MARKERS = ("o", "s", "^", "D")
_INCH_WIDTH = 6.4


def lines(
    title: str, x_label: str, x: Sequence[float], series: Mapping[str, Sequence[float]]
) -> str:
    """Draws up to four curves over one axis.

    Args:
        title: Heading, and the start of the text for screen readers.
        x_label: Name of the horizontal axis.
        x: Positions, shape [points].
        series: Values by name, each of shape [points]; NaN leaves a gap.
    """
    drawn = {name: [v for v in values if not math.isnan(v)] for name, values in series.items()}
    ends = "; ".join(
        f"{name} from {values[0]:.4g} to {values[-1]:.4g}"
        for name, values in drawn.items()
        if values
    )
    with _drawing(1, 1, height=2.8) as (figure, (axes,)):
        for (name, values), colour, marker in zip(series.items(), _SERIES, _MARKERS, strict=False):
            axes.plot(x, values, color=colour, marker=marker, markersize=3, label=name)
        axes.set_xlabel(x_label)
        axes.locator_params(axis="x", integer=True)
        axes.set_title(title, loc="left")
        _legend(figure, series)
        return _svg(figure, f"{title}: {ends}")


def bars(title: str, groups: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Draws groups of horizontal bars, the first group on top.

    Args:
        title: Heading, and the start of the text for screen readers.
        groups: Names of the groups.
        series: Values by name, each of shape [groups].
    """
    thickness = 0.8 / max(len(series), 1)
    height = 1.0 + 0.2 * len(groups) * (len(series) + 0.5)
    with _drawing(1, 1, height=height) as (figure, (axes,)):
        for index, ((name, values), colour) in enumerate(
            zip(series.items(), _SERIES, strict=False)
        ):
            shift = (index - (len(series) - 1) / 2) * thickness
            centres = [row + shift for row in range(len(groups))]
            axes.barh(centres, values, height=thickness * 0.9, color=colour, label=name)
            for centre, value in zip(centres, values, strict=True):
                if not math.isnan(value):
                    place = {"xytext": (3, 0), "textcoords": "offset points", "va": "center"}
                    axes.annotate(f"{value:.4f}", (value, centre), **place)
        axes.set_yticks(range(len(groups)), groups)
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.margins(x=0.14)
        axes.set_title(title, loc="left")
        _legend(figure, series)
        return _svg(figure, f"{title}: the table beside this chart holds the same numbers")


def histograms(
    title: str, panels: Mapping[str, Sequence[tuple[float, float, float]]], columns: int = 3
) -> str:
    """Draws one small histogram a panel.

    Args:
        title: Text for screen readers.
        panels: Buckets (low, high, count) by panel name.
        columns: Panels side by side.
    """
    rows = -(-len(panels) // columns)
    with _drawing(rows, columns, height=1.7 * rows) as (figure, grid):
        for axes, (name, buckets) in zip(grid, panels.items(), strict=False):
            axes.bar(
                [low for low, _, _ in buckets],
                [count for _, _, count in buckets],
                width=[high - low for low, high, _ in buckets],
                align="edge",
                color=_SERIES[0],
            )
            axes.set_title(name, loc="left", fontsize=9)
            axes.locator_params(nbins=3)
            axes.ticklabel_format(style="plain", useOffset=False, axis="x")
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        return _svg(figure, f"{title}: {', '.join(panels)}")


@contextlib.contextmanager
def _drawing(rows: int, columns: int, height: float) -> Iterator[tuple[Any, list[Any]]]:
    """Yields a figure and its panels, row by row; the style holds inside the block alone."""
    # Slow to import, and needed only where there is something to draw.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = {
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "axes.titlecolor": _INK,
        "axes.edgecolor": _GRID,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "grid.color": _GRID,
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.6,
        "xtick.color": _INK,
        "ytick.color": _INK,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(_INCH_WIDTH, height), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        yield figure, [axes for row in grid for axes in row]


def _legend(figure: Any, series: Mapping[str, Sequence[float]]) -> None:
    if len(series) > 1:
        figure.legend(frameon=False, loc="outside lower center", ncols=2)


def _svg(figure: Any, text: str) -> str:
    """Returns the figure as an `<svg>` element that fits into a page with others."""
    import matplotlib as mpl

    buffer = io.StringIO()
    # The salt makes the names of clip paths and markers repeatable, and unlike other charts'.
    with mpl.rc_context({"svg.hashsalt": text}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    for colour, variable in _STYLE_VARIABLES.items():
        svg = svg.replace(colour, variable)
    # Inside HTML the namespaces are implied, and a plain href does what xlink's did.
    svg = re.sub(r"\sxmlns(:\w+)?=\"[^\"]*\"", "", svg).replace("xlink:href", "href")
    used = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", svg))
    svg = re.sub(
        r"\sid=\"([^\"]+)\"", lambda found: found.group(0) if found.group(1) in used else "", svg
    )
    label = html.escape(text, quote=True)
    opening = f'<svg role="img" aria-label="{label}"'
    svg = re.sub(r"<svg(?: (?:width|height)=\"[^\"]*\")*", lambda _: opening, svg, count=1)
    return svg.strip()
