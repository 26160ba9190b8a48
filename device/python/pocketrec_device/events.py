"""What an app knows of a history beside the movies: ratings, times, the moment of the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pocketrec_device.errors import HistoryError
from pocketrec_device.manifest import REQUEST_TIME_INPUT, UNKNOWN

_MOST_STARS = 5.0
LAST_SECOND = 2**31 - 1


class Events(NamedTuple):
    """A history, oldest first; three sequences of one length.

    Attributes:
        ids: The model's ids.
        ratings: Stars, 0 where not known.
        times: Seconds since 1970 UTC, 0 where not known.
    """

    ids: Sequence[int]
    ratings: Sequence[float]
    times: Sequence[int]


def make_events(
    ids: Sequence[int],
    ratings: Sequence[float | None] | None,
    times: Sequence[int | None] | None,
    min_rating: float,
) -> Events:
    """Puts together what a model may see of a history.

    Args:
        ids: The model's ids, oldest first, 0 where it does not know the movie.
        ratings: Stars of each, None where not known; or None altogether.
        times: Seconds since 1970 UTC of each, None where not known; or None altogether.
        min_rating: Stars; what was rated lower is left out.

    Returns:
        The events of known movies.

    Raises:
        HistoryError: Not as many ratings or times as movies, a rating that is none, a time that is
            none, or times that fall.
    """
    stars = [
        _stars(rating, place) for place, rating in enumerate(_of_each(ratings, ids, "ratings"))
    ]
    seconds = [
        seconds_of(time, f"times[{place}]")
        for place, time in enumerate(_of_each(times, ids, "times"))
    ]
    _check_order(seconds)
    kept = [
        place
        for place, (movie, rating) in enumerate(zip(ids, stars, strict=True))
        if movie and (rating == UNKNOWN or rating >= min_rating)
    ]
    return Events(
        [ids[place] for place in kept],
        [stars[place] for place in kept],
        [seconds[place] for place in kept],
    )


def with_unknown(
    given: Mapping[str, npt.NDArray[Any]],
    wanted: Mapping[str, tuple[str, int]],
    batch: int,
    now: int,
) -> dict[str, npt.NDArray[Any]]:
    """Fills in what is not given: not known, and `now` for the moment of the request.

    Args:
        given: Inputs by name; what the model does not read is dropped.
        wanted: Types and widths of the model's inputs, see `Manifest.further_inputs`.
        batch: Histories.
        now: Seconds since 1970 UTC.

    Returns:
        Arrays [batch, width] by input name.

    Raises:
        HistoryError: An input has another shape.
    """
    filled = {}
    for name, (dtype, width) in wanted.items():
        default = now if name == REQUEST_TIME_INPUT else UNKNOWN
        values = given.get(name, np.full((batch, width), default))
        if values.shape != (batch, width):
            raise HistoryError(
                f"{name} has the shape {list(values.shape)}, must have {[batch, width]}"
            )
        filled[name] = np.ascontiguousarray(values, dtype)
    return filled


def seconds_of(time: int | None, name: str) -> int:
    """Returns a time, 0 for None.

    Args:
        time: Seconds since 1970 UTC, or None.
        name: What to call it in errors.

    Raises:
        HistoryError: It is no such number.
    """
    if time is None:
        return UNKNOWN
    if not isinstance(time, Integral) or isinstance(time, bool) or not 0 < time <= LAST_SECOND:
        raise HistoryError(
            f"{name} is {time!r}; must be whole seconds since 1970 UTC, 1 to {LAST_SECOND}, or "
            "None where not known"
        )
    return int(time)


def _stars(rating: float | None, place: int) -> float:
    if rating is None:
        return UNKNOWN
    if not isinstance(rating, Real) or isinstance(rating, bool) or not 0 < rating <= _MOST_STARS:
        raise HistoryError(
            f"ratings[{place}] is {rating!r}; must be stars, 0.5 to {_MOST_STARS:g}, or None where "
            "not known"
        )
    return float(rating)


def _of_each(values: Sequence[Any] | None, ids: Sequence[int], name: str) -> Sequence[Any]:
    if values is None:
        return [None] * len(ids)
    if len(values) != len(ids):
        raise HistoryError(f"{len(values)} {name} for a history of {len(ids)}; give one for each")
    return values


def _check_order(times: Sequence[int]) -> None:
    latest, where = UNKNOWN, 0
    for place, time in enumerate(times):
        if time == UNKNOWN:
            continue
        if time < latest:
            raise HistoryError(
                f"times[{place}] ({time}) is before times[{where}] ({latest}); a history is oldest "
                "first"
            )
        latest, where = time, place
