"""What the page shows of the evaluation: gate, recall, slices, comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pipeline.dashboard import comparison, glossary, quality_charts, quality_tables, slices
from pipeline.dashboard.chart import Chart
from pipeline.dashboard.evaluation import Evaluation
from pipeline.dashboard.facts import Dashboard
from pipeline.dashboard.history import History, same_windows

View = dict[str, Any]

_MOST_SLICES = 16
"""More than these are not shown at once, unless asked for."""


@dataclasses.dataclass(frozen=True)
class Families:
    """The families that one can choose, key and name, and what is shown at first."""

    choices: Sequence[tuple[str, str]]
    first: str


def quality(d: Dashboard, history: History) -> View | None:
    """Shows gate, recall curves, slices and comparison; None where nothing was evaluated."""
    evaluation = d.evaluation
    if evaluation is None:
        return None
    names = recommender_names(d, history)
    rows = comparison.compare(evaluation)
    curves = comparison.recall_by_k(evaluation)
    champion = history.champion_of(d)
    if champion and champion.evaluation and same_windows(champion.run, d.run):
        # The gate measures the champion at one K; its own evaluation has all of them.
        own = comparison.recall_by_k(champion.evaluation).get(comparison.MODEL)
        curves |= {"blessed": own} if own else {}
    tail = [row for row in rows if row.slice.family == "popularity_segment"]
    k = glossary.GATED_K
    found = families(evaluation)
    return {
        "gate": quality_tables.gate(evaluation),
        "curve": Chart("recall-by-k", "Recall by K", quality_charts.recall_by_k(curves, names)),
        "segments": Chart("segments", "From head to tail", quality_charts.segments(tail, names, k))
        if tail
        else None,
        "explorer": _explorer(evaluation, found),
        "comparison": Chart(
            "comparison-chart",
            f"Recall@{k} by slice",
            quality_charts.compared(rows, names, k, found.first),
            band=quality_charts.BAND,
        )
        if rows
        else None,
        "families": found,
        "comparison_table": quality_tables.compared(rows, names, k),
        "references": [names[key] for key in comparison.references(rows)],
        "has_champion": "blessed" in comparison.references(rows),
    }


def families(evaluation: Evaluation) -> Families:
    """Returns the families of an evaluation's slices; of many slices, one family comes first."""
    found = slices.slices(evaluation)
    choices = [(key, name) for key, name in slices.families(found).items() if key != slices.OVERALL]
    is_long = len(found) > _MOST_SLICES and choices
    return Families(choices, choices[0][0] if is_long else quality_charts.ALL_FAMILIES)


def _explorer(evaluation: Evaluation, chosen: Families) -> View:
    """Shows the metrics by slice, with what one can choose."""
    found = slices.measures(evaluation)
    known = slices.metrics(evaluation)
    metric = next((m for m in known if m.name == glossary.RECALL), known[0] if known else None)
    groups = (
        *(glossary.OF_THE_MODEL, glossary.OF_OTHERS),
        *(glossary.OF_VARIANTS, glossary.DIFFERENCES),
    )
    return {
        "chart": Chart(
            "slices-chart",
            "Metric by slice",
            quality_charts.by_slice(found, metric.name if metric else "", chosen.first),
            band=quality_charts.BAND,
        ),
        "table": quality_tables.by_slice(evaluation),
        "metric": metric,
        "groups": [(group, [m for m in known if m.group == group]) for group in groups],
        "meanings": [
            (name, meaning)
            for key, name in chosen.choices
            if (meaning := glossary.family_meaning(key))
        ],
        "few": slices.FEW_WINDOWS,
        "small": sum(one.is_small for one in slices.slices(evaluation)),
    }


def recommender_names(d: Dashboard, history: History) -> dict[str, str]:
    """Names the model and the others; the champion with its version where that is known."""
    names = {comparison.MODEL: f"this model ({d.gated})" if d.gated else "this model"}
    names |= glossary.RECOMMENDERS
    champion = history.champion_of(d)
    if champion and champion.push and champion.push.version is not None:
        names["blessed"] += f" (version {champion.push.version})"
    return names
