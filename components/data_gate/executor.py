"""Reads statistics, anomalies and schema, and raises where they speak against training."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from components.data_gate.checks import Problem, find_problems
from components.data_gate.drift import Drift, measure
from modules import features
from pipeline.config.spans import DriftConfig
from pipeline.errors import GateError

STATISTICS = "statistics"
ANOMALIES = "anomalies"
SCHEMA = "schema"
REPORT = "report"
REPORT_FILE = "data_gate.json"
DRIFT = "drift"
NOT_COMPARED = "not compared: the data set has no two spans"


class Executor(base_executor.BaseExecutor):
    """Executor of `DataGate`."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Checks the splits and writes `data_gate.json` where all is well.

        Raises:
            GateError: Training must not go on; names splits, features, reasons and ways out.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        statistics = _read_statistics(artifact_utils.get_single_instance(input_dict[STATISTICS]))
        problems = find_problems(
            statistics,
            _read_anomalies(artifact_utils.get_single_instance(input_dict[ANOMALIES])),
            _read_schema(artifact_utils.get_single_uri(input_dict[SCHEMA])),
        )
        drift = _drift(statistics, DriftConfig.model_validate_json(exec_properties[DRIFT]))
        if drift is not None:
            problems += drift.problems()
        told = NOT_COMPARED if drift is None else str(drift)
        logging.info("drift: %s", told)
        if problems:
            raise GateError(_message(problems))
        report = artifact_utils.get_single_instance(output_dict[REPORT])
        report.split_names = artifact_utils.encode_split_names(sorted(statistics))
        report.set_string_custom_property(DRIFT, told)
        _write_report(f"{report.uri}/{REPORT_FILE}", statistics, drift)


def _drift(
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatistics], limits: DriftConfig
) -> Drift | None:
    """Compares the newest span with the one before; None where there are no two."""
    if features.SPLIT_SPAN_NEWEST not in statistics:
        return None
    return measure(
        statistics[features.SPLIT_SPAN_NEWEST], statistics[features.SPLIT_SPAN_BEFORE], limits
    )


def _message(problems: list[Problem]) -> str:
    lines = "\n".join(f"  {problem}" for problem in problems)
    return f"the data gate stopped the run before training, {len(problems)} problem(s):\n{lines}"


def _read_statistics(artifact: Artifact) -> dict[str, statistics_pb2.DatasetFeatureStatistics]:
    """Returns statistics by split; a split without any data set is left out."""
    statistics = {}
    for split in artifact_utils.decode_split_names(artifact.split_names):
        datasets = stats_artifact_utils.load_statistics(artifact, split).proto().datasets
        # StatisticsGen runs without slices, so the only data set is the one over all examples.
        if datasets:
            statistics[split] = datasets[0]
    return statistics


def _read_anomalies(artifact: Artifact) -> dict[str, anomalies_pb2.Anomalies]:
    anomalies = {}
    for split in artifact_utils.decode_split_names(artifact.split_names):
        path = f"{artifact_utils.get_split_uri([artifact], split)}/{DEFAULT_FILE_NAME}"
        with fileio.open(path, "rb") as file:
            anomalies[split] = anomalies_pb2.Anomalies.FromString(file.read())
    return anomalies


def _read_schema(uri: str) -> schema_pb2.Schema:
    with fileio.open(io_utils.get_only_uri_in_dir(uri), "rb") as file:
        return text_format.Parse(file.read(), schema_pb2.Schema())


def _write_report(
    path: str,
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatistics],
    drift: Drift | None,
) -> None:
    content = {
        "verdict": "passed",
        "examples": {split: int(found.num_examples) for split, found in sorted(statistics.items())},
        DRIFT: NOT_COMPARED if drift is None else drift.to_json(),
    }
    # Half-written it is never read: the artifact counts once this execution is published.
    with fileio.open(path, "w") as file:
        file.write(json.dumps(content, indent=2) + "\n")
