"""Training that begins with the weights of an earlier model instead of random ones.

A trained model leaves `training/` beside what it serves: its float weights, the movies and item
features that their rows stand for, and the settings that they were trained under. The next run
takes rows over by movie and by feature, all other weights as they are. Another model may learn from
the whole of it instead, see `given_teacher`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.recommender import Recommender
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig
from pipeline.config.training import WarmStartConfig
from pipeline.config.tree import flat
from pipeline.errors import ConfigError, DataError
from pipeline.registry.training import training_source

FOLDER = "training"
"""Where a model's artifact holds what a warm start needs."""

WEIGHTS_FOLDER = f"assets.extra/{FOLDER}"
"""The same in a SavedModel, which keeps files of others there."""

_WEIGHTS = "weights.npz"
_SETTINGS = "settings.json"
_MOVIES = "movie_ids"
_ROW_KINDS = ("whole", "movies", "features")

# Settings that shape neither the weights nor what they mean.
_FREE = ("dropout", "initial_std", "event_features.rating_dropout", "rating_head.weight")

_ANEW = "train once without a warm start (training.warm_start=null)"

Arrays = Sequence[npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a model was trained under.

    Attributes:
        model: Its configuration.
        history: How its windows were made.
        held_out: The settings of the data that decide which events are held out.
        span: The newest span that it learned from; None where the data had none.
    """

    model: ModelConfig
    history: HistoryConfig
    held_out: Mapping[str, Any]
    span: int | None

    def to_json(self) -> dict[str, Any]:
        """A tree of plain values; `from_json` reads it back."""
        return {
            "model": self.model.model_dump(mode="json"),
            "history": self.history.model_dump(mode="json"),
            "held_out": dict(self.held_out),
            "span": self.span,
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Origin:
        """Reads what `to_json` gave."""
        return cls(
            ModelConfig.model_validate(tree["model"]),
            HistoryConfig.model_validate(tree["history"]),
            tree["held_out"],
            tree["span"],
        )


@dataclasses.dataclass(frozen=True)
class Rows:
    """What the rows of a model's tables stand for.

    Attributes:
        movie_ids: int64 [movies], of the vocabulary; row i + 1 is that of entry i.
        features: Names of the item features, empty where the model has none.
    """

    movie_ids: npt.NDArray[np.int64]
    features: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class TrainedWeights:
    """An earlier model's weights.

    Attributes:
        origin: What they were trained under.
        rows: What their rows stand for.
        kinds: `[variables]`, what the rows of each are: `movies`, `features`, or `whole` if none.
        arrays: `[variables]`, in the order of the model's weights, those that do not learn too.
        digest: Of the content.
    """

    origin: Origin
    rows: Rows
    kinds: tuple[str, ...]
    arrays: Arrays
    digest: str


def save_weights(folder: str, model: Recommender, origin: Origin, rows: Rows) -> None:
    """Writes what a later warm start needs; the same model gives the same bytes.

    Args:
        folder: New; a local path or an address.
        model: Trained.
        origin: What it was trained under.
        rows: What the rows of its tables stand for.
    """
    content = io.BytesIO()
    named = {
        f"array_{index:04d}": np.array(variable) for index, variable in enumerate(model.weights)
    }
    np.savez(content, **{_MOVIES: rows.movie_ids}, **named)
    weights = content.getvalue()
    settings = {
        **origin.to_json(),
        "features": list(rows.features),
        "kinds": _kinds(model),
        "variables": [variable.path for variable in model.weights],
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    tf.io.gfile.makedirs(folder)
    for name, payload in (
        (_WEIGHTS, weights),
        (_SETTINGS, (json.dumps(settings, indent=1) + "\n").encode()),
    ):
        with tf.io.gfile.GFile(posixpath.join(folder, name), "wb") as file:
            file.write(payload)


def load_weights(folder: str, *, way_out: str = _ANEW) -> TrainedWeights:
    """Reads what `save_weights` wrote.

    Args:
        folder: A local path or an address.
        way_out: What is said to do where it cannot be read.

    Raises:
        DataError: There is nothing, or it is damaged.
    """
    path = posixpath.join(folder, _SETTINGS)
    if not tf.io.gfile.exists(path):
        raise DataError(
            f"{path}: there is no such file, so the folder holds no training weights; {way_out}"
        )
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            settings = json.loads(file.read())
        with tf.io.gfile.GFile(posixpath.join(folder, _WEIGHTS), "rb") as file:
            payload = file.read()
        digest = hashlib.sha256(payload).hexdigest()
        if digest != settings["sha256"]:
            raise ValueError(f"{_WEIGHTS} is not the file that {_SETTINGS} describes")
        with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
            arrays = [stored[name] for name in sorted(stored.files) if name != _MOVIES]
            rows = Rows(stored[_MOVIES], tuple(settings["features"]))
        kinds = tuple(settings["kinds"])
        if len(kinds) != len(arrays) or not set(kinds) <= set(_ROW_KINDS):
            raise ValueError(f"{len(arrays)} arrays of the kinds {kinds}")
        return TrainedWeights(Origin.from_json(settings), rows, kinds, arrays, digest)
    except (tf.errors.OpError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder}: the training weights are damaged ({error}); {way_out}"
        ) from error


def weights_folder(folder: str) -> str:
    """Finds training weights by what lies beside them.

    Args:
        folder: Of the weights; or of a model's artifact, that holds them in `training/`; or of a
            registered bundle, that has them beside it. A local path or an address.

    Returns:
        The folder that `load_weights` reads; `folder` itself where none is found.
    """
    named = folder if "/" in folder else f"./{folder}"
    candidates = (folder, posixpath.join(folder, FOLDER), training_source(named))
    found = (c for c in candidates if tf.io.gfile.exists(posixpath.join(c, _SETTINGS)))
    return next(found, folder)


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """How a run begins.

    Attributes:
        weights: The earlier model's.
        config: What is to happen where they do not fit.
        origin: What the new model is trained under.
        rows: What the rows of its tables stand for.
    """

    weights: TrainedWeights
    config: WarmStartConfig
    origin: Origin
    rows: Rows

    def begin(self, model: Recommender) -> str:
        """Gives a new model the earlier one's weights, if they fit.

        Rows of movies and features that the earlier model does not know keep the values of a new
        model.

        Returns:
            What was done, for the user.

        Raises:
            ConfigError: They do not fit, and the configuration says to fail then.
        """
        reasons = [*self._differences(), *self._misfits(model)]
        if reasons:
            told = "; ".join(reasons)
            if self.config.on_mismatch == "fresh":
                return f"no warm start: {told}"
            raise ConfigError(
                f"the last blessed model cannot be gone on with: {told}. Go back to its settings, "
                "or begin anew with training.warm_start.on_mismatch=fresh or "
                "training.warm_start=null"
            )
        known = _places(self.rows.movie_ids, self.weights.rows.movie_ids)
        for variable, kind, array in zip(
            model.weights, self.weights.kinds, self.weights.arrays, strict=True
        ):
            variable.assign(self._carried(np.array(variable), kind, array))
        span = self.weights.origin.span
        return (
            f"warm start from the blessed model{'' if span is None else f' of span {span}'}: "
            f"{int((known >= 0).sum()):,} of {len(known):,} movies are known"
        )

    def _carried(
        self, fresh: npt.NDArray[Any], kind: str, array: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        if kind == "whole":
            return array
        if kind == "movies":
            # Row 0 is padding, in both.
            known = _places(self.rows.movie_ids, self.weights.rows.movie_ids)
            first = 1
        else:
            known = _places(
                np.array(self.rows.features, np.str_),
                np.array(self.weights.rows.features, np.str_),
            )
            first = 0
        rows = np.flatnonzero(known >= 0)
        fresh[rows + first] = array[known[rows] + first]
        return fresh

    def _differences(self) -> Iterator[str]:
        """What the two models' settings disagree in."""
        mine, other = self.origin, self.weights.origin
        before = flat(other.model.model_dump(mode="json"))
        now = flat(mine.model.model_dump(mode="json"))
        for key in sorted({*before, *now} - set(_FREE)):
            if before.get(key) != now.get(key):
                yield f"model.{key} is {now.get(key)!r}, was {before.get(key)!r}"
        yield from leaks(mine, other)

    def _misfits(self, model: Recommender) -> Iterator[str]:
        """Weights whose shapes disagree."""
        kinds = tuple(_kinds(model))
        variables = model.weights
        shapes = [_shape(kind, v.shape) for kind, v in zip(kinds, variables, strict=True)]
        own = [
            _shape(kind, array.shape)
            for kind, array in zip(self.weights.kinds, self.weights.arrays, strict=True)
        ]
        if kinds != self.weights.kinds:
            yield f"it has {len(own)} weights, this model {len(shapes)}"
            return
        shared = any(not table.row_weights for table in model.item_tables)
        if shared and not np.array_equal(self.rows.movie_ids, self.weights.rows.movie_ids):
            yield (
                f"rows of an item table {model.config.item_table.name} share their weights, which "
                "cannot be taken over for other movies, and the vocabulary has changed"
            )
        for variable, shape, was in zip(variables, shapes, own, strict=True):
            if shape != was:
                yield (
                    f"{variable.path} is {list(shape)}, was {list(was)} (history.length is "
                    f"{self.origin.history.length}, was {self.weights.origin.history.length}; "
                    "training.window_length shapes weights too)"
                )


def leaks(mine: Origin, other: Origin) -> Iterator[str]:
    """Tells why an earlier model may have learned what is held out now.

    Args:
        mine: What the new model is trained under.
        other: What the earlier one was.
    """
    held = {**mine.held_out, "history.min_rating": mine.history.min_rating}
    was = {**other.held_out, "history.min_rating": other.history.min_rating}
    for key in sorted({*held, *was}):
        if held.get(key) != was.get(key):
            yield (
                f"{key} is {held.get(key)!r}, was {was.get(key)!r}, so it may have learned what is "
                "held out now"
            )
    if mine.span is not None and other.span is not None and other.span > mine.span:
        yield (
            f"it was trained on span {other.span}, later than {mine.span}, so it may have learned "
            "what is held out now"
        )


def _kinds(model: Recommender) -> list[str]:
    """Returns what the rows of each weight stand for."""
    movies = {id(variable) for variable in model.movie_tables}
    features = {id(variable) for variable in model.feature_tables}
    return [
        "movies" if id(variable) in movies else "features" if id(variable) in features else "whole"
        for variable in model.weights
    ]


def _shape(kind: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Returns the part of a shape that does not depend on the data."""
    return tuple(shape) if kind == "whole" else tuple(shape[1:])


def _places(wanted: npt.NDArray[Any], known: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Returns where each wanted value stands among the known ones, -1 where it does not."""
    at = {value: place for place, value in enumerate(known.tolist())}
    return np.array([at.get(value, -1) for value in wanted.tolist()], np.int64)
