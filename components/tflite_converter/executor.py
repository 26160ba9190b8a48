"""Reads what the pipeline hands over, converts, and writes the artifact."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow_transform as tft
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, path_utils

from components.tflite_converter.layout import write_artifact
from components.tflite_converter.parity import HeldOut
from components.tflite_converter.variants import Conversion, convert_variants
from modules import features
from modules.evaluation.ranking import Ragged
from modules.local_copy import local_copy
from modules.serving_inputs import ServingInput, further_inputs, inputs_of_windows
from modules.training.hyperparameters import saved_values, tuned_model
from modules.training.input import read_windows
from modules.training.warm_start import FOLDER, WEIGHTS_FOLDER, load_weights
from modules.user_attributes import ID_FEATURES
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
                _held_out(
                    input_dict[EXAMPLES],
                    graph_uri,
                    len(movie_ids),
                    config.parity_windows,
                    further_inputs(model_config),
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


def _held_out(
    examples: list[Artifact],
    graph_uri: str,
    movies: int,
    count: int,
    inputs: Sequence[ServingInput],
) -> HeldOut:
    patterns = [f"{uri}/*" for uri in artifact_utils.get_split_uris(examples, features.SPLIT_EVAL)]
    spec = tft.TFTransformOutput(graph_uri).transformed_feature_spec()
    columns = {given.column for given in inputs}
    windows = read_windows(
        patterns,
        spec,
        with_seen=True,
        movies=movies,
        with_rating=features.CONTEXT_RATING in columns,
        with_time=features.CONTEXT_TIMESTAMP in columns,
        with_user=not columns.isdisjoint(ID_FEATURES),
    ).first(count)
    return HeldOut(
        context=windows.context.astype(np.int64),
        # A held-out window has one target, and 0 elsewhere.
        target=windows.target.max(axis=1).astype(np.int64),
        seen=Ragged(windows.seen.astype(np.int64), windows.seen_splits),
        movies=movies,
        further=inputs_of_windows((given.name for given in inputs), windows.columns()),
    )


def _log(conversion: Conversion) -> None:
    for name, variant in conversion.variants.items():
        logging.info(
            "%s: %d bytes, recall@10 %.4f (Keras %.4f), top-10 overlap %.4f on %d eval windows",
            name,
            len(variant.content),
            variant.recall_at_10,
            conversion.keras_recall_at_10,
            variant.top10_overlap,
            conversion.windows,
        )
