"""What all charts share: as wide as the page, described in words, without defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

Spec = dict[str, Any]
"""A Vega-Lite specification."""


def data(values: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Returns values as a chart's data; what is not a number becomes null, as JSON wants it."""
    return alt.InlineData(values=[{k: _plain(v) for k, v in row.items()} for row in values])


def with_ends(chart: alt.Chart) -> alt.Chart:
    """Adds the ends of intervals as `from` and `to`; without an interval, both are the value.

    A whisker of no length is not seen, whereas a scale without any end complains.
    """
    return chart.transform_calculate(
        **{
            "from": "datum.low == null ? datum.value : datum.low",
            "to": "datum.high == null ? datum.value : datum.high",
        }
    )


def finish(chart: Any, description: str, height: int) -> Spec:
    """Returns a chart's specification.

    Args:
        chart: The chart or its layers.
        description: What it shows, in words, for those who do not see it.
        height: In pixels.
    """
    chart = chart.properties(
        width="container",
        height=height,
        description=description,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding", resize=True),
    )
    spec: Spec = chart.to_dict()
    # The schema's address is never loaded, but an offline page is better without any.
    spec.pop("$schema")
    spec.pop("config")
    return spec


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
