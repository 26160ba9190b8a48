"""Seeded data sets in MovieLens' formats, with an order that a sequence model can learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets import atomic, release_writer
from pipeline.datasets.release_writer import FormatName
from pipeline.datasets.synthetic_catalogue import make_catalogue
from pipeline.datasets.synthetic_timelines import simulate
from pipeline.errors import DataError

GENERATOR_VERSION = 1
"""Raise it when the same parameters come to mean other data."""

PARAMETERS_FILE = "generator.json"


def generate(
    target: Path,
    *,
    users: int,
    movies: int,
    ratings: int,
    seed: int,
    release_format: FormatName = "ml-latest",
) -> Path:
    """Makes a data set, unless the same one is there already.

    The same arguments give the same bytes. The folder appears complete or not at all, and memory
    does not grow with the number of ratings: 25 million take a minute or two and less than 2 GiB.

    Args:
        target: The folder to make. One that was generated from other arguments is replaced; a
            folder of any other origin is not touched.
        users: Users, each with at least one rating.
        movies: Movies listed; a few may have no rating.
        ratings: Ratings in all, at most one a user and movie.
        seed: Not negative.
        release_format: The release whose file layout is taken. `ml-1m` and `ml-100k` have whole
            stars and user attributes.

    Returns:
        `target`.

    Raises:
        DataError: The arguments are impossible, or `target` holds something else or cannot be
            written.
    """
    _check(users, movies, ratings, seed, release_format)
    parameters = {
        "generator_version": GENERATOR_VERSION,
        "release_format": release_format,
        "users": users,
        "movies": movies,
        "ratings": ratings,
        "seed": seed,
    }
    try:
        with atomic.exclusive(target):
            if _holds(target, parameters):
                return target
            with atomic.new_folder(target, replace=True) as folder:
                _write(folder, users, movies, ratings, seed, release_format)
                sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
                (folder / PARAMETERS_FILE).write_text(
                    json.dumps({**parameters, "bytes": sizes}, indent=2) + "\n", encoding="utf-8"
                )
    except OSError as error:
        raise DataError(f"{target}: cannot be generated: {error.strerror or error}") from error
    return target


def _check(users: int, movies: int, ratings: int, seed: int, release_format: str) -> None:
    for name, value, least in (("users", users, 1), ("movies", movies, 1), ("seed", seed, 0)):
        if value < least:
            raise DataError(f"{name} is {value:,}; it must be at least {least}")
    if not users <= ratings <= users * movies:
        raise DataError(
            f"ratings is {ratings:,}; with {users:,} users and {movies:,} movies it must be from "
            f"{users:,} (one a user) to {users * movies:,} (every movie by every user)"
        )
    if release_format not in release_writer.LAYOUTS:
        known = ", ".join(release_writer.LAYOUTS)
        raise DataError(f"release_format is {release_format!r}; known are {known}")


def _holds(target: Path, parameters: dict[str, Any]) -> bool:
    """Says whether `target` is the wanted data set.

    Raises:
        DataError: It is something that must not be replaced.
    """
    if not target.exists():
        return False
    if target.is_dir() and not any(target.iterdir()):
        return False
    try:
        found = json.loads((target / PARAMETERS_FILE).read_text(encoding="utf-8"))
        sizes = dict(found.pop("bytes"))
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        raise DataError(
            f"{target}: exists and was not generated (no readable {PARAMETERS_FILE}); "
            "give another folder, or remove this one"
        ) from None
    return bool(found == parameters) and all(
        (target / name).is_file() and (target / name).stat().st_size == size
        for name, size in sizes.items()
    )


def _write(
    folder: Path, users: int, movies: int, ratings: int, seed: int, name: FormatName
) -> None:
    catalogue_seed, timelines_seed, users_seed = np.random.SeedSequence(seed).spawn(3)
    catalogue = make_catalogue(movies, catalogue_seed)
    release_writer.write_movies(
        folder, name, catalogue.movie_ids.tolist(), catalogue.titles, catalogue.genres
    )
    release_writer.write_users(folder, name, users, users_seed)
    blocks = simulate(catalogue, users, ratings, timelines_seed)
    release_writer.write_ratings(folder, name, blocks, catalogue.movie_ids)
