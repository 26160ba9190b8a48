"""TensorFlow Model Analysis's own components, without a network.

The library's widgets stay blank offline: their charts come from Google's servers, and JupyterLab
has no extension for them. The components themselves are in the package; here they run in a frame,
with a stand-in for the charts.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.notebook.isolated import isolated, script

if TYPE_CHECKING:
    from IPython.display import HTML

_SLICING_METRICS = "tfma-nb-slicing-metrics"
_TIME_SERIES = "tfma-nb-time-series"
_WEIGHT = "windows"


def slicing_metrics(evaluation: str | Path, slicing_column: str | None = None) -> HTML:
    """Shows the metrics of an evaluation by slice, in TFMA's component.

    Args:
        evaluation: The Evaluator's `ModelEvaluation` artifact.
        slicing_column: Whose values make the slices, e.g. `popularity_segment`; everything as one
            slice where it is left out.

    Raises:
        DataError: There is no evaluation, or it was not sliced by that column.
    """
    from tensorflow_model_analysis.view import util

    result = _load(evaluation)
    columns = _slicing_columns(result)
    if slicing_column is not None and slicing_column not in columns:
        raise DataError(f"slicing_column is {slicing_column!r}; {evaluation} has {columns}")
    data = util.get_slicing_metrics(result.slicing_metrics, slicing_column, None)
    config = {"weightedExamplesColumn": _WEIGHT}
    return _component(_SLICING_METRICS, data, config, title=f"Metrics by {slicing_column}")


def time_series(evaluations: Sequence[str | Path]) -> HTML:
    """Shows how the metrics of all windows changed over several evaluations, in TFMA's component.

    Args:
        evaluations: `ModelEvaluation` artifacts, the oldest first.

    Raises:
        DataError: There are fewer than two, or one cannot be read.
    """
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.slicer import slicer_lib
    from tensorflow_model_analysis.view import util, view_types

    if len(evaluations) < 2:
        raise DataError(f"{len(evaluations)} evaluation(s) given; a series takes two or more")
    results = view_types.EvalResults(
        [_load(evaluation) for evaluation in evaluations], tfma.constants.MODEL_CENTRIC_MODE
    )
    data = util.get_time_series(results, slicer_lib.SingleSliceSpec(), True)
    return _component(_TIME_SERIES, data, {"isModelCentric": True}, title="Metrics over runs")


def _load(evaluation: str | Path) -> Any:
    import tensorflow_model_analysis as tfma

    try:
        result = tfma.load_eval_result(str(evaluation))
    except Exception as error:
        # Asserts, TensorFlow's errors and those of protocol buffers, whichever is met first.
        raise DataError(f"{evaluation}: no readable evaluation ({error})") from error
    # Of a folder without files TFMA makes an empty result.
    if not result.slicing_metrics:
        raise DataError(f"{evaluation}: no readable evaluation (it holds no metrics)")
    return result


def _slicing_columns(result: Any) -> list[str]:
    keys = {column for key, _ in result.slicing_metrics for column, _ in key}
    return sorted(keys)


def _component(
    element: str, data: Any, config: Mapping[str, Any], *, title: str, height: int = 640
) -> HTML:
    import tensorflow_model_analysis

    package = importlib.resources.files(tensorflow_model_analysis)
    components = (
        package.joinpath("static").joinpath("vulcanized_tfma.js").read_text(encoding="utf-8")
    )
    charts = importlib.resources.files("pipeline.notebook").joinpath("google_charts.js")
    feed = (
        f"const view = document.querySelector({json.dumps(element)});"
        f"view.config = {json.dumps(config)};"
        f"view.data = {json.dumps(data)};"
    )
    body = (
        script(charts.read_text(encoding="utf-8"))
        + f"<{element}></{element}>"
        + script(components)
        + script(feed)
    )
    return isolated(body, title=title, height=height)
