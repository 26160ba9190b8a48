"""Invented viewers: who watches what, in what order, when, and how they like it.

Each viewer has two series under way. The next movie is, with `FOLLOW`, the sequel of what was just
watched; with `RESUME`, the next part of the series that was put aside; otherwise the start of
something new, mostly in one of the viewer's two favourite genres, which change over time. So the
order of a history says far more about the next movie than any popularity does, and more of the
history says more than its last movie alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pipeline.datasets.synthetic_catalogue import GENRES, Catalogue

FOLLOW = 0.45
RESUME = 0.2
SKIP = 0.1
"""Share of the steps inside a series that leave one part out."""
FROM_START = 0.7
"""Share of new series that are begun with their first part, not with any."""
FAVOURITE = 0.8
"""Share of new series that come from a favourite genre."""
NEW_SESSION = 1 / 12
DRIFT = 0.25
"""Probability that a favourite genre changes between two sessions."""

FIRST_START = 1_325_376_000  # 2012-01-01
LAST_START = 1_483_228_800  # 2017-01-01
DAYS_BETWEEN_SESSIONS = 12.0
LONGEST_SPAN_DAYS = 1_200.0
"""Expected days from a keen viewer's first rating to the last: more ratings, shorter pauses."""
SAME_SECOND = 0.06
"""Share of the ratings inside a session that carry the second of the one before."""

LENGTH_SPREAD = 0.8
"""Sigma of the lognormal number of ratings of a viewer."""
MIN_LENGTH = 20
MAX_LENGTH_PER_MEAN = 25

SEEN_BYTES = 64 << 20
"""Memory for the viewers' seen movies: bounds how many viewers are simulated together."""
BLOCK_RATINGS = 2_000_000
MAX_BLOCK_USERS = 16_384

_HOPS = 4
_DRAWS = 4
_DAY = 86_400


@dataclasses.dataclass(frozen=True)
class Ratings:
    """Ratings of some viewers, in order of viewer, then time.

    Attributes:
        users: int64 [ratings], from 1.
        movies: int32 [ratings], indices into the catalogue.
        half_stars: int64 [ratings], 1 to 10.
        timestamps: int64 [ratings], seconds since 1970.
    """

    users: npt.NDArray[np.int64]
    movies: npt.NDArray[np.int32]
    half_stars: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]


def simulate(
    catalogue: Catalogue, users: int, ratings: int, seed: np.random.SeedSequence
) -> Iterator[Ratings]:
    """Yields the ratings in blocks of viewers, in memory that does not grow with `ratings`.

    Args:
        catalogue: The movies.
        users: Viewers; each gets at least one rating.
        ratings: Ratings of all viewers; between `users` and `users * catalogue.size`.
        seed: Same seed, same ratings.
    """
    length_seed, block_seed = seed.spawn(2)
    lengths = draw_lengths(users, ratings, catalogue.size, np.random.default_rng(length_seed))
    block = min(
        MAX_BLOCK_USERS, SEEN_BYTES * 8 // catalogue.size, max(1, BLOCK_RATINGS * users // ratings)
    )
    starts = range(0, users, max(1, block))
    for start, child in zip(starts, block_seed.spawn(len(starts)), strict=True):
        rng = np.random.default_rng(child)
        block_lengths = lengths[start : start + starts.step]
        movies, sessions = _Viewers(catalogue, block_lengths, rng).watch()
        viewer = np.repeat(np.arange(len(block_lengths)), block_lengths)
        yield Ratings(
            users=viewer + start + 1,
            movies=movies,
            half_stars=_rate(catalogue, movies, viewer, rng),
            timestamps=_time(sessions, block_lengths, rng),
        )


def draw_lengths(
    users: int, ratings: int, movies: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Returns int64 [users], lognormal, at most `movies` each, that sum to exactly `ratings`."""
    mean = ratings // users
    lengths = np.full(users, min(MIN_LENGTH, mean), np.int64)
    most = min(movies, MAX_LENGTH_PER_MEAN * (mean + 1))
    appetite = rng.lognormal(0, LENGTH_SPREAD, users)
    while left := ratings - int(lengths.sum()):
        room = most - lengths
        share = np.where(room > 0, appetite, 0.0)
        more = np.minimum((left * (share / share.sum())).astype(np.int64), room)
        if not more.any():
            more[np.argsort(-share, kind="stable")[: min(left, int((room > 0).sum()))]] = 1
        lengths += more
    return lengths


class _Viewers:
    """A block of viewers that take their steps together.

    Viewers are kept in order of falling length, so that those who still watch are a prefix of every
    array and no step copies state.
    """

    def __init__(
        self, catalogue: Catalogue, lengths: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> None:
        count = len(lengths)
        order = np.argsort(-lengths, kind="stable")
        self._catalogue = catalogue
        self._rng = rng
        self._lengths = lengths[order]
        self._offsets = (np.cumsum(lengths) - lengths)[order]
        self._seen = np.zeros((count, (catalogue.size + 7) // 8), np.uint8)
        self._favourites = rng.integers(len(GENRES), size=(count, 2))
        self._current = np.full(count, -1, np.int32)
        self._aside = np.full(count, -1, np.int32)
        # Within a genre the series are drawn by weight: one cumulative table, genre after genre.
        self._by_genre = np.argsort(catalogue.series_genre, kind="stable")
        weights = catalogue.series_weights[self._by_genre]
        self._cumulative = np.concatenate([[0.0], np.cumsum(weights)])
        self._genre_bounds = np.searchsorted(
            catalogue.series_genre[self._by_genre], np.arange(len(GENRES) + 1)
        )

    def watch(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Returns int32 [ratings] movies and bool [ratings] session starts, in viewer order."""
        movies = np.empty(int(self._lengths.sum()), np.int32)
        sessions = np.empty(len(movies), np.bool_)
        for step in range(int(self._lengths[0])):
            active = int(np.searchsorted(-self._lengths, -step, side="left"))
            new_session = self._rng.random(active) < NEW_SESSION
            self._drift(new_session)
            places = self._offsets[:active] + step
            movies[places] = self._step(active)
            sessions[places] = new_session
        return movies, sessions

    def _drift(self, new_session: npt.NDArray[np.bool_]) -> None:
        viewers = np.flatnonzero(new_session)
        viewers = viewers[self._rng.random(len(viewers)) < DRIFT]
        slots = self._rng.integers(2, size=len(viewers))
        self._favourites[viewers, slots] = self._rng.integers(len(GENRES), size=len(viewers))

    def _step(self, active: int) -> npt.NDArray[np.int32]:
        """Returns the next movie of the first `active` viewers and takes note of it."""
        viewers = np.arange(active)
        current, aside = self._current[:active].copy(), self._aside[:active].copy()
        draw = self._rng.random(active)
        follows = (draw < FOLLOW) & (current >= 0)
        resumes = (draw >= FOLLOW) & (draw < FOLLOW + RESUME) & (aside >= 0)
        chosen = np.where(resumes, aside, current)
        in_series = np.flatnonzero(follows | resumes)
        chosen[in_series] = self._next_unseen(in_series, chosen[in_series])
        is_new = ~(follows | resumes) | self._has_seen(viewers, chosen)
        chosen[is_new] = self._begin(np.flatnonzero(is_new))

        self._current[:active] = chosen
        # A viewer who leaves the current series, for whatever reason, puts it aside.
        self._aside[:active] = np.where(follows & ~is_new, aside, current)
        self._seen[viewers, chosen >> 3] |= np.left_shift(1, chosen & 7).astype(np.uint8)
        return chosen

    def _next_unseen(
        self, viewers: npt.NDArray[np.intp], movies: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int32]:
        """Goes on from `movies` to followers, until unseen or after a few hops."""
        followers = self._catalogue.followers
        found = followers[movies]
        skips = self._rng.random(len(found)) < SKIP
        found[skips] = followers[found[skips]]
        pending = np.arange(len(found))
        for _ in range(_HOPS):
            pending = pending[self._has_seen(viewers[pending], found[pending])]
            if not len(pending):
                break
            found[pending] = followers[found[pending]]
        return found

    def _begin(self, viewers: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
        """Returns an unseen movie of a new series for each of `viewers`."""
        found = self._draw_start(viewers)
        pending = np.arange(len(viewers))
        for _ in range(_DRAWS):
            pending = pending[self._has_seen(viewers[pending], found[pending])]
            if not len(pending):
                return found
            found[pending] = self._draw_start(viewers[pending])
        pending = pending[self._has_seen(viewers[pending], found[pending])]
        for index in pending:
            # Hardly anything is left for this viewer: take any movie that is.
            bits = np.unpackbits(
                self._seen[viewers[index]], count=self._catalogue.size, bitorder="little"
            )
            unseen = np.flatnonzero(bits == 0)
            found[index] = unseen[int(self._rng.integers(len(unseen)))]
        return found

    def _draw_start(self, viewers: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
        count = len(viewers)
        genre = self._favourites[viewers, self._rng.integers(2, size=count)]
        low, high = self._genre_bounds[genre], self._genre_bounds[genre + 1]
        anywhere = (self._rng.random(count) >= FAVOURITE) | (low == high)
        low, high = np.where(anywhere, 0, low), np.where(anywhere, len(self._by_genre), high)
        floor, ceiling = self._cumulative[low], self._cumulative[high]
        point = floor + (ceiling - floor) * self._rng.random(count)
        place = np.searchsorted(self._cumulative, point, side="right") - 1
        series = self._by_genre[np.clip(place, low, high - 1)]
        lengths = self._catalogue.series_lengths[series]
        part = (lengths * self._rng.random(count)).astype(np.int32)
        part[self._rng.random(count) < FROM_START] = 0
        return self._catalogue.series_starts[series] + np.minimum(part, lengths - 1)

    def _has_seen(
        self, viewers: npt.NDArray[np.intp], movies: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.bool_]:
        return (self._seen[viewers, movies >> 3] >> (movies & 7)) & 1 == 1


def _rate(
    catalogue: Catalogue,
    movies: npt.NDArray[np.int32],
    viewer: npt.NDArray[np.intp],
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    mood = rng.normal(0, 0.4, int(viewer[-1]) + 1)
    stars = 3.5 + catalogue.quality[movies] + mood[viewer] + rng.normal(0, 0.8, len(movies))
    return np.clip(np.rint(2 * stars), 1, 10).astype(np.int64)


def _time(
    sessions: npt.NDArray[np.bool_], lengths: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    count = len(sessions)
    gaps = 1 + rng.lognormal(3.0, 1.0, count).astype(np.int64)
    gaps[rng.random(count) < SAME_SECOND] = 0
    pause_days = np.minimum(DAYS_BETWEEN_SESSIONS, LONGEST_SPAN_DAYS / (NEW_SESSION * lengths))
    pauses = rng.exponential(np.repeat(pause_days * _DAY, lengths)).astype(np.int64)
    gaps[sessions] += pauses[sessions]
    firsts = np.cumsum(lengths) - lengths
    gaps[firsts] = 0
    elapsed = np.cumsum(gaps)
    origins = rng.integers(FIRST_START, LAST_START, size=len(lengths)) - elapsed[firsts]
    return elapsed + np.repeat(origins, lengths)
