"""Looks at the release before the ingest asks the cache, where a backend runs such a look.

    python -m kubeflow.entrypoint ... --tfx_module kubeflow.release_driver

It stands in for TFX's module for file-based ExampleGens, which knows the newest span alone, and
tells files by size and date. Vertex AI runs it and takes span, version and fingerprint into the
cache key; open-source Kubeflow Pipelines runs none, and the executor finds the spans itself.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.components.example_gen import driver as tfx_driver
from tfx.dsl.io import fileio
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as tfx_utils
from tfx.types import artifact_utils, standard_component_specs

from components.movielens_example_gen import driver


def look(invocation: Mapping[str, Any], inputs_spec: Mapping[str, Any]) -> None:
    """Writes what an execution would read to its output file.

    Args:
        invocation: An ExecutorInput, as JSON values.
        inputs_spec: The component's input definitions.

    Raises:
        DataError: There is no release, or no such span.
    """
    executor_input = pipeline_spec_pb2.ExecutorInput()
    json_format.ParseDict(invocation, executor_input, ignore_unknown_fields=True)
    spec = pipeline_spec_pb2.ComponentInputsSpec()
    json_format.ParseDict(inputs_spec, spec, ignore_unknown_fields=True)
    properties = tfx_utils.parse_execution_properties(
        executor_input.inputs.parameter_values, executor_input.inputs.parameters, spec
    )
    names: dict[int, str] = {}
    outputs = tfx_utils.parse_raw_artifact_dict(executor_input.outputs.artifacts, names)
    examples = artifact_utils.get_single_instance(outputs[standard_component_specs.EXAMPLES_KEY])
    found = driver.look(properties).as_properties()
    tfx_driver.update_output_artifact(found, examples.mlmd_artifact)

    result = pipeline_spec_pb2.ExecutorOutput()
    for name, value in found.items():
        if isinstance(value, str):
            result.parameter_values[name].string_value = value
        elif value is not None:
            result.parameter_values[name].number_value = value
    result.artifacts[standard_component_specs.EXAMPLES_KEY].artifacts.add().CopyFrom(
        tfx_utils.to_runtime_artifact(examples, names)
    )
    path = executor_input.outputs.output_file
    fileio.makedirs(posixpath.dirname(path))
    with fileio.open(path, "wb") as file:
        file.write(json_format.MessageToJson(result, sort_keys=True).encode())


def main(arguments: Sequence[str]) -> None:
    """Looks, told as TFX's own module is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", default="{}")
    # Beam's arguments come along.
    known, _ = parser.parse_known_args(arguments)
    look(
        json.loads(known.json_serialized_invocation_args),
        json.loads(known.json_serialized_inputs_spec_args),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
