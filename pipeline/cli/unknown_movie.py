"""Why a model does not know a movie: its release tells, where it is at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.datasets.resolve import DATA_VARIABLE
from pipeline.errors import DataError
from pipeline.workspace import Workspace
from pocketrec_device import Bundle
from pocketrec_device.bundle import Movie
from pocketrec_device.errors import TitleError
from pocketrec_device.titles import TitleIndex

if TYPE_CHECKING:
    from components.movielens_example_gen.log import Log


def why_unknown(
    word: int | str,
    bundle: Bundle,
    workspace: Workspace,
    *,
    environment: Mapping[str, str] = os.environ,
) -> str:
    """Returns a sentence on why no movie of the model has this title or id.

    Args:
        word: A title, or a release's movie id.
        bundle: The model's.
        workspace: Where its release may be.
        environment: Says where else.
    """
    prepared = bundle.manifest.data
    name, least = prepared["dataset"], prepared["min_ratings_per_movie"]
    known = (
        f"the model knows {len(bundle.movies):,} movies of {name}, those with at least {least} "
        "ratings"
    )
    release = _at_hand(name, workspace, environment)
    if release is None:
        return f"{known}; the release is not at hand to look further"
    try:
        listed, count = _look_up(word, release)
    except DataError:
        return known
    if listed is None:
        return f"it is not among the movies of {name} either"
    if count < least:
        return (
            f"{listed.title} [id:{listed.movie_id}] is in {name} with {count} ratings, and a movie "
            f"needs {least} to be learned (data.min_ratings_per_movie)"
        )
    return (
        f"{listed.title} [id:{listed.movie_id}] is in {name} with {count} ratings, but none that "
        "the model was trained on"
    )


def _at_hand(name: str, workspace: Workspace, environment: Mapping[str, str]) -> Path | None:
    """Returns the release's folder or zip file, where nothing has to be fetched for it."""
    folders = [workspace.data]
    if environment.get(DATA_VARIABLE):
        folders.insert(0, Path(environment[DATA_VARIABLE]).expanduser())
    places = [folder / file for folder in folders for file in (name, f"{name}.zip")]
    return next((place for place in places if place.exists()), None)


def _look_up(word: int | str, release: Path) -> tuple[Movie | None, int]:
    """Returns the movie of the release's own list, and how many ratings it has."""
    from components.movielens_example_gen.log import opened
    from components.movielens_example_gen.spans import select_spans
    from pipeline.config.spans import SpansConfig

    with opened(select_spans(str(release), SpansConfig())) as log:
        movies = tuple(
            Movie(place, movie.movie_id, movie.title, movie.genres, movie.year, 0)
            for place, movie in enumerate(log.catalogue.movies, start=1)
        )
        found: Movie | None
        if isinstance(word, str):
            try:
                found = TitleIndex(movies).find(word)
            except TitleError:
                found = None
        else:
            found = next((movie for movie in movies if movie.movie_id == word), None)
        return found, 0 if found is None else _ratings(log, found.movie_id)


def _ratings(log: Log, movie_id: int) -> int:
    from components.movielens_example_gen.reader import byte_ranges, read_block

    ids = log.catalogue.movie_ids
    place = int(np.searchsorted(ids, movie_id))
    return sum(
        int((read_block(release, ids, start, end).ratings.movie == place).sum())
        for release in log.releases
        for start, end in byte_ranges(release)
    )
