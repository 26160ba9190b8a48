"""Reads what the pipeline hands over, converts, and writes the artifact."""

from __future__ import annotations

import logging
import posixpath
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, path_utils

from components.tflite_converter.assets import hand_on_assets
from components.tflite_converter.held_out import read_held_out
from components.tflite_converter.layout import write_artifact
from components.tflite_converter.variants import Conversion, convert_variants
from modules import features
from modules.local_copy import local_copy
from modules.serving_inputs import further_inputs
from modules.training.hyperparameters import saved_values, tuned_model
from modules.training.warm_start import FOLDER, WEIGHTS_FOLDER, load_weights
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.delivery import ConversionConfig
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig

TRAINED_MODEL = "trained_model"
MODEL = "model"
TRANSFORM_GRAPH = "transform_graph"
EXAMPLES = "examples"


class Executor(base_executor.BaseExecutor):
    """Executor of `TFLiteConverter`."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the variants, checked and measured.

        Raises:
            ConversionError: A variant cannot be made or does not do what it should.
            DataError: Windows and vocabulary do not belong together.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = ConversionConfig.model_validate_json(exec_properties["config"])
        history = HistoryConfig.model_validate_json(exec_properties["history"])
        graph_uri = artifact_utils.get_single_uri(input_dict[TRANSFORM_GRAPH])
        movie_ids, _ = read_vocabulary(io_utils.ensure_local(vocabulary_path(graph_uri)))
        trained = artifact_utils.get_single_instance(input_dict[TRAINED_MODEL])
        # The child process that converts knows no object storage.
        with local_copy(path_utils.serving_model_path(trained.uri)) as saved_model:
            tuned = saved_values(str(saved_model))
            model_config = tuned_model(
                ModelConfig.model_validate_json(exec_properties["model_config"]), tuned
            )
            conversion = convert_variants(
                str(saved_model),
                read_held_out(
                    artifact_utils.get_split_uris(input_dict[EXAMPLES], features.SPLIT_EVAL),
                    graph_uri,
                    movies=len(movie_ids),
                    count=config.parity_windows,
                    inputs=further_inputs(model_config),
                ),
                config=config,
            )
            _log(conversion)
            converted = artifact_utils.get_single_instance(output_dict[MODEL])
            write_artifact(
                converted.uri,
                conversion,
                movie_ids,
                config=config,
                history=history,
                model=model_config,
                hyperparameters=tuned,
            )
            _hand_on_weights(str(saved_model / WEIGHTS_FOLDER), converted)
            hand_on_assets(str(saved_model), converted.uri)
        for name, variant in conversion.variants.items():
            converted.set_int_custom_property(f"{name}_bytes", len(variant.content))


def _hand_on_weights(folder: str, converted: Artifact) -> None:
    """Copies what a warm start needs to the artifact that the gate blesses.

    Custom property `span`: the newest span that the model learned from, where there are spans.
    """
    if not fileio.exists(folder):
        return
    span = load_weights(folder).origin.span
    io_utils.copy_dir(folder, posixpath.join(converted.uri, FOLDER))
    if span is not None:
        converted.set_int_custom_property("span", span)


def _log(conversion: Conversion) -> None:
    for name, variant in conversion.variants.items():
        logging.info(
            "%s: %d bytes, recall@10 %.4f (Keras %.4f), top-10 overlap %.4f on %d eval windows, "
            "%.3f ms, %d bytes of memory",
            name,
            len(variant.content),
            variant.recall_at_10,
            conversion.keras_recall_at_10,
            variant.top10_overlap,
            conversion.windows,
            variant.costs.latency_ms,
            variant.costs.memory_bytes,
        )
