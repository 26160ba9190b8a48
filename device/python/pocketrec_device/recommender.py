"""History in, unseen movies out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from pocketrec_device.bundle import Bundle, Movie
from pocketrec_device.errors import BundleError, HistoryError, TitleError
from pocketrec_device.manifest import (
    HISTORY_INPUT,
    IDS_OUTPUT,
    PADDING_ID,
    SCORES_OUTPUT,
    SIGNATURE,
)
from pocketrec_device.titles import TitleIndex


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """One recommended movie.

    Attributes:
        movie_id: The release's own id.
        title: As in the release.
        score: The model's score; only the order within one answer means something.
    """

    movie_id: int
    title: str
    score: float


class Recommender:
    """Runs one variant of a bundle's model on one thread.

    Args:
        bundle: A loaded bundle.
        variant: "int8", "float16", ...; by default the one that passed the gate.

    Raises:
        BundleError: No such variant, a damaged file, or a model whose inputs and outputs are not
            those of the manifest.
    """

    def __init__(self, bundle: Bundle, variant: str | None = None) -> None:
        self.bundle = bundle
        self.variant = variant or bundle.manifest.default_variant
        model = bundle.model(self.variant)
        try:
            self._interpreter = Interpreter(model_content=model, num_threads=1)
            self._run = self._interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, RuntimeError) as error:
            raise BundleError(
                f"{bundle.path}: variant {self.variant!r} cannot be opened ({error})"
            ) from None
        self._check_tensors()
        self._titles = TitleIndex(bundle.movies)

    def recommend(
        self,
        history: Sequence[int | str],
        k: int = 10,
        watched: Iterable[int | str] = (),
    ) -> list[Recommendation]:
        """Returns up to `k` movies, best first, none of which was watched.

        Args:
            history: Movie ids or titles, oldest first. Ids that the model does not know are
                skipped, and the last N of the rest count.
            k: Movies wanted; the list is shorter where most of the model's top K was watched.
            watched: More movies that must not be recommended, ids or titles.

        Raises:
            HistoryError: `k` is impossible, or the history holds too few known movies.
            TitleError: A title names no movie or several.
        """
        manifest = self.bundle.manifest
        if not 1 <= k <= manifest.top_k:
            raise HistoryError(f"k is {k}; this model returns 1 to {manifest.top_k} movies")
        past = self._known_ids(history)
        if len(past) < manifest.min_history:
            raise HistoryError(
                f"the history holds {len(past)} movie(s) that the model knows, of {len(history)} "
                f"given; it needs at least {manifest.min_history}"
            )
        excluded = {*past, *self._known_ids(watched)}
        ids, scores = self.rank(self.encode([past]))
        found: list[Recommendation] = []
        for vocabulary_id, score in zip(ids[0].tolist(), scores[0].tolist(), strict=True):
            if len(found) == k:
                break
            if vocabulary_id in excluded:
                continue
            movie = self.bundle.movies[vocabulary_id - 1]
            found.append(Recommendation(movie.movie_id, movie.title, score))
        return found

    def find(self, movie: int | str) -> Movie:
        """Returns the movie of the catalogue that an id or a title names.

        Raises:
            TitleError: The title names no movie or several, or the model does not know the id.
        """
        if isinstance(movie, str):
            return self._titles.find(movie)
        vocabulary_id = self.bundle.vocabulary_id(movie)
        if vocabulary_id == PADDING_ID:
            raise TitleError(f"the model does not know a movie with id {movie}")
        return self.bundle.movies[vocabulary_id - 1]

    def encode(self, histories: Sequence[Sequence[int]]) -> npt.NDArray[np.int32]:
        """Cuts and pads histories of the model's ids.

        Args:
            histories: The model's ids, oldest first, any lengths.

        Returns:
            int32 [histories, N]: the last N of each, padded on the manifest's side.
        """
        length = self.bundle.manifest.history_length
        encoded = np.full((len(histories), length), PADDING_ID, np.int32)
        for row, history in zip(encoded, histories, strict=True):
            kept = history[-length:]
            if not len(kept):
                continue
            if self.bundle.manifest.padding == "left":
                row[-len(kept) :] = kept
            else:
                row[: len(kept)] = kept
        return encoded

    def rank(
        self, context: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Runs the model on encoded histories.

        Args:
            context: int32 [batch, N], see `encode`.

        Returns:
            Ids int32 [batch, K] of the model's vocabulary and scores float32 [batch, K], falling.

        Raises:
            BundleError: The model returned an id outside of its vocabulary.
        """
        outputs = self._run(**{HISTORY_INPUT: np.ascontiguousarray(context, np.int32)})
        ids = outputs[IDS_OUTPUT]
        if ids.size and not (ids.min() >= 1 and ids.max() <= len(self.bundle.movies)):
            raise BundleError(
                f"{self.bundle.path}: variant {self.variant!r} returned ids from {ids.min()} to "
                f"{ids.max()}, the vocabulary holds 1 to {len(self.bundle.movies)}: model and "
                "vocabulary do not belong together"
            )
        return ids, outputs[SCORES_OUTPUT]

    def _known_ids(self, movies: Iterable[int | str]) -> list[int]:
        known = []
        for movie in movies:
            if isinstance(movie, str):
                known.append(self._titles.find(movie).id)
                continue
            vocabulary_id = self.bundle.vocabulary_id(int(movie))
            if vocabulary_id != PADDING_ID:
                known.append(vocabulary_id)
        return known

    def _check_tensors(self) -> None:
        manifest = self.bundle.manifest
        inputs, outputs = self._run.get_input_details(), self._run.get_output_details()
        expected: list[tuple[str, dict[str, dict[str, object]], type, int | None]] = [
            (HISTORY_INPUT, inputs, np.int32, manifest.history_length),
            (IDS_OUTPUT, outputs, np.int32, None),
            (SCORES_OUTPUT, outputs, np.float32, None),
        ]
        for name, details, dtype, width in expected:
            detail = details.get(name)
            if detail is None or len(details) != (1 if details is inputs else 2):
                raise BundleError(
                    f"{self.bundle.path}: variant {self.variant!r} has tensors {sorted(details)}, "
                    f"the manifest promises {name!r}"
                )
            if detail["dtype"] is not dtype:
                raise BundleError(
                    f"{self.bundle.path}: {name} is {detail['dtype']}, must be {dtype.__name__}"
                )
            shape = np.asarray(detail["shape_signature"]).tolist()
            if width is not None and shape != [-1, width]:
                raise BundleError(
                    f"{self.bundle.path}: {name} has shape {shape}, the manifest promises "
                    f"{[-1, width]}"
                )
