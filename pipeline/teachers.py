"""Teachers that were trained before: which version or folder each of them is.

A version's number names one model for good. The champion and a folder's content change, so a run on
this machine looks at them before it is composed: the champion becomes the version that it is then,
and the folder's weights, by their digest, a part of what the cache goes by.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from pipeline.config.distillation import (
    AnyTeacherConfig,
    FolderTeacherConfig,
    RegisteredTeacherConfig,
)
from pipeline.config.root import Config
from pipeline.config.training import TrainingConfig
from pipeline.errors import DataError, RegistryError
from pipeline.registry.registry import Registry
from pipeline.registry.store import ModelVersion, RegistryStore, open_store

STEP = "teacher_models"
"""Id of the step that fetches them."""

SETTING = "teachers"
"""Its setting that says which."""


@dataclasses.dataclass(frozen=True)
class TeacherSource:
    """Where one teacher comes from.

    Attributes:
        place: Among the teachers, from 1.
        teacher: What the settings say of it.
        identity: Tells its content from others' under the same name; empty where it was not looked
            at.
    """

    place: int
    teacher: RegisteredTeacherConfig | FolderTeacherConfig
    identity: str = ""

    @property
    def key(self) -> str:
        """The setting that names it."""
        return f"training.distillation.teachers.{self.place - 1}"

    @property
    def stays(self) -> bool:
        """Whether its settings name the same model for good."""
        by_number = isinstance(self.teacher, RegisteredTeacherConfig) and isinstance(
            self.teacher.registered, int
        )
        return by_number or bool(self.identity)


def sources(training: TrainingConfig) -> tuple[TeacherSource, ...]:
    """Returns the teachers that were trained before; nothing is looked at.

    Args:
        training: The section that names them.
    """
    return tuple(
        TeacherSource(place, teacher)
        for place, teacher in enumerate(training.teachers, 1)
        if isinstance(teacher, RegisteredTeacherConfig | FolderTeacherConfig)
    )


def to_json(given: tuple[TeacherSource, ...]) -> str:
    """Returns what `from_json` reads."""
    return json.dumps(
        [
            {
                "place": source.place,
                "identity": source.identity,
                "teacher": source.teacher.model_dump(mode="json"),
            }
            for source in given
        ]
    )


def from_json(text: str) -> tuple[TeacherSource, ...]:
    """Reads what `to_json` wrote."""

    def teacher(tree: dict[str, object]) -> RegisteredTeacherConfig | FolderTeacherConfig:
        kind = RegisteredTeacherConfig if "registered" in tree else FolderTeacherConfig
        return kind.model_validate(tree)

    return tuple(
        TeacherSource(one["place"], teacher(one["teacher"]), one["identity"])
        for one in json.loads(text)
    )


def find_version(
    source: TeacherSource, teacher: RegisteredTeacherConfig, store: RegistryStore, model: str
) -> ModelVersion:
    """Returns the version that a teacher is.

    Args:
        source: The teacher.
        teacher: The same, as its settings name it.
        store: The registry.
        model: The registered model's name.

    Raises:
        RegistryError: There is no such version.
    """
    try:
        # Nothing is fetched: the folder of downloads is not used.
        return Registry(store, model, Path()).find(str(teacher.registered))
    except RegistryError as error:
        raise RegistryError(f"{source.key}.registered={teacher.registered}: {error}") from None


def pinned(config: Config, tracking_uri: str) -> tuple[Config, tuple[TeacherSource, ...]]:
    """Looks at the teachers that were trained before, so that a run names what it reads.

    Args:
        config: All settings.
        tracking_uri: The model registry's.

    Returns:
        The settings with the champion's number in the place of its alias, and the teachers with
        their identities.

    Raises:
        RegistryError: There is no such version.
        DataError: A folder holds no weights.
    """
    given = sources(config.training)
    if not given or config.training.distillation is None:
        return config, ()
    looked_at = tuple(
        _folder_looked_at(source, source.teacher)
        if isinstance(source.teacher, FolderTeacherConfig)
        else _version_looked_at(source, source.teacher, config, tracking_uri)
        for source in given
    )
    teachers: list[AnyTeacherConfig] = list(config.training.distillation.teachers)
    for source in looked_at:
        teachers[source.place - 1] = source.teacher
    distillation = config.training.distillation.model_copy(update={"teachers": tuple(teachers)})
    training = config.training.model_copy(update={"distillation": distillation})
    return config.model_copy(update={"training": training}), looked_at


def _version_looked_at(
    source: TeacherSource, teacher: RegisteredTeacherConfig, config: Config, tracking_uri: str
) -> TeacherSource:
    store = open_store(tracking_uri)
    name = teacher.model_name or config.registry.model_name
    version = find_version(source, teacher, store, name)
    return dataclasses.replace(
        source,
        teacher=RegisteredTeacherConfig(registered=version.version, model_name=name),
        # A registry that was begun anew counts from one again.
        identity=version.tags.get("bundle_id", version.source),
    )


def _folder_looked_at(source: TeacherSource, teacher: FolderTeacherConfig) -> TeacherSource:
    # Late: it brings TensorFlow, whose file systems may hold the folder.
    from modules.training.warm_start import load_weights, weights_folder

    try:
        weights = load_weights(
            weights_folder(teacher.folder), way_out="name the folder of a trained model's weights"
        )
    except DataError as error:
        raise DataError(f"{source.key}.folder={teacher.folder}: {error}") from None
    return dataclasses.replace(source, identity=weights.digest)
