"""Invented movies: series of sequels inside genres, with a skewed popularity."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

GENRES = (
    *("Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller"),
    *("War", "Western"),
)
NO_GENRES_SHARE = 0.01
QUOTED_SHARE = 0.02
"""Share of the series with quotation marks in their titles, which CSV has to escape."""

MEAN_SERIES_LENGTH = 6
MAX_SERIES_LENGTH = 20
ZIPF_EXPONENT = 1.0
ZIPF_OFFSET = 10
"""The series of rank r is started in proportion to 1 / (r + offset) ** exponent."""

FIRST_YEAR, LAST_START_YEAR, LAST_YEAR = 1935, 2005, 2014

_ADJECTIVES = (
    "Amber Ancient Autumn Bitter Blue Broken Burning Crimson Crooked Crystal Daring Distant "
    "Electric Emerald Empty Endless Faded Fearless Final Forgotten Frozen Gentle Gilded Golden "
    "Hidden Hollow Honest Idle Iron Ivory Jagged Jealous Last Little Lonely Lost Lucky Magnetic "
    "Midnight Modern Northern Paper Patient Quiet Racing Reckless Restless Sacred Scarlet Secret "
    "Seventh Silent Silver Sleeping Southern Stolen Stubborn Sudden Tender Thirteenth Velvet "
    "Wandering Western Wild Winter"
)
_NOUNS = (
    "Abbey Admiral Alibi Anchor Archer Bakery Balloon Bandit Bridge Café Canyon Carnival Castle "
    "Clockmaker Compass Comet Cousin Dancer Desert Detective Diary Dragon Echo Embassy Engine "
    "Falcon Fiancée Fortune Garden Ghost Harbor Harvest Heist Horizon Island Jungle Kingdom "
    "Lantern Letter Lighthouse Machine Mango Meadow Mirror Monsoon Neighbor Night Oasis Ocean "
    "Orchard Orchestra Outlaw Parade Passenger Pilot Planet Promise Quarry Railway Raven Reef "
    "Rendezvous Rider River Señor Shadow Signal Sister Station Storm Stranger Summer Teacher "
    "Tempest Theater Tiger Traveler Valley Voyage Waltz Whistle Widow Witness Zeppelin"
)
_PLACES = (
    "Avalon Brussels Cairo Dakota Edinburgh Florence Geneva Havana Istanbul Jakarta Kyoto Lisbon "
    "Málaga Nairobi Oslo Prague Quito Reykjavik Seville Tunis Utrecht Vienna Warsaw Zürich"
)


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Movies in series order: a series' movies stand together, in order of release.

    Attributes:
        movie_ids: int64 [movies], public ids in an order that says nothing of series or popularity.
        titles: [movies], with year, all different.
        genres: [movies], names; empty for a few.
        quality: float32 [movies], stars above or below the average.
        followers: int32 [movies], the movie that follows inside a series; at its end the first of
            another series of the same genre.
        series_starts: int32 [series], index of each series' first movie.
        series_lengths: int32 [series].
        series_genre: int32 [series], index into `GENRES` of the main genre.
        series_weights: float64 [series], sums to 1: how often a series is begun.
    """

    movie_ids: npt.NDArray[np.int64]
    titles: tuple[str, ...]
    genres: tuple[tuple[str, ...], ...]
    quality: npt.NDArray[np.float32]
    followers: npt.NDArray[np.int32]
    series_starts: npt.NDArray[np.int32]
    series_lengths: npt.NDArray[np.int32]
    series_genre: npt.NDArray[np.int32]
    series_weights: npt.NDArray[np.float64]

    @property
    def size(self) -> int:
        """Number of movies."""
        return len(self.movie_ids)


def make_catalogue(movies: int, seed: np.random.SeedSequence) -> Catalogue:
    """Invents a catalogue of `movies` (at least 1) movies."""
    rng = np.random.default_rng(seed)
    lengths = _series_lengths(movies, rng)
    starts = (np.cumsum(lengths) - lengths).astype(np.int32)
    genre = rng.integers(len(GENRES), size=len(lengths)).astype(np.int32)
    weights = 1.0 / (rng.permutation(len(lengths)) + ZIPF_OFFSET) ** ZIPF_EXPONENT
    series = np.repeat(np.arange(len(lengths)), lengths)
    quality = rng.normal(0, 0.35, len(lengths))[series] + rng.normal(0, 0.2, movies)
    # Ids with gaps, as in the releases: code that takes an id for an index shows itself.
    movie_ids = np.cumsum(rng.integers(1, 4, size=movies))
    return Catalogue(
        movie_ids=rng.permutation(movie_ids),
        titles=_titles(lengths, rng),
        genres=_movie_genres(genre[series], rng),
        quality=quality.astype(np.float32),
        followers=_followers(starts, lengths, genre, rng),
        series_starts=starts,
        series_lengths=lengths,
        series_genre=genre,
        series_weights=weights / weights.sum(),
    )


def _series_lengths(movies: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    drawn = rng.geometric(1 / MEAN_SERIES_LENGTH, size=movies)
    lengths = np.minimum(drawn, MAX_SERIES_LENGTH).astype(np.int32)
    ends = np.cumsum(lengths)
    count = int(np.searchsorted(ends, movies)) + 1
    lengths = lengths[:count]
    lengths[-1] -= ends[count - 1] - movies
    return lengths


def _followers(
    starts: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
    genre: npt.NDArray[np.int32],
    rng: np.random.Generator,
) -> npt.NDArray[np.int32]:
    followers = np.arange(1, lengths.sum() + 1, dtype=np.int32)
    ends = starts + lengths - 1
    for index in range(len(GENRES)):
        # One ring through the series of a genre, so that every series can be reached.
        ring = rng.permutation(np.flatnonzero(genre == index))
        followers[ends[ring]] = starts[np.roll(ring, -1)]
    return followers


def _movie_genres(
    main: npt.NDArray[np.int32], rng: np.random.Generator
) -> tuple[tuple[str, ...], ...]:
    extra = rng.integers(len(GENRES), size=(len(main), 2))
    draw = rng.random((len(main), 3))
    genres: list[tuple[str, ...]] = []
    for index, first in enumerate(main):
        if draw[index, 0] < NO_GENRES_SHARE:
            genres.append(())
            continue
        chosen = {int(first)}
        chosen.update(int(extra[index, slot]) for slot in (0, 1) if draw[index, slot + 1] < 0.4)
        genres.append(tuple(GENRES[genre] for genre in sorted(chosen)))
    return tuple(genres)


def _titles(lengths: npt.NDArray[np.int32], rng: np.random.Generator) -> tuple[str, ...]:
    adjectives, nouns, places = _ADJECTIVES.split(), _NOUNS.split(), _PLACES.split()
    names = rng.permutation(len(adjectives) * len(nouns))
    titles = []
    for series, length in enumerate(lengths.tolist()):
        turn, name = divmod(series, len(names))
        adjective, noun = divmod(int(names[name]), len(nouns))
        quote = '"' if rng.random() < QUOTED_SHARE else ""
        base = f"{quote}{adjectives[adjective]}{quote} {nouns[noun]}"
        if turn:
            lap, place = divmod(turn - 1, len(places))
            base += f" in {places[place]}" + (f" {1000 + lap}" if lap else "")
        article = ", The" if rng.random() < 0.2 else ""
        year = int(rng.integers(FIRST_YEAR, LAST_START_YEAR + 1))
        for part in range(1, length + 1):
            number = f" {part}" if part > 1 else ""
            titles.append(f"{base}{number}{article} ({min(year, LAST_YEAR)})")
            year += int(rng.integers(1, 4))
    return tuple(titles)
