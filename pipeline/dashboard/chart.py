"""A chart as it stands in a page."""

from __future__ import annotations

import dataclasses

from pipeline.dashboard.vega import Spec


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart in the page.

    Attributes:
        anchor: Its id.
        title: Above it.
        spec: What is drawn.
        caption: Below it.
        band: Height of each row of a chart whose number of rows changes; 0 for others.
    """

    anchor: str
    title: str
    spec: Spec
    caption: str = ""
    band: int = 0
