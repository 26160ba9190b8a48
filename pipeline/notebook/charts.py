"""Charts of Altair as outputs of notebook cells, without a network, in any JupyterLab."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.notebook.isolated import isolated, script

if TYPE_CHECKING:
    from IPython.display import HTML

_OPTIONS = {"renderer": "svg", "actions": False}


def show(chart: Any, *, title: str, height: int = 360) -> HTML:
    """Draws a chart in a frame; it stays interactive.

    Args:
        chart: Of Altair.
        title: Text for screen readers.
        height: Of the frame, pixels.
    """
    import vl_convert

    # Called by its own name: the bundle is a module, and a frame without an address loads none.
    library = vl_convert.javascript_bundle("window.draw = vegaEmbed;")
    spec = json.dumps(chart.properties(description=title).to_dict())
    body = (
        script(library)
        + '<div id="chart"></div>'
        + script(f'draw("#chart", {spec}, {json.dumps(_OPTIONS)});')
    )
    return isolated(body, title=title, height=height)
