"""The releases of one run, read as one log: ratings of all spans, with one catalogue."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from components.movielens_example_gen.catalogue import (
    Catalogue,
    User,
    read_catalogue,
    read_users,
)
from components.movielens_example_gen.columns import Ints
from components.movielens_example_gen.formats import Release, detect
from components.movielens_example_gen.spans import Span
from components.movielens_example_gen.staging import staged
from pipeline.errors import DataError


@dataclasses.dataclass(frozen=True)
class Log:
    """What is read.

    Attributes:
        spans: Oldest first; a single release is the only one.
        releases: Of each span.
        catalogue: All movies that a span lists, as the newest of these describes them.
        users: Attributes by user id, likewise.
        new_movies: Ids of movies that only the newest span lists, ascending.
    """

    spans: tuple[Span, ...]
    releases: tuple[Release, ...]
    catalogue: Catalogue
    users: Mapping[int, User]
    new_movies: Ints

    @property
    def format(self) -> str:
        """The file format of all of them."""
        return self.releases[-1].format


@contextlib.contextmanager
def opened(spans: Sequence[Span], shared: str | None = None) -> Iterator[Log]:
    """Opens the releases of spans; what was extracted goes away at the end.

    Args:
        spans: Oldest first, at least one.
        shared: Where zip files are extracted to, see `staged`.

    Raises:
        DataError: A release cannot be read, or the releases are not of the same format.
    """
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(staged(span.source, shared)) for span in spans]
        releases = tuple(detect(folder) for folder in folders)
        formats = {release.format for release in releases}
        if len(formats) > 1:
            told = ", ".join(
                f"{span.source}: {release.format}"
                for span, release in zip(spans, releases, strict=True)
            )
            raise DataError(f"the spans' releases must be of one format ({told})")
        catalogues = [read_catalogue(release) for release in releases]
        users: dict[int, User] = {}
        for release in releases:
            users.update(read_users(release))
        before = [np.zeros(0, np.int64), *(listed.movie_ids for listed in catalogues[:-1])]
        yield Log(
            tuple(spans),
            releases,
            _merged(catalogues),
            users,
            np.setdiff1d(catalogues[-1].movie_ids, np.concatenate(before)),
        )


def _merged(catalogues: Sequence[Catalogue]) -> Catalogue:
    if len(catalogues) == 1:
        return catalogues[0]
    by_id = {movie.movie_id: movie for catalogue in catalogues for movie in catalogue.movies}
    ids = sorted(by_id)
    return Catalogue(
        tuple(by_id[movie_id] for movie_id in ids),
        np.array(ids, np.int64),
        ",".join(sorted({catalogue.encoding for catalogue in catalogues})),
    )
