"""Checks a compiled pipeline against Kubeflow Pipelines' own schema, and beyond it.

The schema is the protocol buffers of `kfp.pipeline_spec`; it finds unknown and mistyped fields. It
does not find a reference to a step, an output or an executor that is not there, which a backend
notices only when the run is submitted, or later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2


class InvalidSpecError(Exception):
    """A compiled pipeline that no backend would accept; lists every problem."""


def parse(spec: Mapping[str, Any]) -> Any:
    """Parses a PipelineSpec and checks it.

    Args:
        spec: The spec as JSON values.

    Returns:
        `kfp.pipeline_spec.pipeline_spec_pb2.PipelineSpec`.

    Raises:
        InvalidSpecError: A field is unknown or mistyped, or a reference leads nowhere.
    """
    proto = _parsed(spec, pipeline_spec_pb2.PipelineSpec(), "pipeline spec")
    deployment = _deployment(proto)
    # kfp's own reader of compiled pipelines: what it refuses, kfp's client cannot submit.
    try:
        components.load_component_from_text(json.dumps(spec))
    except Exception as error:
        raise InvalidSpecError(f"kfp cannot load the spec: {error}") from error
    problems = [
        *_header_problems(proto),
        *_executor_problems(proto, deployment),
        *_task_problems(proto),
    ]
    if problems:
        raise InvalidSpecError("\n".join(problems))
    return proto


def parse_job(job: Mapping[str, Any]) -> Any:
    """Parses a PipelineJob, the envelope that Vertex AI takes, and checks the spec in it.

    Raises:
        InvalidSpecError: See `parse`.
    """
    proto = _parsed(job, pipeline_spec_pb2.PipelineJob(), "pipeline job")
    parse(json_format.MessageToDict(proto.pipeline_spec))
    if not proto.runtime_config.gcs_output_directory:
        raise InvalidSpecError("runtimeConfig.gcsOutputDirectory is empty")
    return proto


def parse_platform(platform: Mapping[str, Any], spec: Any) -> None:
    """Checks a PlatformSpec, which says what Kubernetes adds to the executors of a PipelineSpec.

    Args:
        platform: The spec as JSON values.
        spec: The parsed PipelineSpec.

    Raises:
        InvalidSpecError: A field is unknown, or an executor is not in the PipelineSpec.
    """
    proto = _parsed(platform, pipeline_spec_pb2.PlatformSpec(), "platform spec")
    known = set(_deployment(spec).executors)
    unknown = {
        label for single in proto.platforms.values() for label in single.deployment_spec.executors
    } - known
    if unknown:
        raise InvalidSpecError(
            f"platform spec: {', '.join(sorted(unknown))}: no executor of the pipeline"
        )


def resolver_tasks(proto: Any) -> list[str]:
    """Returns the tasks that a backend has to resolve by querying its metadata."""
    executors = _deployment(proto).executors
    return sorted(
        name
        for name, task in proto.root.dag.tasks.items()
        if executors[proto.components[task.component_ref.name].executor_label].HasField("resolver")
    )


def _parsed(tree: Mapping[str, Any], proto: Any, what: str) -> Any:
    try:
        return json_format.ParseDict(tree, proto)
    except json_format.ParseError as error:
        raise InvalidSpecError(f"{what}: {error}") from None


def _deployment(proto: Any) -> Any:
    tree = json_format.MessageToDict(proto.deployment_spec)
    return _parsed(tree, pipeline_spec_pb2.PipelineDeploymentConfig(), "deploymentSpec")


def _header_problems(proto: Any) -> Iterator[str]:
    if not proto.pipeline_info.name:
        yield "pipelineInfo.name is empty"
    if not proto.schema_version:
        yield "schemaVersion is empty"
    if not proto.root.dag.tasks:
        yield "root.dag holds no task"


def _executor_problems(proto: Any, deployment: Any) -> Iterator[str]:
    used = set()
    for name, component in sorted(proto.components.items()):
        label = component.executor_label
        used.add(label)
        if label not in deployment.executors:
            yield f"components.{name}: its executor {label!r} is not in deploymentSpec"
    for label, executor in sorted(deployment.executors.items()):
        if label not in used:
            yield f"deploymentSpec.executors.{label}: no component uses it"
        if executor.WhichOneof("spec") is None:
            yield f"deploymentSpec.executors.{label}: says not what to run"
        if executor.HasField("container"):
            if not executor.container.image:
                yield f"deploymentSpec.executors.{label}: has no image"
            if not executor.container.command:
                yield f"deploymentSpec.executors.{label}: has no command"


def _task_problems(proto: Any) -> Iterator[str]:
    tasks = proto.root.dag.tasks
    # Looking up a missing key would add it to a protocol buffer's map: ask first.
    nameless = [n for n in sorted(tasks) if tasks[n].component_ref.name not in proto.components]
    for name in nameless:
        yield f"tasks.{name}: its component {tasks[name].component_ref.name!r} does not exist"
    for name, task in sorted(tasks.items()):
        for upstream in task.dependent_tasks:
            if upstream not in tasks:
                yield f"tasks.{name}: depends on {upstream!r}, which does not exist"
        if not nameless:
            yield from _input_problems(proto, name, task)
    yield from _cycle_problems(tasks)


def _input_problems(proto: Any, name: str, task: Any) -> Iterator[str]:
    declared = proto.components[task.component_ref.name].input_definitions
    for key in sorted(set(task.inputs.parameters) - set(declared.parameters)):
        yield f"tasks.{name}: sets the parameter {key!r}, which its component does not declare"
    for key in sorted(set(declared.parameters) - set(task.inputs.parameters)):
        if not (declared.parameters[key].is_optional or _has_default(declared.parameters[key])):
            yield f"tasks.{name}: leaves out the parameter {key!r}"
    for _, given in sorted(task.inputs.parameters.items()):
        source = given.component_input_parameter
        if source and source not in proto.root.input_definitions.parameters:
            yield f"tasks.{name}: reads the runtime parameter {source!r}, which does not exist"
        output = given.task_output_parameter
        if output.producer_task and not _puts_out_parameter(proto, output):
            yield (
                f"tasks.{name}: reads the parameter {output.output_parameter_key!r} of "
                f"{output.producer_task!r}, which does not put it out"
            )
    for key, artifact in sorted(task.inputs.artifacts.items()):
        if key not in declared.artifacts:
            yield f"tasks.{name}: passes the artifact {key!r}, which its component does not declare"
            continue
        source = artifact.task_output_artifact
        producer = proto.root.dag.tasks.get(source.producer_task)
        if producer is None:
            yield f"tasks.{name}.{key}: comes from {source.producer_task!r}, which does not exist"
            continue
        outputs = proto.components[producer.component_ref.name].output_definitions.artifacts
        if source.output_artifact_key not in outputs:
            yield (
                f"tasks.{name}.{key}: {source.producer_task!r} has no output "
                f"{source.output_artifact_key!r}"
            )
            continue
        expected, given = declared.artifacts[key], outputs[source.output_artifact_key]
        if _type(expected.artifact_type) != _type(given.artifact_type):
            yield (
                f"tasks.{name}.{key}: needs {_type(expected.artifact_type)!r}, "
                f"{source.producer_task!r} puts out {_type(given.artifact_type)!r}"
            )


def _puts_out_parameter(proto: Any, output: Any) -> bool:
    tasks = proto.root.dag.tasks
    if output.producer_task not in tasks:
        return False
    producer = proto.components[tasks[output.producer_task].component_ref.name]
    return output.output_parameter_key in producer.output_definitions.parameters


def _cycle_problems(tasks: Any) -> Iterator[str]:
    waiting = {name: _upstream(task) & set(tasks) for name, task in tasks.items()}
    while ready := [name for name, upstream in waiting.items() if not upstream]:
        for name in ready:
            del waiting[name]
        for upstream in waiting.values():
            upstream.difference_update(ready)
    if waiting:
        yield f"tasks wait for each other in a circle: {', '.join(sorted(waiting))}"


def _upstream(task: Any) -> set[str]:
    artifacts = (a.task_output_artifact.producer_task for a in task.inputs.artifacts.values())
    parameters = (p.task_output_parameter.producer_task for p in task.inputs.parameters.values())
    return {*task.dependent_tasks, *artifacts, *(name for name in parameters if name)}


def _has_default(parameter: Any) -> bool:
    return bool(parameter.HasField("default_value"))


def _type(schema: Any) -> str:
    """Returns the title of an artifact's type, which TFX puts into the instance schema."""
    kind = schema.WhichOneof("kind")
    return str(getattr(schema, kind)) if kind else ""
