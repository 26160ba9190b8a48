"""Ranks the targets of test windows under every recommender that the gate compares with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.reference_ranks.popularity import (
    TrainingEvents,
    popularity_ranks,
    popularity_segments,
    recent_popularity_ranks,
)
from components.reference_ranks.replay import Locator, Replayer
from components.reference_ranks.rows import WindowBatch, history_segments
from components.reference_ranks.segments import TargetSegments
from components.reference_ranks.served_model import FLOAT32, GATED, ServedModel
from components.reference_ranks.timelines import Timelines
from modules.catalogue import CatalogueEntry
from modules.evaluation import rank_features
from modules.evaluation.litert import TopKModel
from modules.evaluation.ranking import NO_REFERENCE, IntArray, list_ranks
from modules.serving_inputs import inputs_of_windows
from pipeline.errors import DataError, GateError


class BlessedRanker:
    """Asks the latest blessed model about the candidate's windows, in its own terms."""

    def __init__(self, uri: str, candidate: ServedModel, test: Timelines) -> None:
        """Loads the model.

        Args:
            uri: Of its artifact.
            candidate: The model whose windows are asked about.
            test: Timelines of the test split.

        Raises:
            GateError: The model cannot be read; says how to go on without it.
        """
        self._uri = uri
        self._locator = Locator(test, candidate.vocabulary, candidate.rules)
        try:
            blessed = ServedModel.read(uri)
            self._model = blessed.load(GATED)
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise self._unusable(error) from error
        self._movies = blessed.vocabulary.movies
        self._replayer = Replayer(test, blessed.vocabulary, blessed.rules)

    def ranks(self, batch: WindowBatch) -> IntArray:
        """Ranks the targets of windows, int64 [batch].

        Raises:
            DataError: The windows were not cut from the test timelines.
            GateError: The model fails; says how to go on without it.
        """
        replay = self._replayer.replay(self._locator.events(batch.windows))
        try:
            further = inputs_of_windows(self._model.inputs, replay.columns)
            ids, scores = self._model.predict(replay.context, further)
        except ValueError as error:
            raise self._unusable(error) from error
        return list_ranks(ids, scores, replay.targets, replay.seen, self._movies)

    def _unusable(self, error: Exception) -> GateError:
        return GateError(
            f"the candidate cannot be compared with the latest blessed model at {self._uri}: "
            f"{error}. Bring that model back, or leave the comparison out once: "
            "--set gate.ignore_blessed=true"
        )


class ReferenceRanker:
    """Ranks windows under popularity, the model's other variants and the latest blessed model.

    Attributes:
        inputs: What the candidate reads beside the ids of a window.
    """

    def __init__(
        self,
        *,
        candidate: ServedModel,
        train: Timelines,
        blessed: BlessedRanker | None,
        catalogue: Mapping[int, CatalogueEntry],
        window_days: int,
        variants: Sequence[str] = (),
    ) -> None:
        """Counts the training events and loads the variants.

        Args:
            candidate: The model that is to be gated.
            train: Timelines of the train split.
            blessed: The latest blessed model, if there is one to compare with.
            catalogue: The release's movies by its ids.
            window_days: How far recent popularity looks back.
            variants: What is judged beside the gated variant and float32.

        Raises:
            DataError: No training event is in the candidate's vocabulary.
            GateError: A variant's file is missing, or is not what a device could run.
        """
        self._movies = candidate.vocabulary.movies
        self._float32 = candidate.load(FLOAT32)
        self.inputs = self._float32.inputs
        self._variants = tuple(variants)
        self._made = candidate.load_variants(self._variants)
        self._blessed = blessed
        self._window_days = window_days
        self._segments = TargetSegments(candidate.vocabulary.movie_ids.tolist(), catalogue)
        liked = train.ratings >= np.float32(candidate.rules.min_rating)
        self._events = TrainingEvents.of(
            train.timestamps[liked],
            candidate.vocabulary.ids(train.movie_ids[liked]),
            self._movies,
        )
        if not len(self._events.timestamps):
            raise DataError(
                "no event of the train split is in the candidate's vocabulary: popularity, which "
                "the gate compares with, is not defined"
            )

    def features(self, batch: WindowBatch) -> dict[str, Any]:
        """Returns what is added to windows, see `modules.evaluation.rank_features`.

        Args:
            batch: Windows of the test split.

        Returns:
            Arrays [batch] of int64 or text, and lists of texts, by feature name.
        """
        targets, seen = batch.windows.targets, batch.seen
        unranked = np.full(len(targets), NO_REFERENCE, np.int64)
        made = {name: self._ranks(model, batch) for name, model in self._made.items()}
        return {
            rank_features.RANK_POPULARITY: popularity_ranks(self._events, targets, seen),
            rank_features.RANK_RECENT_POPULARITY: recent_popularity_ranks(
                self._events, targets, batch.windows.target_timestamps, seen, self._window_days
            ),
            rank_features.RANK_FLOAT32: self._ranks(self._float32, batch),
            rank_features.RANK_BLESSED: (
                unranked if self._blessed is None else self._blessed.ranks(batch)
            ),
            **{
                rank_features.rank_of_variant(name): made.get(name, unranked)
                for name in self._variants
            },
            rank_features.CATALOGUE_SIZE: np.full(len(targets), self._movies, np.int64),
            rank_features.POPULARITY_SEGMENT: popularity_segments(self._events, targets),
            rank_features.HISTORY_SEGMENT: history_segments(batch.windows.history_lengths),
            rank_features.TARGET_GENRE: self._segments.genres(targets),
            rank_features.TARGET_DECADE: self._segments.decades(targets),
        }

    def _ranks(self, model: TopKModel, batch: WindowBatch) -> IntArray:
        ids, scores = model.predict(batch.context, batch.further)
        return list_ranks(ids, scores, batch.windows.targets, batch.seen, self._movies)
