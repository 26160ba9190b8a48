"""History in, unseen movies out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from pocketrec_device.bundle import Bundle, Movie
from pocketrec_device.errors import BudgetError, BundleError, HistoryError, TitleError
from pocketrec_device.events import Events, make_events, seconds_of, with_unknown
from pocketrec_device.manifest import (
    HISTORY_INPUT,
    IDS_OUTPUT,
    PADDING_ID,
    RATING_INPUT,
    REQUEST_TIME_INPUT,
    SCORES_OUTPUT,
    SIGNATURE,
    TIME_INPUT,
)
from pocketrec_device.titles import TitleIndex
from pocketrec_device.users import user_ids


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
        variant: "int8", "float16", ...; by default the one that the gate judged the model by.
        budget: Takes, instead, the best variant whose file has at most so many bytes.
        memory_budget: The same of bytes that the running model takes.

    Raises:
        BudgetError: No variant keeps the budgets, or a variant is named as well.
        BundleError: No such variant, a damaged file, or a model whose inputs and outputs are not
            those of the manifest.
    """

    def __init__(
        self,
        bundle: Bundle,
        variant: str | None = None,
        *,
        budget: int | None = None,
        memory_budget: int | None = None,
    ) -> None:
        self.bundle = bundle
        if budget is not None or memory_budget is not None:
            if variant is not None:
                raise BudgetError(f"give a variant ({variant!r}) or a budget, not both")
            variant = bundle.best_variant(budget, memory_budget)
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
        *,
        ratings: Sequence[float | None] | None = None,
        times: Sequence[int | None] | None = None,
        now: int | None = None,
        user: Mapping[str, str | int | None] | None = None,
    ) -> list[Recommendation]:
        """Returns up to `k` movies, best first, none of which was watched.

        Args:
            history: Movie ids or titles, oldest first. Ids that the model does not know are
                skipped, and the last N of the rest count.
            k: Movies wanted; the list is shorter where most of the model's top K was watched.
            watched: More movies that must not be recommended, ids or titles.
            ratings: Stars of each movie of the history, 0.5 to 5, None where not known. What was
                rated lower than the bundle's `min_rating` is no history, but still left out.
            times: When each was watched, seconds since 1970 UTC, None where not known.
            now: The moment to recommend for, likewise; this one by default.
            user: What is known of the user: `user_gender`, `user_age`, `user_occupation`, each a
                word of the manifest's `categories` or its number from 1.

        A model that does not read ratings, times or the user does without; one that does takes
        what is not given as not known.

        Raises:
            HistoryError: `k` is impossible, the history holds too few known movies, ratings or
                times are none, or there is no such category.
            TitleError: A title names no movie or several.
        """
        manifest = self.bundle.manifest
        if not 1 <= k <= manifest.top_k:
            raise HistoryError(f"k is {k}; this model returns 1 to {manifest.top_k} movies")
        past = self._ids(history)
        events = make_events(past, ratings, times, manifest.min_rating)
        if len(events.ids) < manifest.min_history:
            raise HistoryError(
                f"the history holds {len(events.ids)} movie(s) that the model knows, of "
                f"{len(history)} given; it needs at least {manifest.min_history}"
            )
        excluded = {*past, *self._ids(watched)}
        moments = [int(time.time()) if now is None else seconds_of(now, "now")]
        context, further = self.encode_events([events], moments)
        told = user_ids(user or {}, manifest.categories)
        further |= {name: np.array([[number]], np.int32) for name, number in told.items()}
        ids, scores = self.rank(context, further)
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

    def encode(
        self, histories: Sequence[Sequence[float]], dtype: type[np.generic] = np.int32
    ) -> npt.NDArray[Any]:
        """Cuts and pads histories of the model's ids, or what belongs to their events.

        Args:
            histories: The model's ids, ratings or times, oldest first, any lengths.
            dtype: Of the result.

        Returns:
            [histories, N]: the last N of each, padded with 0 on the manifest's side.
        """
        length = self.bundle.manifest.history_length
        encoded = np.full((len(histories), length), PADDING_ID, dtype)
        for row, history in zip(encoded, histories, strict=True):
            kept = history[-length:]
            if not len(kept):
                continue
            if self.bundle.manifest.padding == "left":
                row[-len(kept) :] = kept
            else:
                row[: len(kept)] = kept
        return encoded

    def encode_events(
        self, histories: Sequence[Events], moments: Sequence[int]
    ) -> tuple[npt.NDArray[np.int32], dict[str, npt.NDArray[Any]]]:
        """Cuts and pads histories of events.

        Args:
            histories: Of any lengths.
            moments: What to recommend for, seconds since 1970 UTC, one a history.

        Returns:
            The encoded ids, and everything that a model may read beside them: see `rank`.
        """
        further = {
            RATING_INPUT: self.encode([events.ratings for events in histories], np.float32),
            TIME_INPUT: self.encode([events.times for events in histories]),
            REQUEST_TIME_INPUT: np.asarray(moments, np.int32).reshape(-1, 1),
        }
        return self.encode([events.ids for events in histories]), further

    def rank(
        self,
        context: npt.NDArray[np.int32],
        further: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Runs the model on encoded histories.

        Args:
            context: int32 [batch, N], see `encode`.
            further: What is known beside the ids, by input name, see `encode_events`.

        Returns:
            Ids int32 [batch, K] of the model's vocabulary and scores float32 [batch, K], falling.

        Raises:
            BundleError: The model returned an id outside of its vocabulary.
        """
        wanted = self.bundle.manifest.further_inputs
        more = with_unknown(further or {}, wanted, len(context), int(time.time()))
        outputs = self._run(**{HISTORY_INPUT: np.ascontiguousarray(context, np.int32)}, **more)
        ids = outputs[IDS_OUTPUT]
        if ids.size and not (ids.min() >= 1 and ids.max() <= len(self.bundle.movies)):
            raise BundleError(
                f"{self.bundle.path}: variant {self.variant!r} returned ids from {ids.min()} to "
                f"{ids.max()}, the vocabulary holds 1 to {len(self.bundle.movies)}: model and "
                "vocabulary do not belong together"
            )
        return ids, outputs[SCORES_OUTPUT]

    def _ids(self, movies: Iterable[int | str]) -> list[int]:
        """Returns the model's id of each, 0 where it does not know a movie id."""
        return [
            self._titles.find(movie).id
            if isinstance(movie, str)
            else self.bundle.vocabulary_id(int(movie))
            for movie in movies
        ]

    def _check_tensors(self) -> None:
        manifest = self.bundle.manifest
        inputs, outputs = self._run.get_input_details(), self._run.get_output_details()
        promised_inputs = {HISTORY_INPUT: ("int32", manifest.history_length)}
        promised_inputs |= manifest.further_inputs
        promised_outputs = {IDS_OUTPUT: ("int32", None), SCORES_OUTPUT: ("float32", None)}
        for details, promised in ((inputs, promised_inputs), (outputs, promised_outputs)):
            if set(details) != set(promised):
                raise BundleError(
                    f"{self.bundle.path}: variant {self.variant!r} has tensors {sorted(details)}, "
                    f"the manifest promises {sorted(promised)}"
                )
            for name, (dtype, width) in promised.items():
                found = np.dtype(details[name]["dtype"]).name
                if found != dtype:
                    raise BundleError(f"{self.bundle.path}: {name} is {found}, must be {dtype}")
                shape = np.asarray(details[name]["shape_signature"]).tolist()
                if width is not None and shape != [-1, width]:
                    raise BundleError(
                        f"{self.bundle.path}: {name} has shape {shape}, the manifest promises "
                        f"{[-1, width]}"
                    )
