"""How far a variant is from the model that was trained, on eval windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from modules.evaluation.ranking import FloatArray, IntArray, Ragged, hits, list_ranks, recommended

SHOWN = 10


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Windows to compare on.

    Attributes:
        context: int64 [windows, N], vocabulary ids, 0 = padding.
        target: int64 [windows], 0 = not in the vocabulary: a miss.
        seen: [windows, (seen)], movies known before the target.
        movies: Size of the vocabulary.
        further: What the model reads beside the ids, by name, see `modules.serving_inputs`.
    """

    context: IntArray
    target: IntArray
    seen: Ragged
    movies: int
    further: Mapping[str, npt.NDArray[Any]] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.target)


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a model returned for the windows.

    Attributes:
        ids: int64 [windows, K].
        scores: float32 [windows, K].
    """

    ids: IntArray
    scores: FloatArray


def recall_at_10(answers: Answers, windows: HeldOut) -> float:
    """Returns the share of windows whose target is among the first 10 unseen movies.

    Counts as the gate does: ties are against the model, NaN is a miss.

    Args:
        answers: Of one model for all windows.
        windows: The windows, at least one.
    """
    ranks = list_ranks(answers.ids, answers.scores, windows.target, windows.seen, windows.movies)
    return float(hits(ranks, SHOWN).mean())


def top10_overlap(answers: Answers, reference: Answers, windows: HeldOut) -> float:
    """Returns the mean share of the reference's first 10 unseen movies that a model shows too.

    Windows where the reference has nothing to show are left out; 0 where it never has.

    Args:
        answers: Of one model for all windows.
        reference: Of the model to compare with.
        windows: The windows.
    """
    shown, expected = (
        recommended(given.ids, given.scores, windows.seen, windows.movies, SHOWN)
        for given in (answers, reference)
    )
    wanted = expected > 0
    common = wanted & (expected[:, :, np.newaxis] == shown[:, np.newaxis, :]).any(axis=2)
    answered = wanted.any(axis=1)
    if not answered.any():
        return 0.0
    shares = common[answered].sum(axis=1) / wanted[answered].sum(axis=1)
    return float(shares.mean())
