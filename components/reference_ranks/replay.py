"""Replays test windows for another model: its own vocabulary, history length and minimum rating.

A window holds the ids and the length of the candidate's history. The model blessed earlier may know
other movies and look further back, so each window is found in its user's timeline again, and the
other model's history is cut from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from components.reference_ranks.timelines import Timelines
from modules import features
from modules.evaluation.ranking import IntArray, Ragged
from modules.user_attributes import ID_FEATURES
from pipeline.errors import DataError


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Which movie has which id in a model.

    Attributes:
        movie_ids: int64 [movies], the release's ids; entry i has vocabulary id i + 1.
    """

    movie_ids: IntArray

    @property
    def movies(self) -> int:
        """Size of the vocabulary."""
        return len(self.movie_ids)

    def ids(self, movie_ids: IntArray) -> IntArray:
        """Translates the release's ids into vocabulary ids, 0 = unknown; any shape."""
        if not self.movies:
            return np.zeros_like(movie_ids)
        order = np.argsort(self.movie_ids, kind="stable")
        ascending = self.movie_ids[order]
        place = np.minimum(np.searchsorted(ascending, movie_ids), self.movies - 1)
        return np.where(ascending[place] == movie_ids, order[place] + 1, 0)


@dataclasses.dataclass(frozen=True)
class HistoryRules:
    """What a model takes as history.

    Attributes:
        length: N, events.
        min_rating: Stars; events below do not count.
    """

    length: int
    min_rating: float


@dataclasses.dataclass(frozen=True)
class Windows:
    """Test windows, as far as a replay needs them.

    Attributes:
        user_ids: int64 [windows].
        history_lengths: int64 [windows], the candidate's usable events before the target.
        targets: int64 [windows], the candidate's vocabulary ids, 0 = not in the vocabulary.
        target_timestamps: int64 [windows].
    """

    user_ids: IntArray
    history_lengths: IntArray
    targets: IntArray
    target_timestamps: IntArray


class Locator:
    """Finds windows in the timelines they were cut from."""

    def __init__(self, timelines: Timelines, vocabulary: Vocabulary, rules: HistoryRules) -> None:
        """Prepares the search.

        Args:
            timelines: The test split.
            vocabulary: The candidate's.
            rules: The candidate's.
        """
        self._timelines = timelines
        ids = vocabulary.ids(timelines.movie_ids)
        liked = timelines.ratings >= np.float32(rules.min_rating)
        usable = liked & (ids > 0)
        before: IntArray = np.cumsum(usable) - usable
        starts = np.append(before, np.sum(usable))[timelines.offsets[:-1]]
        rows = timelines.rows
        # User and number of usable events before an event, in one number that never falls.
        self._stride = int(np.diff(timelines.offsets).max(initial=0)) + 1
        place = rows * self._stride + before - starts[rows]
        self._usable = np.flatnonzero(usable)
        self._usable_place = place[self._usable]
        first_target = timelines.offsets[:-1] + timelines.first_targets
        self._unknown = np.flatnonzero(
            liked & (ids == 0) & (np.arange(len(ids)) >= first_target[rows])
        )
        # Among unknown movies after the same history the time tells which one was the target.
        self._unknown_key = _pairs(place[self._unknown], timelines.timestamps[self._unknown])

    def events(self, windows: Windows) -> IntArray:
        """Returns the index of each window's target event, int64 [windows].

        Raises:
            DataError: The windows were not cut from these timelines.
        """
        if not len(self._timelines.user_ids):
            raise DataError("there is no timeline in the test split that the windows come from")
        users = np.searchsorted(self._timelines.user_ids, windows.user_ids)
        users = np.minimum(users, len(self._timelines.user_ids) - 1)
        place = users * self._stride + windows.history_lengths
        known = _pick(self._usable, self._usable_place, place)
        unknown = _pick(self._unknown, self._unknown_key, _pairs(place, windows.target_timestamps))
        events = np.where(windows.targets > 0, known, unknown)
        found = (events >= 0) & (self._timelines.user_ids[users] == windows.user_ids)
        found[found] &= (
            self._timelines.timestamps[events[found]] == windows.target_timestamps[found]
        )
        if not found.all():
            row = int(np.flatnonzero(~found)[0])
            raise DataError(
                f"the test window of user {windows.user_ids[row]} after "
                f"{windows.history_lengths[row]} events is not in the user's timeline: windows "
                "and timelines come from different runs; run the pipeline again without its cache"
            )
        return events


def _pairs(first: IntArray, second: IntArray) -> npt.NDArray[np.void]:
    pairs = np.empty(len(first), dtype=[("first", np.int64), ("second", np.int64)])
    pairs["first"], pairs["second"] = first, second
    return pairs


def _pick(events: IntArray, keys: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> IntArray:
    """Returns the first event with the wanted key, or -1; keys never fall."""
    if not len(keys):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, events[place], -1)


@dataclasses.dataclass(frozen=True)
class Replay:
    """Windows as another model sees them.

    Attributes:
        context: int64 [windows, N], its vocabulary ids, oldest first, padded on the left with 0.
        columns: What a model may read beside them, by the names of `modules.features`: ratings and
            times [windows, N], 0 at padding, the target's time and the user's attributes
            [windows, 1].
        targets: int64 [windows], its vocabulary ids, 0 = not in its vocabulary.
        seen: [windows, (seen)], its vocabulary ids of all movies before the target.
    """

    context: IntArray
    columns: Mapping[str, npt.NDArray[Any]]
    targets: IntArray
    seen: Ragged


class Replayer:
    """Cuts histories for a model out of timelines."""

    def __init__(self, timelines: Timelines, vocabulary: Vocabulary, rules: HistoryRules) -> None:
        """Prepares the timelines.

        Args:
            timelines: The test split.
            vocabulary: The model's.
            rules: The model's.
        """
        self._timelines = timelines
        self._rules = rules
        self._ids = vocabulary.ids(timelines.movie_ids)
        liked = timelines.ratings >= np.float32(rules.min_rating)
        self._usable = np.flatnonzero(liked & (self._ids > 0))

    def replay(self, events: IntArray) -> Replay:
        """Cuts the history of each target event.

        Args:
            events: int64 [windows], indices of events, see `Locator.events`.
        """
        offsets = self._timelines.offsets
        users = np.searchsorted(offsets, events, side="right") - 1
        starts = offsets[users]
        end = np.searchsorted(self._usable, events)
        begin = np.searchsorted(self._usable, starts)
        number = end[:, np.newaxis] - self._rules.length + np.arange(self._rules.length)
        filled = number >= begin[:, np.newaxis]
        source = self._usable[number[filled]]

        def cut(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            row = np.zeros(number.shape, values.dtype)
            row[filled] = values[source]
            return row

        columns = {
            features.CONTEXT_RATING: cut(self._timelines.ratings),
            features.CONTEXT_TIMESTAMP: cut(self._timelines.timestamps),
            features.TARGET_TIMESTAMP: self._timelines.timestamps[events][:, np.newaxis],
            **{
                name: self._timelines.attributes[users, place][:, np.newaxis]
                for place, name in enumerate(ID_FEATURES)
            },
        }
        lengths = events - starts
        seen_offsets = np.concatenate([[0], np.cumsum(lengths)])
        before = np.repeat(starts - seen_offsets[:-1], lengths) + np.arange(seen_offsets[-1])
        seen = Ragged(self._ids[before], seen_offsets)
        return Replay(cut(self._ids), columns, self._ids[events], seen)
