"""A history's popular and its other events, each as a history of its own.

A model that knows popular movies well and others badly is told apart by what it makes of each half
(OD-Rec, arXiv 2204.11091). Ids of the vocabulary are by falling count, so that a bound on ids is
one on popularity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.features import PADDING_ID
from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.training.input import Windows
from pipeline.errors import ConfigError

# Events that are encoded at one time.
_EVENTS = 16_384


class Halves(NamedTuple):
    """Histories before the last target of windows, in two halves.

    Attributes:
        hot: Arrays [windows, history]: the events of popular movies, padded on the left.
        cold: Likewise, the others.
        target: int32 [windows], the last target; 0 where a window has none, and no history then.
    """

    hot: Context
    cold: Context
    target: npt.NDArray[np.int32]


class TaughtHalves(NamedTuple):
    """What a student reads of them.

    Attributes:
        hot: Arrays [shards, windows, history]: the events of popular movies, padded on the left.
        cold: Likewise, the others.
        target: int32 [shards, windows], 0 = none.
        weight: float32 [shards, windows], of all targets of the window together.
        teacher_hot: float16 [shards, windows, width], a teacher's vectors of the same histories.
        teacher_cold: Likewise.
    """

    hot: Context
    cold: Context
    target: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]
    teacher_hot: npt.NDArray[np.float16]
    teacher_cold: npt.NDArray[np.float16]

    def map(self, function: Callable[[Any], Any]) -> TaughtHalves:
        """Returns the same with each array replaced by a function's result."""
        return TaughtHalves(
            self.hot.map(function), self.cold.map(function), *map(function, self[2:])
        )


class TeacherHalves(NamedTuple):
    """A teacher's vectors of both halves of all training windows.

    Attributes:
        hot_movies: Movies that count as popular: the ids up to it.
        hot: float16 [windows, width]; zeros where a history has no such event.
        cold: Likewise.
    """

    hot_movies: int
    hot: npt.NDArray[np.float16]
    cold: npt.NDArray[np.float16]


def hot_movies(movies: int, share: float) -> int:
    """Returns how many movies count as popular; some do, and some do not.

    Args:
        movies: Of the vocabulary, at least two.
        share: Part of them, 0 to 1.
    """
    return min(max(1, round(share * movies)), movies - 1)


def split(context: Context, target: npt.NDArray[np.int32], hot_movies: int) -> Halves:
    """Cuts windows at their last target and parts what was before it.

    Args:
        context: Arrays [windows, history], padded on the left; times have one more column, the
            moment of what follows the last event.
        target: int32 [windows, history], what follows each position, 0 = not a target.
        hot_movies: Ids up to it are popular.
    """
    movie_id = np.asarray(context.movie_id)
    length = movie_id.shape[1]
    is_target = target != PADDING_ID
    # -1 where there is none.
    last = np.where(is_target.any(axis=1), length - 1 - np.argmax(is_target[:, ::-1], axis=1), -1)
    read = (movie_id != PADDING_ID) & (np.arange(length) <= last[:, np.newaxis])
    is_hot = movie_id <= hot_movies
    rows = np.arange(len(movie_id))
    moment = None if context.time is None else np.asarray(context.time)[rows, last + 1]

    def half(kept: npt.NDArray[np.bool_]) -> Context:
        # Stable: events keep their order.
        order = np.argsort(kept, axis=1, kind="stable")

        def compact(values: Any) -> Any:
            zero = np.zeros(1, values.dtype)
            return np.take_along_axis(np.where(kept, values, zero), order, axis=1)

        time = None
        if context.time is not None and moment is not None:
            events = compact(np.asarray(context.time)[:, :-1])
            time = np.concatenate([events, moment[:, np.newaxis]], axis=1)
        rating = None if context.rating is None else compact(np.asarray(context.rating))
        return Context(compact(movie_id), rating, time, context.user)

    wanted = np.where(last < 0, PADDING_ID, target[rows, last])
    return Halves(half(read & is_hot), half(read & ~is_hot), wanted)


def teacher_halves(
    model: Recommender, windows: Windows, hot_movies: int, *, xla: bool = True
) -> TeacherHalves:
    """Encodes both halves of training windows; nothing is dropped.

    Args:
        model: A trained model.
        windows: Training windows.
        hot_movies: Ids up to it are popular.
        xla: Whether to compile.

    Raises:
        ConfigError: A context vector is too long for float16.
    """
    whole = Context(windows.context, windows.rating, windows.time, windows.user)
    batch = max(1, _EVENTS // windows.context.shape[1])
    encode = tf.function(model.encode_last, jit_compile=xla, autograph=False)
    found: tuple[list[Any], list[Any]] = ([], [])
    for start in range(0, len(windows), batch):
        rows = whole.map(lambda values: values[start : start + batch])  # noqa: B023 - called here
        halves = split(rows, windows.target[start : start + batch], hot_movies)
        for vectors, half in zip(found, halves[:2], strict=True):
            count = len(half.movie_id)
            encoded = encode(half.rows(0, batch)).numpy()[:count]
            known = half.movie_id.any(axis=1)
            with np.errstate(over="ignore"):
                vectors.append(np.where(known[:, np.newaxis], encoded, 0).astype(np.float16))
    hot, cold = (np.concatenate(vectors) for vectors in found)
    if not (np.isfinite(hot).all() and np.isfinite(cold).all()):
        raise ConfigError(
            "a teacher's context vectors exceed float16: lower its learning rate or, with cosine "
            f"scoring, model.cosine_scale ({model.config.cosine_scale})"
        )
    return TeacherHalves(hot_movies, hot, cold)


def joined(teachers: Sequence[TeacherHalves]) -> TeacherHalves:
    """Returns the vectors of several teachers side by side.

    Args:
        teachers: Of the same windows, parted at the same id.
    """
    return TeacherHalves(
        teachers[0].hot_movies,
        np.concatenate([teacher.hot for teacher in teachers], axis=1),
        np.concatenate([teacher.cold for teacher in teachers], axis=1),
    )
