"""A bundle on disk: the model's variants, its vocabulary and catalogue, each checked when read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from pocketrec_device.budgets import best_variant
from pocketrec_device.errors import BudgetError, BundleError
from pocketrec_device.gzipped import SUFFIX, unzipped
from pocketrec_device.manifest import MANIFEST_FILE, Manifest, parse_manifest


@dataclasses.dataclass(frozen=True)
class Movie:
    """One movie of the model's vocabulary.

    Attributes:
        id: The model's id, from 1.
        movie_id: The release's own id.
        title: As in the release, "Matrix, The (1999)".
        genres: As in the release, may be empty.
        year: Of the first showing, None where the title tells none.
        count: Ratings in the training data.
    """

    id: int
    movie_id: int
    title: str
    genres: tuple[str, ...]
    year: int | None
    count: int


class Bundle:
    """A loaded bundle; `Bundle.load` makes one.

    Attributes:
        path: The bundle's folder.
        manifest: Its checked manifest.
        movies: The vocabulary; `movies[i]` has the model's id i + 1.
    """

    def __init__(self, path: Path, manifest: Manifest, movies: tuple[Movie, ...]) -> None:
        self.path = path
        self.manifest = manifest
        self.movies = movies
        self._id_of = {movie.movie_id: movie.id for movie in movies}

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Reads the manifest, the vocabulary and the catalogue of the bundle in folder `path`.

        Raises:
            BundleError: The folder is no bundle, a file is missing or differs from its digest, or
                this runtime does not understand what the manifest says.
        """
        folder = Path(path)
        source = folder / MANIFEST_FILE
        if not source.is_file():
            raise BundleError(
                f"{folder}: no bundle (it has no {MANIFEST_FILE}); give a bundle's folder"
            )
        try:
            text = source.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BundleError(f"{source}: cannot be read ({error})") from None
        manifest = parse_manifest(text, str(source))
        vocabulary = _json(folder, manifest, manifest.vocabulary_file)
        catalogue = _json(folder, manifest, manifest.catalogue_file)
        movies = _movies(catalogue, folder / manifest.catalogue_file)
        if [movie.movie_id for movie in movies] != vocabulary:
            raise BundleError(
                f"{folder}: {manifest.catalogue_file} and {manifest.vocabulary_file} disagree on "
                "the order of movies; the titles would be wrong"
            )
        return cls(folder, manifest, movies)

    def vocabulary_id(self, movie_id: int) -> int:
        """Returns the model's id of a raw movie id, 0 where the model does not know it."""
        return self._id_of.get(movie_id, 0)

    def read(self, name: str) -> bytes:
        """Returns the content of one of the bundle's files.

        Raises:
            BundleError: The file is not listed, missing, or differs from its digest.
        """
        return _read(self.path, self.manifest, name)

    def model(self, variant: str | None = None) -> bytes:
        """Returns the `.tflite` of a variant; by default the one that the gate judged it by.

        A gzipped one is unzipped: what is returned can run.

        Raises:
            BundleError: No such variant, or the file differs from its digest or cannot be unzipped.
        """
        variant = variant or self.manifest.default_variant
        if variant not in self.manifest.variants:
            reason = self.manifest.left_out.get(variant)
            why = f", which was left out: {reason}" if reason else ""
            raise BundleError(
                f"{self.path}: no variant {variant!r}{why}; it has {sorted(self.manifest.variants)}"
            )
        name = self.manifest.variants[variant]
        content = self.read(name)
        if not name.endswith(SUFFIX):
            return content
        try:
            return unzipped(content)
        except ValueError as error:
            raise BundleError(
                f"{self.path / name}: not a gzip file ({error}); fetch the bundle again"
            ) from None

    def best_variant(self, budget: int | None = None, memory_budget: int | None = None) -> str:
        """Returns the variant with the highest recall@10 that keeps the budgets.

        Args:
            budget: Most bytes of the file; None for any.
            memory_budget: Most bytes that the running model may take; None for any.

        Raises:
            BudgetError: No variant keeps the budgets, or the bundle does not tell their recall.
        """
        try:
            return best_variant(self.manifest, budget, memory_budget)
        except BudgetError as error:
            raise BudgetError(f"{self.path}: {error}") from None

    def verify(self) -> None:
        """Reads every listed file.

        Raises:
            BundleError: One is missing or differs from its digest.
        """
        for name in self.manifest.files:
            self.read(name)


def _read(folder: Path, manifest: Manifest, name: str) -> bytes:
    entry = manifest.files.get(name)
    if entry is None:
        raise BundleError(f"{folder}: {name!r} is not listed in {MANIFEST_FILE}")
    try:
        content = folder.joinpath(*name.split("/")).read_bytes()
    except OSError as error:
        raise BundleError(
            f"{folder / name}: cannot be read ({error.strerror}); fetch the bundle again"
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry.sha256:
        raise BundleError(
            f"{folder / name}: sha256 is {digest}, {MANIFEST_FILE} says {entry.sha256}: the file "
            "is damaged or was changed; fetch the bundle again"
        )
    return content


def _json(folder: Path, manifest: Manifest, name: str) -> Any:
    try:
        return json.loads(_read(folder, manifest, name))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{folder / name}: not valid JSON ({error})") from None


def _movies(catalogue: Any, source: Path) -> tuple[Movie, ...]:
    try:
        movies = tuple(
            Movie(
                id=int(entry["id"]),
                movie_id=int(entry["movie_id"]),
                title=str(entry["title"]),
                genres=tuple(str(genre) for genre in entry["genres"]),
                year=None if entry["year"] is None else int(entry["year"]),
                count=int(entry["count"]),
            )
            for entry in catalogue
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{source}: not a catalogue ({error!r})") from None
    for position, movie in enumerate(movies, start=1):
        if movie.id != position:
            raise BundleError(
                f"{source}: entry {position} has id {movie.id}; ids must be 1, 2, 3, ..."
            )
    return movies
