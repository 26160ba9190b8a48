"""The few figures that stand at the top of a page."""

from __future__ import annotations

import dataclasses

from pipeline.dashboard import comparison, glossary, slices
from pipeline.dashboard.facts import Dashboard
from pipeline.dashboard.formats import duration, metric, number, share, signed, size
from pipeline.dashboard.history import History
from pipeline.dashboard.history_tables import gated_bytes


@dataclasses.dataclass(frozen=True)
class Headline:
    """A figure: its name, its value, and a line about it."""

    name: str
    value: str
    note: str = ""


def of_run(d: Dashboard) -> list[Headline]:
    """Returns the figures of one run; what it did not reach is left out."""
    found: list[Headline] = []
    rows = comparison.compare(d.evaluation) if d.evaluation else []
    whole = next((row for row in rows if row.slice.family == slices.OVERALL), None)
    if whole:
        own = whole.by_recommender[comparison.MODEL]
        note = f"95%: {own.low:.3f} to {own.high:.3f}" if own.low is not None else "no interval"
        found.append(Headline(f"Recall@{glossary.GATED_K}", metric(own.value), note))
        rivals = [key for key in ("popularity", "recent_popularity") if key in whole.by_recommender]
        if rivals:
            best = max(rivals, key=lambda key: whole.by_recommender[key].value)
            value = whole.by_recommender[best].value
            times = f"{own.value / value:.1f} times {metric(value)}" if value else metric(value)
            label = f"Over {glossary.recommender(best)}"
            found.append(Headline(label, signed(whole.difference(best)), times))
        against = whole.difference("blessed")
        if against is not None:
            value = whole.by_recommender["blessed"].value
            found.append(Headline("Over the champion", signed(against), f"it has {metric(value)}"))
        found.append(Headline("Test windows", number(whole.slice.windows), "one target each"))
    file_size, reference = gated_bytes(d), d.variants.get("float32", {}).get("bytes")
    if file_size is not None:
        note = f"{share(file_size, reference)} of float32" if reference else ""
        found.append(Headline(f"File, {d.gated}", size(file_size), note))
    ratings = d.data.counts.get("ratings_kept")
    if isinstance(ratings, int | float):
        people = ", ".join(
            f"{number(count)} {name}"
            for name in ("users", "movies")
            if isinstance(count := d.data.counts.get(name), int | float)
        )
        found.append(Headline("Ratings", number(ratings), people))
    cached = sum(row.state == "cached" for row in d.steps)
    working = sum(s.seconds for s in d.run.steps if s.state in ("done", "failed"))
    found.append(Headline("Time in steps", duration(working), f"{cached} steps cached"))
    return found


def of_all(history: History) -> list[Headline]:
    """Returns the figures of a workspace."""
    kinds = [record.dashboard.verdict.kind for record in history.records]
    others = len(kinds) - kinds.count("pushed") - kinds.count("not-pushed")
    champion = next((v for v in history.versions if "champion" in v.aliases), None)
    found = [
        Headline("Runs", number(len(kinds)), f"{others} came to no decision" if others else ""),
        Headline("Pushed", number(kinds.count("pushed")), "let through by the gate"),
        Headline("Not pushed", number(kinds.count("not-pushed")), "held back by the gate"),
    ]
    if champion:
        note = f"of {len(history.versions)} in the registry"
        found.append(Headline("Champion", f"version {champion.version}", note))
    return found
