"""Copies the weights of teachers into one artifact: `<place>/training/`, places from 1."""

from __future__ import annotations

import logging
import posixpath
import tempfile
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from modules.training.warm_start import FOLDER, load_weights, weights_folder
from pipeline.config.distillation import FolderTeacherConfig, RegisteredTeacherConfig
from pipeline.registry.store import open_store
from pipeline.registry.training import training_folder
from pipeline.teachers import SETTING, TeacherSource, find_version, from_json

MODELS = "models"
TRACKING_URI = "tracking_uri"
MODEL_NAME = "model_name"

_WAY_OUT = "name another model, or have one trained: {model: ...}"


class Executor(base_executor.BaseExecutor):
    """Executor of `TeacherModels`."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fetches every teacher and makes sure that its weights are whole.

        Raises:
            RegistryError: The registry cannot be reached, or has no such version, or the version
                has no weights.
            DataError: A folder holds no weights, or damaged ones.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        models = artifact_utils.get_single_instance(output_dict[MODELS])
        uri, name = exec_properties[TRACKING_URI], exec_properties[MODEL_NAME]
        for source in from_json(exec_properties[SETTING]):
            target = posixpath.join(models.uri, str(source.place), FOLDER)
            if isinstance(source.teacher, FolderTeacherConfig):
                said = source.teacher.folder
                io_utils.copy_dir(_of_folder(source.teacher), target)
            else:
                version = _fetch_version(source, source.teacher, uri, name, target)
                said = f"version {version} of {(source.teacher.model_name or name)!r}"
            load_weights(target, way_out=_WAY_OUT)
            models.set_string_custom_property(f"teacher_{source.place}", said)
            logging.info("Teacher %d is %s.", source.place, said)


def _of_folder(teacher: FolderTeacherConfig) -> str:
    folder = weights_folder(teacher.folder)
    load_weights(folder, way_out=_WAY_OUT)
    return folder


def _fetch_version(
    source: TeacherSource, teacher: RegisteredTeacherConfig, uri: str, name: str, target: str
) -> int:
    store, name = open_store(uri), teacher.model_name or name
    version = find_version(source, teacher, store, name)
    with tempfile.TemporaryDirectory(prefix="pocketrec-teacher-") as downloads:
        folder = training_folder(
            store,
            version,
            Path(downloads) / FOLDER,
            problem=(
                f"{source.key}: version {version.version} of {name!r} cannot teach, it has no "
                "training weights"
            ),
            way_out=f"Versions of before warm starts have none; {_WAY_OUT}",
        )
        io_utils.copy_dir(str(folder), target)
    return version.version
