"""What recall can be had for how many bytes: the best file of each kind of item table."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from pipeline.config.budgets import budget_bytes
from pipeline.sweep.drawing import COLOURS, MARKERS, style, svg

_BYTES = re.compile(r"(\w+)\.bytes")


@dataclasses.dataclass(frozen=True)
class Point:
    """A file of a trial.

    Attributes:
        trial: Its number.
        kind: Of its item table.
        file: Name of the variant.
        bytes: Of the file, the mean over the seeds.
        chosen_by: Recall@10 on eval, likewise.
        recall: Recall@10 on the split that is reported, likewise.
        spread: Of `recall` over the seeds.
        latency_ms: Median of one inference, likewise.
    """

    trial: int
    kind: str
    file: str
    bytes: float
    chosen_by: float
    recall: float
    spread: float
    latency_ms: float


def points(results: Mapping[str, Any]) -> list[Point]:
    """Returns all files that were judged, in the order of trials and names.

    Args:
        results: As `results.build` returns them.
    """
    split = "test" if results["report_test"] else "eval"
    found = []
    for trial in results["trials"]:
        if trial["state"] != "done":
            continue
        mean, spread = trial["mean"], trial["spread"]
        found += [
            Point(
                trial["trial"],
                trial["table"],
                name,
                mean[f"{name}.bytes"],
                mean[f"{name}.eval.recall_at_10"],
                mean[f"{name}.{split}.recall_at_10"],
                spread[f"{name}.{split}.recall_at_10"],
                mean[f"{name}.latency_ms"],
            )
            for name in files_of(trial)
        ]
    return found


def files_of(trial: Mapping[str, Any]) -> list[str]:
    """Returns the names of a trial's files, sorted.

    Args:
        trial: One that is done.
    """
    return sorted(match[1] for key in trial["mean"] if (match := _BYTES.fullmatch(key)))


def best_within(given: Sequence[Point], budget: int) -> Point | None:
    """Returns the file of the highest recall on eval that keeps a budget, the smallest of equals.

    Args:
        given: Files.
        budget: Most bytes.
    """
    fitting = [point for point in given if point.bytes <= budget]
    return max(fitting, key=lambda point: (point.chosen_by, -point.bytes), default=None)


def table(results: Mapping[str, Any]) -> str:
    """Returns a Markdown table: a row a kind of item table, a column a budget."""
    given, budgets = points(results), results["budgets"]
    rows = []
    for kind in _kinds(given):
        own = [point for point in given if point.kind == kind]
        best = (best_within(own, budget_bytes(budget)) for budget in budgets)
        rows.append([kind, *(_cell(point, len(results["seeds"]) > 1) for point in best)])
    return tabulate(rows, ["item table", *budgets], tablefmt="github", disable_numparse=True)


def plot(results: Mapping[str, Any]) -> str:
    """Draws recall@10 over bytes: all files, and a line through the best of each kind."""
    # Slow to import, and needed only where there is something to draw.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    given = points(results)
    with mpl.rc_context(style(f"{results['study']} frontier")):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        for number, kind in enumerate(_kinds(given)):
            own = sorted((p for p in given if p.kind == kind), key=lambda point: point.bytes)
            colour = COLOURS[number % len(COLOURS)]
            marker = MARKERS[number % len(MARKERS)]
            best = [point for point in own if best_within(own, int(point.bytes)) == point]
            every: dict[str, Any] = {"markersize": 3, "linestyle": "none", "alpha": 0.4}
            line: dict[str, Any] = {"markersize": 4, "linewidth": 1.4, "label": kind}
            for drawn, looks in ((own, every), (best, line)):
                sizes = [point.bytes / 1024 for point in drawn]
                recalls = [point.recall for point in drawn]
                axes.plot(sizes, recalls, color=colour, marker=marker, **looks)
        ticks = [budget_bytes(budget) / 1024 for budget in results["budgets"]]
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, results["budgets"])
        axes.minorticks_off()
        axes.set_xlabel("bytes of the file")
        axes.set_ylabel(f"recall@10 on {'test' if results['report_test'] else 'eval'}")
        axes.legend(frameon=False)
        return svg(figure)


def _kinds(given: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(point.kind for point in given))


def _cell(point: Point | None, several: bool) -> str:
    if point is None:
        return ""
    spread = f" ± {point.spread:.4f}" if several else ""
    return (
        f"{point.recall:.4f}{spread} (trial {point.trial} {point.file}, "
        f"{point.bytes / 1024:.1f} KB, {point.latency_ms:.3f} ms)"
    )
