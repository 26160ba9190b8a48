"""What an ingest amounted to: counts that add up over user buckets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from components.movielens_example_gen.splits import Cuts, Part
from components.movielens_example_gen.timelines import Timelines

_PART_COUNTS = ("examples", "events", "targets")


@dataclasses.dataclass(frozen=True)
class Summary:
    """Counts after the minimum counts have been applied.

    Attributes:
        users: Users kept.
        events: Ratings kept.
        movie_ids: Movies that are kept, ascending.
        timestamp_min: Time of the first event kept, seconds since 1970 UTC; None without any.
        timestamp_max: Time of the last one.
        parts: By split: `examples`, `events` (the prefixes' lengths) and `targets` (events that
            may be targets; those at a timeline's start count in train). The spans' splits have no
            targets.
        cuts: Where `temporal` divided.
    """

    users: int = 0
    events: int = 0
    movie_ids: tuple[int, ...] = ()
    timestamp_min: int | None = None
    timestamp_max: int | None = None
    parts: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    cuts: Cuts | None = None

    @classmethod
    def of(
        cls, timelines: Timelines, parts: Mapping[str, Part], cuts: Cuts | None = None
    ) -> Summary:
        """Counts timelines and their splits."""
        times = timelines.timestamps
        return cls(
            users=len(timelines.user_ids),
            events=len(times),
            movie_ids=tuple(np.unique(timelines.movie_ids).tolist()),
            timestamp_min=int(times.min()) if len(times) else None,
            timestamp_max=int(times.max()) if len(times) else None,
            parts={
                name: {
                    "examples": len(part.users),
                    "events": int(part.ends.sum()),
                    "targets": int((part.ends - part.first_targets).sum()),
                }
                for name, part in parts.items()
            },
            cuts=cuts,
        )

    @classmethod
    def merge(cls, summaries: Iterable[Summary]) -> Summary:
        """Adds summaries of different users up; the outcome does not depend on their order."""
        listed = list(summaries)
        names = sorted({name for summary in listed for name in summary.parts})
        return cls(
            users=sum(s.users for s in listed),
            events=sum(s.events for s in listed),
            movie_ids=tuple(sorted(set().union(*(s.movie_ids for s in listed)))),
            timestamp_min=min(
                (s.timestamp_min for s in listed if s.timestamp_min is not None), default=None
            ),
            timestamp_max=max(
                (s.timestamp_max for s in listed if s.timestamp_max is not None), default=None
            ),
            parts={
                name: {
                    key: sum(s.parts.get(name, {}).get(key, 0) for s in listed)
                    for key in _PART_COUNTS
                    if any(key in s.parts.get(name, {}) for s in listed)
                }
                for name in names
            },
            cuts=next((s.cuts for s in listed if s.cuts is not None), None),
        )

    def to_json(self) -> dict[str, Any]:
        """A tree of plain values; `from_json` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Summary:
        """Reads what `to_json` gave."""
        cuts = Cuts(**tree["cuts"]) if tree["cuts"] else None
        return cls(**{**tree, "movie_ids": tuple(tree["movie_ids"]), "cuts": cuts})
