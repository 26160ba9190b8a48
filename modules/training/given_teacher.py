"""A teacher that was trained before: read, checked against this run, made into a model again.

It must know the movies of this run under the same ids, must not have learned what is held out now,
and must find in this run's windows all that it reads. All of that is known before anything is
trained.
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from modules.features import PADDING_ID
from modules.models.item_features import ItemFeatures
from modules.models.recommender import Recommender
from modules.training.input import Windows
from modules.training.warm_start import (
    FOLDER,
    Origin,
    TrainedWeights,
    leaks,
    load_weights,
    weights_folder,
)
from modules.user_attributes import ATTRIBUTES
from pipeline.config.distillation import FolderTeacherConfig, RegisteredTeacherConfig
from pipeline.config.model import ModelConfig
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError

_WAY_OUT = (
    "name a model that has them in training.distillation.teachers, or have one trained: {model: ..}"
)


@dataclasses.dataclass(frozen=True)
class GivenTeacher:
    """A model to learn from.

    Attributes:
        place: Among the teachers, from 1.
        name: Who it is, for the user.
        weights: Its weights, and what they were trained under.
    """

    place: int
    name: str
    weights: TrainedWeights

    @property
    def config(self) -> ModelConfig:
        """Its model's section."""
        return self.weights.origin.model

    def check_origin(
        self, origin: Origin, movie_ids: npt.NDArray[np.int64], *, window_length: int
    ) -> None:
        """Makes sure that it can teach a model of this run, as far as settings tell.

        Args:
            origin: What this run trains under.
            movie_ids: int64 [movies], of this run's vocabulary.
            window_length: Events of this run's training windows.

        Raises:
            ConfigError: It cannot; names all that is in the way.
        """
        own = self.weights.origin.history.length
        reasons = [
            *_other_movies(movie_ids, self.weights.rows.movie_ids),
            *leaks(origin, self.weights.origin),
        ]
        if own > window_length:
            reasons.append(
                f"it reads histories of {own} events (history.length), and windows of this run "
                f"have {window_length}"
            )
        if reasons:
            self._refuse(reasons)

    def check_windows(self, windows: Windows) -> None:
        """Makes sure that windows hold all that it reads.

        Args:
            windows: Training windows of this run.

        Raises:
            ConfigError: They do not; names what is not there.
        """
        missing = list(_missing_inputs(self.config, windows))
        if missing:
            self._refuse([f"it reads {', '.join(missing)}, which this run's windows have not"])

    def model(
        self, *, history_length: int, movies: int, item_features: ItemFeatures | None
    ) -> Recommender:
        """Makes the model with its trained weights.

        Args:
            history_length: Events of this run's training windows.
            movies: Movies of the vocabulary.
            item_features: Of these movies, where its configuration asks for any.

        Raises:
            ConfigError: The weights do not fit this run's windows or catalogue.
        """
        names = () if item_features is None else item_features.names
        if names != self.weights.rows.features:
            changed = sorted(set(names) ^ set(self.weights.rows.features))
            self._refuse(
                [
                    f"its item features are of another catalogue: {len(changed)} differ, as "
                    f"{changed[0]!r}"
                    if changed
                    else "its item features stand in another order"
                ]
            )
        model = Recommender(
            self.config, history_length=history_length, movies=movies, item_features=item_features
        )
        variables, arrays = model.weights, self.weights.arrays
        if len(variables) != len(arrays):
            self._refuse([f"it has {len(arrays)} weights, its settings make {len(variables)} now"])
        misfits = [
            f"its weight {variable.path} is {list(array.shape)}, windows of {history_length} "
            f"events make it {list(variable.shape)} (history.length was "
            f"{self.weights.origin.history.length}; training.window_length shapes weights too)"
            for variable, array in zip(variables, arrays, strict=True)
            if tuple(variable.shape) != array.shape
        ]
        if misfits:
            self._refuse(misfits[:1])
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return model

    def _refuse(self, reasons: Sequence[str]) -> None:
        raise ConfigError(
            f"training.distillation.teachers: teacher {self.place}, {self.name}, cannot teach this "
            "run's model: "
            f"{'; '.join(reasons)}. Take another teacher, or go back to its settings and data"
        )


def read_given_teachers(
    training: TrainingConfig,
    origin: Origin,
    movie_ids: npt.NDArray[np.int64],
    fetched: str | None,
) -> list[GivenTeacher | None]:
    """Reads the teachers that were trained before, and checks them.

    Args:
        training: Its section; names the teachers.
        origin: What this run trains under.
        movie_ids: int64 [movies], of this run's vocabulary.
        fetched: Where a step of the pipeline put them, a folder each, by place from 1; None where
            there was no such step: folders are then read where they are.

    Returns:
        In the order of the teachers; None for one that this run is to train.

    Raises:
        ConfigError: A teacher cannot be had, or cannot teach this run's model.
        DataError: A folder holds no weights, or damaged ones.
    """
    found: list[GivenTeacher | None] = []
    for place, teacher in enumerate(training.teachers, 1):
        if isinstance(teacher, RegisteredTeacherConfig):
            name = _version(teacher)
        elif isinstance(teacher, FolderTeacherConfig):
            name = teacher.folder
        else:
            found.append(None)
            continue
        if fetched is not None:
            folder = posixpath.join(fetched, str(place), FOLDER)
        elif isinstance(teacher, FolderTeacherConfig):
            folder = weights_folder(teacher.folder)
        else:
            raise ConfigError(
                f"training.distillation.teachers: teacher {place}, {name}, is fetched by a step of "
                "the pipeline, and this training is none: give {folder: PATH}, its training weights"
            )
        given = GivenTeacher(place, name, load_weights(folder, way_out=_WAY_OUT))
        length = training.window_length or origin.history.length
        given.check_origin(origin, movie_ids, window_length=length)
        found.append(given)
    return found


def _version(teacher: RegisteredTeacherConfig) -> str:
    if teacher.registered == "champion":
        return "the registry's champion"
    return f"version {teacher.registered} of the registry"


def _other_movies(mine: npt.NDArray[np.int64], its: npt.NDArray[np.int64]) -> Iterator[str]:
    if np.array_equal(mine, its):
        return
    common = min(len(mine), len(its))
    differ = np.flatnonzero(mine[:common] != its[:common])
    places = len(differ) + abs(len(mine) - len(its))
    place = int(differ[0]) if len(differ) else common
    one, other = (f"movie {ids[place]}" if place < len(ids) else "no movie" for ids in (mine, its))
    yield (
        f"its vocabulary is of other data: {places:,} of {max(len(mine), len(its)):,} ids stand "
        f"for other movies, as id {place + 1}: {one} here, {other} there"
    )


def _missing_inputs(model: ModelConfig, windows: Windows) -> Iterator[str]:
    known = windows.context != PADDING_ID
    if model.reads_rating and (windows.rating is None or not windows.rating[known].any()):
        yield "ratings"
    if model.reads_time and (windows.time is None or not windows.time[:, :-1][known].any()):
        yield "times"
    for attribute in model.user_features.attributes:
        place = ATTRIBUTES.index(attribute)
        if windows.user is None or not windows.user[:, place].any():
            yield f"the users' {attribute.removeprefix('user_')}"
