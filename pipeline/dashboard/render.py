"""Turns the collected facts into one HTML file that loads nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml

from modules import features
from pipeline.dashboard import charts, tables
from pipeline.dashboard.collect import Dashboard
from pipeline.dashboard.formats import metric, moment, number, seconds, year

_SECTIONS = (
    ("steps", "Steps"),
    ("data", "Data"),
    ("training", "Training"),
    ("metrics", "Metrics"),
    ("gate", "Gate"),
    ("variants", "Variants"),
    ("registry", "Registry"),
    ("configuration", "Configuration"),
    ("lineage", "Lineage"),
)
_RECALL = "recall_at_10"
_TO_BEAT = tuple(f"{_RECALL}_{name}" for name in ("popularity", "recent_popularity", "blessed"))
_MOST_SERIES = 4


def render(dashboard: Dashboard) -> str:
    """Returns the page; the same facts give the same bytes."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, metric=metric, seconds=seconds, moment=moment, artifacts=tables.artifacts
    )
    template = environment.get_template("dashboard.html")
    return template.render(d=dashboard, sections=_SECTIONS, **_view(dashboard)) + "\n"


def _view(d: Dashboard) -> dict[str, Any]:
    """Returns everything that the template needs beside the facts themselves."""
    epoch_columns, epoch_rows = tables.epochs(d.epochs)
    metric_columns, metric_rows = tables.metrics(d.evaluation) if d.evaluation else ([], [])
    variant_columns, variant_rows = tables.variants(d.conversion)
    return {
        "headlines": _headlines(d),
        "count_rows": tables.counts(d.data.counts),
        "anomaly_rows": tables.anomalies(d.data.anomalies),
        "statistic_rows": tables.statistics(d.data.statistics),
        "histograms": _histograms(d),
        "training_charts": _training_charts(d.epochs),
        "epoch_columns": epoch_columns,
        "epoch_rows": epoch_rows,
        "metric_chart": _metric_chart(d),
        "metric_columns": metric_columns,
        "metric_rows": metric_rows,
        "variant_columns": variant_columns,
        "variant_rows": variant_rows,
        "conversion_rows": tables.conversion_settings(d.conversion),
        "push_rows": tables.properties(d.push.properties) if d.push else [],
        "file_rows": tables.files(d.push.files) if d.push else [],
        "config_text": yaml.safe_dump(dict(d.config), sort_keys=False) if d.config else "",
    }


def _headlines(d: Dashboard) -> list[tuple[str, str]]:
    states = [row.state for row in d.steps]
    kinds = [kind for kind in dict.fromkeys(states) if kind]
    rows = [("Steps", ", ".join(f"{states.count(kind)} {kind}" for kind in kinds))]
    working = sum(s.seconds for s in d.run.steps if s.state in ("done", "failed"))
    rows.append(("Time in steps", f"{working:,.1f} s"))
    if d.config:
        encoder = d.config.get("model", {}).get("encoder", {}).get("name")
        length = d.config.get("history", {}).get("length")
        rows.append(("Encoder", f"{encoder}, histories of {length}"))
        rows.append(("Seed", str(d.config.get("seed"))))
    overall = next(iter(d.evaluation.slices.values()), {}) if d.evaluation else {}
    if _RECALL in overall:
        rows.append(("Recall@10 on test", metric(overall[_RECALL])))
    return rows


def _histograms(d: Dashboard) -> str:
    train = next((s for s in d.data.statistics if s.split == features.SPLIT_TRAIN), None)
    panels = {}
    for feature in train.features if train else ():
        if not feature.histogram or feature.minimum == feature.maximum:
            continue
        if feature.name == features.TIMESTAMP:
            panels[f"{feature.name}, year"] = [
                (year(low), year(high), count) for low, high, count in feature.histogram
            ]
        elif feature.name != features.USER_ID:  # an arbitrary number, its distribution says nothing
            panels[feature.name] = list(feature.histogram)
    return charts.histograms("Values of the training split", panels) if panels else ""


def _training_charts(epochs: Sequence[Mapping[str, float]]) -> list[dict[str, str]]:
    if not epochs:
        return []
    names = dict.fromkeys(name for row in epochs for name in row)
    position = [row.get("epoch", float(i + 1)) for i, row in enumerate(epochs)]
    losses = [name for name in names if "loss" in name]
    scores = [name for name in (_RECALL, "ndcg_at_10", "mrr") if name in names]
    drawn = []
    for title, group, caption in (
        ("Loss", losses, "Training loss by epoch."),
        ("Quality on eval", scores, "Metrics on the eval split; recall@10 decides when to stop."),
    ):
        if group:
            series = {
                name: [row.get(name, math.nan) for row in epochs] for name in group[:_MOST_SERIES]
            }
            drawn.append(
                {"svg": charts.lines(title, "epoch", position, series), "caption": caption}
            )
    return drawn


def _metric_chart(d: Dashboard) -> str:
    """Draws recall@10 of the model and of what it must beat, slice by slice."""
    if not d.evaluation:
        return ""
    slices = d.evaluation.slices
    groups = [name for name, values in slices.items() if _RECALL in values]
    series = {
        name: [slices[group].get(name, math.nan) for group in groups]
        for name in (_RECALL, *_TO_BEAT)
    }
    drawn = {n: values for n, values in series.items() if not all(map(math.isnan, values))}
    return charts.bars("Recall@10", groups, drawn) if drawn else ""
