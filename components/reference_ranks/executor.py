"""Finds the files, ranks the test windows batch by batch, and writes them."""

from __future__ import annotations

import json
import logging
from typing import Any

import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from components.champion_model.layout import holds_model
from components.reference_ranks.ranks import BlessedRanker, ReferenceRanker
from components.reference_ranks.rows import read_windows, with_features
from components.reference_ranks.served_model import ServedModel
from components.reference_ranks.timelines import Timelines, read_timelines
from modules import features
from modules.catalogue import read_catalogue
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.delivery import GateConfig
from pipeline.errors import GateError
from pipeline.progress import report

WINDOWS = "windows"
TIMELINES = "timelines"
CANDIDATE = "candidate"
TRANSFORM_GRAPH = "transform_graph"
BLESSED = "blessed"
EXAMPLES = "examples"
FILE_NAME = "windows-00000-of-00001.gz"


class Executor(base_executor.BaseExecutor):
    """Executor of `ReferenceRanks`."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the test windows with the ranks of their targets.

        Raises:
            GateError: There are no test windows, the candidate is not what would ship, or the
                latest blessed model cannot be used.
            DataError: Windows and timelines do not belong together.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = GateConfig.model_validate_json(exec_properties["config"])
        candidate = ServedModel.read(artifact_utils.get_single_uri(input_dict[CANDIDATE]))
        graph_uri = artifact_utils.get_single_uri(input_dict[TRANSFORM_GRAPH])
        trained_on, _ = read_vocabulary(io_utils.ensure_local(vocabulary_path(graph_uri)))
        candidate.check_candidate(trained_on)

        ranker = ReferenceRanker(
            candidate=candidate,
            train=_timelines(input_dict, features.SPLIT_TRAIN),
            blessed=_blessed(input_dict, candidate, config),
            catalogue=read_catalogue(
                artifact_utils.get_split_uri(input_dict[TIMELINES], features.SPLIT_CATALOGUE)
            ),
            window_days=config.popularity_window_days,
            variants=json.loads(exec_properties["variants"]),
        )
        examples = artifact_utils.get_single_instance(output_dict[EXAMPLES])
        examples.split_names = artifact_utils.encode_split_names([features.SPLIT_TEST])
        examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
        folder = artifact_utils.get_split_uri([examples], features.SPLIT_TEST)
        fileio.makedirs(folder)
        files = _files(input_dict[WINDOWS], features.SPLIT_TEST)
        written = 0
        # Half-written it is never read: the artifact counts once this execution is published.
        with tf.io.TFRecordWriter(f"{folder}/{FILE_NAME}", options="GZIP") as writer:
            for batch in read_windows(files, candidate.rules.length, ranker.inputs):
                for record in with_features(batch.records, ranker.features(batch)):
                    writer.write(record)
                written += len(batch.records)
                report.advance("windows ranked", len(batch.records))
        if not written:
            raise GateError(
                "there are no test windows to gate the model on: no held-out event follows "
                "enough history; lower history.min_history or history.min_rating, or take more data"
            )
        logging.info("Ranked the targets of %d test windows.", written)


def _blessed(
    input_dict: dict[str, list[Artifact]], candidate: ServedModel, config: GateConfig
) -> BlessedRanker | None:
    artifacts = input_dict.get(BLESSED) or []
    if not artifacts or config.ignore_blessed:
        logging.info("No blessed model to compare with.")
        return None
    uri = artifact_utils.get_single_uri(artifacts)
    if not holds_model(uri):
        logging.info("The registry held no champion to compare with.")
        return None
    return BlessedRanker(uri, candidate, _timelines(input_dict, features.SPLIT_TEST))


def _timelines(input_dict: dict[str, list[Artifact]], split: str) -> Timelines:
    return read_timelines(_files(input_dict[TIMELINES], split))


def _files(artifacts: list[Artifact], split: str) -> list[str]:
    return [
        file
        for uri in artifact_utils.get_split_uris(artifacts, split)
        for file in sorted(fileio.glob(f"{uri}/*"))
    ]
