"""Asks a converted file a few questions whose answers are known to have certain properties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.tflite_converter.convert import ConversionError
from modules import features
from modules.evaluation.litert import TopKModel
from modules.evaluation.ranking import FloatArray, IntArray
from modules.serving_inputs import inputs_of_windows
from modules.user_attributes import CATEGORIES, id_feature

_SEED = 3
_RANDOM_HISTORIES = 16
_FIRST_SECOND = 1_000_000_000
_UNKNOWN_SHARE = 0.1


def smoke_test(
    model: TopKModel, *, name: str, history_length: int, movies: int, top_k: int
) -> None:
    """Runs a model on histories of every kind, in a batch and one by one.

    Args:
        model: The converted model.
        name: What to call it in errors.
        history_length: N.
        movies: Size of the vocabulary.
        top_k: K.

    Raises:
        ConversionError: It fails, or an answer is not K different movies of the vocabulary by
            falling finite score without those of the history; or it depends on the side of the
            padding or on the batch.
    """
    left, right = probes(history_length, movies)
    by_left, by_right = further_probes(left, right, model.inputs)
    nothing = {given: np.zeros_like(values) for given, values in by_left.items()}
    try:
        ids, scores = model.predict(left, by_left)
        check_answers(left, ids, scores, name=name, movies=movies, top_k=top_k)
        _same(name, "another side of the padding", (ids, scores), model.predict(right, by_right))
        # An app may know the movies alone.
        check_answers(left, *model.predict(left, nothing), name=name, movies=movies, top_k=top_k)
        alone = [
            model.predict(
                left[row : row + 1],
                {given: values[row : row + 1] for given, values in by_left.items()},
            )
            for row in range(len(left))
        ]
    except ValueError as error:
        raise ConversionError(f"{name}: {error}") from error
    singly = np.concatenate([a[0] for a in alone]), np.concatenate([a[1] for a in alone])
    _same(name, "another size of the batch", (ids, scores), singly)


def probes(history_length: int, movies: int) -> tuple[IntArray, IntArray]:
    """Makes histories: none, the first and last movies, the same one again, random of any length.

    Args:
        history_length: N.
        movies: Size of the vocabulary.

    Returns:
        The same histories padded on the left and on the right, both int64 [probes, N].
    """
    random = np.random.default_rng(_SEED)
    known: list[npt.NDArray[np.int64]] = [
        np.zeros(0, np.int64),
        np.array([1]),
        np.array([movies]),
        np.full(history_length, 1),
        np.arange(1, history_length + 1),
        np.arange(movies, movies - history_length, -1),
    ]
    for length in np.linspace(1, history_length, _RANDOM_HISTORIES).astype(int):
        known.append(random.integers(1, movies, length, endpoint=True))
    left = np.zeros((len(known), history_length), np.int64)
    right = left.copy()
    for row, history in enumerate(known):
        left[row, history_length - len(history) :] = history
        right[row, : len(history)] = history
    return left, right


def further_probes(
    left: IntArray, right: IntArray, inputs: Sequence[str]
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]:
    """Draws what a model reads beside the ids of `probes`.

    Args:
        left: int64 [probes, N], padded on the left.
        right: int64 [probes, N], the same histories padded on the right.
        inputs: Names, see `modules.serving_inputs`.

    Returns:
        The same values for each padding; some of those of events are 0, not known.
    """
    random = np.random.default_rng(_SEED)
    rows, length = left.shape
    # A second to some years from each event to the next, the last one being the request.
    steps = np.exp2(random.uniform(0, 26, (rows, length + 1))).astype(np.int64)
    time = _FIRST_SECOND + np.cumsum(steps, axis=1)
    stars = random.integers(1, 10, left.shape, endpoint=True) / 2
    unknown = random.random(left.shape) < _UNKNOWN_SHARE
    columns = {
        features.CONTEXT_RATING: np.where(unknown, 0, stars),
        features.CONTEXT_TIMESTAMP: np.where(unknown, 0, time[:, :-1]),
        features.TARGET_TIMESTAMP: time[:, -1:],
        **{
            id_feature(name): random.integers(0, len(words), (rows, 1), endpoint=True)
            for name, words in CATEGORIES.items()
        },
    }

    def padded(histories: IntArray) -> dict[str, npt.NDArray[Any]]:
        events, drawn = histories > 0, left > 0
        moved = {}
        for name, values in columns.items():
            if values.shape == left.shape:
                moved[name] = np.zeros_like(values)
                moved[name][events] = values[drawn]
            else:
                moved[name] = values
        return inputs_of_windows(inputs, moved)

    return padded(left), padded(right)


def check_answers(
    histories: IntArray, ids: IntArray, scores: FloatArray, *, name: str, movies: int, top_k: int
) -> None:
    """Checks the properties that every answer must have.

    Args:
        histories: int64 [batch, N].
        ids: int64 [batch, K].
        scores: float32 [batch, K].
        name: What to call the model in errors.
        movies: Size of the vocabulary.
        top_k: K.

    Raises:
        ConversionError: An answer lacks one; shows the history and the answer.
    """
    if ids.shape != (len(histories), top_k):
        raise ConversionError(
            f"{name}: answers have the shape {ids.shape}, expected {(len(histories), top_k)}"
        )
    for history, row, values in zip(histories, ids, scores, strict=True):
        problem = None
        if not np.isfinite(values).all():
            problem = "scores that are not finite"
        elif (row < 1).any() or (row > movies).any():
            problem = f"ids outside of 1..{movies}"
        elif len(np.unique(row)) < top_k:
            problem = "the same movie twice"
        elif np.isin(row, history).any():
            problem = "a movie of the history"
        elif (np.diff(values) > 0).any():
            problem = "scores that rise"
        if problem:
            raise ConversionError(
                f"{name}: returns {problem} for the history {history.tolist()}: ids "
                f"{row[:10].tolist()}..., scores {values[:10].tolist()}..."
            )


def _same(
    name: str,
    what: str,
    expected: tuple[IntArray, FloatArray],
    found: tuple[IntArray, FloatArray],
) -> None:
    # Ids may change places where scores are equal but for rounding, so scores are what counts; and
    # one float's last bit can move an int8 activation by one step.
    tolerance = 0.02 * np.abs(expected[1]).max(axis=1, keepdims=True)
    differs = np.abs(expected[1] - found[1]) > tolerance
    if differs.any():
        row = int(np.argmax(differs.any(axis=1)))
        raise ConversionError(
            f"{name}: gives other scores for {what}: {expected[1][row, :5].tolist()}... and "
            f"{found[1][row, :5].tolist()}..."
        )
