"""Hands the catalogue's place to the training function, then trains as TFX does."""

from __future__ import annotations

from typing import Any

from tfx.components.trainer import executor as trainer_executor
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import json_utils

from modules import features

CATALOGUE = "catalogue"
"""Name of the input, and of its key in `fn_args.custom_config`."""


class Executor(trainer_executor.GenericExecutor):
    """Executor of `CatalogueTrainer`."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains.

        The split's folder joins the settings of this call alone: what is recorded with the
        execution, and is its cache key, holds no path.

        Raises:
            ValueError: The examples have no split `catalogue`.
        """
        examples = input_dict.get(CATALOGUE)
        if examples:
            key = standard_component_specs.CUSTOM_CONFIG_KEY
            custom = json_utils.loads(exec_properties[key])
            uri = artifact_utils.get_split_uri(examples, features.SPLIT_CATALOGUE)
            exec_properties = {**exec_properties, key: json_utils.dumps({**custom, CATALOGUE: uri})}
        super().Do(input_dict, output_dict, exec_properties)
