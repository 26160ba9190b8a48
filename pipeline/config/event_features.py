"""What a model reads of each event beside the movie."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.base import Section


class EventFeaturesConfig(Section):
    """Learned vectors added to the item vector of an event.

    In ML-1M many users rated in a few sittings, and 30% of the seconds are interpolated: there,
    gap and age tell sittings apart, and little within one.
    """

    rating: bool = Field(False, description="stars; an app that has none still gets an answer")
    rating_dropout: float = Field(
        0.1, ge=0, lt=1, description="share of ratings that training takes for not known"
    )
    gap: bool = Field(False, description="log2 of the seconds since the event before")
    age: bool = Field(
        False,
        description=(
            "log2 of the seconds to the event after; of the last event, to the moment that is "
            "predicted for"
        ),
    )

    @property
    def reads_time(self) -> bool:
        """Whether the times of the events are read."""
        return self.gap or self.age

    @property
    def any(self) -> bool:
        """Whether anything is read at all."""
        return self.rating or self.reads_time
