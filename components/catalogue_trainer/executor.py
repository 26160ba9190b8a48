"""Hands the catalogue's place to the training function, then trains as TFX does."""

from __future__ import annotations

from typing import Any

from tfx.components.trainer import executor as trainer_executor
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import json_utils

from components.champion_model.layout import holds_model
from modules import features

CATALOGUE = "catalogue"
BASE_MODEL = "base_model"
TEACHERS = "teachers"
"""Names of the inputs, and of their keys in `fn_args.custom_config`."""

_SPAN = "span"


class Executor(trainer_executor.GenericExecutor):
    """Executor of `CatalogueTrainer`."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains.

        What is found in the inputs joins the settings of this call alone: what is recorded with
        the execution, and is its cache key, holds no path.

        Raises:
            ValueError: The examples have no split `catalogue`.
        """
        found: dict[str, Any] = {}
        if examples := input_dict.get(CATALOGUE):
            found[CATALOGUE] = artifact_utils.get_split_uri(examples, features.SPLIT_CATALOGUE)
            if examples[0].has_custom_property(_SPAN):
                found[_SPAN] = examples[0].get_int_custom_property(_SPAN)
        if base := input_dict.get(BASE_MODEL):
            uri = artifact_utils.get_single_uri(base)
            if holds_model(uri):
                found[BASE_MODEL] = uri
        if teachers := input_dict.get(TEACHERS):
            found[TEACHERS] = artifact_utils.get_single_uri(teachers)
        if found:
            key = standard_component_specs.CUSTOM_CONFIG_KEY
            custom = json_utils.loads(exec_properties[key])
            exec_properties = {**exec_properties, key: json_utils.dumps({**custom, **found})}
        super().Do(input_dict, output_dict, exec_properties)
