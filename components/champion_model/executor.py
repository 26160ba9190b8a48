"""Asks the registry for its champion."""

from __future__ import annotations

import logging
import posixpath
import tempfile
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from components.champion_model.layout import write_champion, write_no_model
from pipeline.errors import RegistryError
from pipeline.registry.registry import Registry
from pipeline.registry.store import open_store
from pipeline.registry.training import TRAINING_PATH, training_folder
from pocketrec_device.bundle import Bundle
from pocketrec_device.errors import BundleError

MODEL = "model"
TRACKING_URI = "tracking_uri"
MODEL_NAME = "model_name"
WITH_TRAINING = "with_training"


class Executor(base_executor.BaseExecutor):
    """Executor of `ChampionModel`."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the champion, or that there is none.

        Raises:
            RegistryError: The registry cannot be reached, its champion is damaged, or there is
                nothing that a training could begin with where that is asked for.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(output_dict[MODEL])
        name = exec_properties[MODEL_NAME]
        store = open_store(exec_properties[TRACKING_URI])
        versions = store.versions(name)
        with tempfile.TemporaryDirectory(prefix="pocketrec-champion-") as downloads:
            registry = Registry(store, name, Path(downloads))
            champion = registry.champion(versions)
            if champion is None:
                reason = (
                    f"the registry holds {len(versions)} version(s) of {name!r}, none of them "
                    "champion: there is nothing to compare with"
                )
                logging.warning("NO CHAMPION: %s", reason)
                write_no_model(model.uri, reason)
                return
            try:
                write_champion(model.uri, Bundle.load(registry.bundle_path(champion)))
                if exec_properties[WITH_TRAINING]:
                    training = training_folder(
                        store,
                        champion,
                        Path(downloads) / TRAINING_PATH,
                        problem=(
                            "a warm start cannot begin with the champion, version "
                            f"{champion.version}"
                        ),
                        way_out=(
                            "Versions of before warm starts have no such folder; train anew once: "
                            "--set training.warm_start=null"
                        ),
                    )
                    io_utils.copy_dir(str(training), posixpath.join(model.uri, TRAINING_PATH))
            except BundleError as error:
                raise RegistryError(
                    f"the champion, version {champion.version} of {name!r}, cannot be compared "
                    f"with: {error}. Promote another version, or leave the comparison out: "
                    "--set gate.ignore_blessed=true"
                ) from None
        model.set_int_custom_property("registry_version", champion.version)
        model.set_string_custom_property("registry_model", name)
        logging.info("The champion is version %d of %r.", champion.version, name)
