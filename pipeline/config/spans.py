"""Spans of incoming data: which are read, and how far the newest may drift."""

from __future__ import annotations

import re

from pydantic import Field

from pipeline.config.base import Section

_PLACEHOLDER = re.compile(r"\{(?:SPAN|VERSION)(?::[^}]*)?\}|\{(?:YYYY|MM|DD)\}")


def has_spans(dataset: str) -> bool:
    """Whether a data set is a pattern of spans, as `ratings-{SPAN}`, and not one release."""
    return _PLACEHOLDER.search(dataset) is not None


def without_placeholders(dataset: str) -> str:
    """Returns the path that names what a pattern's spans are spans of."""
    kept = ""
    for part in dataset.split("/"):
        plain = _PLACEHOLDER.sub("", part)
        # A part of nothing but placeholders, as {YYYY}-{MM}-{DD}, names nothing.
        if plain == part or re.search("[A-Za-z]", plain.removesuffix(".zip")):
            kept += f"/{plain}"
        if plain != part:
            break
    return kept


class SpansConfig(Section):
    """Which spans of a pattern are read; a data set without `{SPAN}` has none."""

    window: int | None = Field(
        None, ge=1, description="the last so many spans up to the newest; null: all"
    )
    newest: int | None = Field(
        None, ge=0, description="the last span that is read, so that a run repeats; null: the last"
    )


class DriftConfig(Section):
    """The largest differences of the newest span's events from those of the span before.

    Each limit is of a distance between 0 and 1; null compares nothing.
    """

    rating: float | None = Field(
        0.1, gt=0, le=1, description="stars: Jensen-Shannon divergence (base 2)"
    )
    movie: float | None = Field(
        0.05, gt=0, le=1, description="largest change of a movie's share of the events"
    )
    events: float | None = Field(
        None,
        gt=0,
        le=1,
        description=(
            "events a user: Jensen-Shannon divergence (base 2); for spans of equal length"
        ),
    )
    user_attributes: float | None = Field(
        0.2,
        gt=0,
        le=1,
        description=(
            "gender and occupation: largest change of a value's share of the users; age: "
            "Jensen-Shannon divergence (base 2)"
        ),
    )
    new_movies: float | None = Field(
        0.3, gt=0, le=1, description="share of events with movies that no earlier span lists"
    )
