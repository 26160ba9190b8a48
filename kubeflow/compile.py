"""Compiles the pipeline into a Kubeflow Pipelines v2 spec."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import yaml
from tfx import v1 as tfx

from kubeflow import caching, pods, resources, validate
from kubeflow.entrypoint import MODULE_FLAG, OUTPUTS_FLAG
from kubeflow.runtime_parameters import (
    PARAMETERS,
    RuntimeParameter,
    add,
    containers_of,
    places_of,
)
from kubeflow.targets import CHECKPOINT_ROOT, Settings, Target
from pipeline import beam_options
from pipeline.config.root import Config, set_key, validated
from pipeline.errors import ConfigError
from pipeline.pipeline import Locations, create_pipeline
from pipeline.text_file import write_text

RELEASE_DRIVER = "kubeflow.release_driver"
"""Runs in place of TFX's driver of file-based ExampleGens, on backends that run one."""
_TFX_DRIVER = "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver"

ENTRYPOINT = ("python", "-m", "kubeflow.entrypoint")
"""What every container runs, with the arguments of TFX's own module for it."""

# Settings that a deployment replaces by addresses of its own.
_ADDRESSES = {"dataset": "input_base", "registry.tracking_uri": "tracking_uri"}

_YAML_SUFFIXES = (".yaml", ".yml")


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A compiled pipeline.

    Attributes:
        spec: The PipelineSpec, as JSON values.
        job: The PipelineJob around it, which also says where the run writes.
        platform: The PlatformSpec: secrets and volumes on Kubernetes; empty without any.
        resolver_tasks: Tasks that the backend has to resolve from its metadata.
    """

    spec: dict[str, Any]
    job: dict[str, Any]
    platform: dict[str, Any]
    resolver_tasks: tuple[str, ...]


def compile_pipeline(config: Config, target: Target, settings: Settings) -> Compiled:
    """Compiles `create_pipeline()` and validates the outcome.

    Args:
        config: All settings of the pipeline.
        target: The backend.
        settings: Where on it the pipeline will run.

    Raises:
        ConfigError: Resources are configured for a step that is not there, or an option of Beam is
            none.
        InvalidSpecError: The outcome breaks the schema, which is a defect of the pipeline.
    """
    beam_options.check(config.runtime.beam_args, ask_job_server=False)
    job = _job(config, settings, target)
    spec = job["pipelineSpec"]
    compiled = _constants(spec)
    for parameter in PARAMETERS:
        default = _current(config, settings, parameter)
        value, other_config, other_settings = _varied(config, settings, parameter, default)
        other = _job(other_config, other_settings, target)
        places = places_of(parameter, value, compiled, _constants(other["pipelineSpec"]))
        add(spec, parameter, default, places)
    _enter(spec)
    if target == "kubeflow":
        caching.keep_fresh(spec, module_flag=MODULE_FLAG, outputs_flag=OUTPUTS_FLAG)
    caching.keep_teachers_fresh(spec)
    resources.apply(spec, config.deployment)
    pods.add_environment(spec, config.deployment, target, settings.pipeline_root)
    platform = (
        pods.platform_spec(spec, config.deployment, settings.pipeline_root)
        if target == "kubeflow"
        else {}
    )
    # A spec travels without its job too: the run's root then has to be in the spec itself.
    spec["defaultPipelineRoot"] = settings.pipeline_root
    validate.parse_job(job)
    proto = validate.parse(spec)
    validate.parse_platform(platform, proto)
    return Compiled(spec, job, platform, tuple(validate.resolver_tasks(proto)))


def _job(config: Config, settings: Settings, target: Target) -> dict[str, Any]:
    """Compiles one PipelineJob, all of whose settings are constants."""
    pipeline = create_pipeline(
        config,
        name=settings.name,
        locations=Locations(
            input_base=settings.input_base,
            pipeline_root=settings.pipeline_root,
            schema_file=settings.schema_file,
            checkpoint_root=CHECKPOINT_ROOT,
            tracking_uri=settings.tracking_uri,
            registry_artifacts=settings.registry_artifacts,
            container_image=config.registry.container_image or settings.image,
        ),
        model_to_beat="champion" if target == "kubeflow" else "latest_blessed",
    )
    runner = tfx.orchestration.experimental.KubeflowV2DagRunner(
        config=tfx.orchestration.experimental.KubeflowV2DagRunnerConfig(
            default_image=settings.image,
            # The older spec cannot be written as YAML.
            use_pipeline_spec_2_1=True,
        )
    )
    job: dict[str, Any] = runner.run(pipeline, write_out=False)
    if target == "kubeflow":
        _hyphenate(job["pipelineSpec"])
    return job


def _enter(spec: dict[str, Any]) -> None:
    """Leads every container through `kubeflow.entrypoint`, and tells it what TFX is not told."""
    for component in spec["components"].values():
        executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
        for container in containers_of(executor):
            *_, module = container["command"]
            if module == _TFX_DRIVER:
                module = RELEASE_DRIVER
            container["command"] = list(ENTRYPOINT)
            outputs = component.get("outputDefinitions", {})
            container["args"] += [
                MODULE_FLAG,
                module,
                OUTPUTS_FLAG,
                json.dumps(outputs, sort_keys=True),
            ]


def _current(config: Config, settings: Settings, parameter: RuntimeParameter) -> Any:
    """Returns a parameter's value as compiled."""
    if parameter.key in _ADDRESSES:
        return getattr(settings, _ADDRESSES[parameter.key])
    value: Any = config
    for key in parameter.key.split("."):
        value = getattr(value, key)
    return value


def _varied(
    config: Config, settings: Settings, parameter: RuntimeParameter, default: Any
) -> tuple[Any, Config, Settings]:
    """Returns another value of a parameter, and the same deployment with it.

    Raises:
        ValueError: No other value goes with the rest of the configuration.
    """
    for value in parameter.others(default):
        tree = config.model_dump()
        set_key(tree, parameter.key.split("."), value, parameter.name)
        try:
            varied = validated(Config, tree, parameter.name)
        except ConfigError:
            continue
        if varied == config:
            continue
        if parameter.key in _ADDRESSES:
            settings = dataclasses.replace(settings, **{_ADDRESSES[parameter.key]: value})
        return value, varied, settings
    raise ValueError(f"{parameter.key} cannot be a runtime parameter: it can be {default!r} alone")


def _constants(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the execution properties of every task."""
    return {
        name: {
            key: given["runtimeValue"]["constant"]
            for key, given in task.get("inputs", {}).get("parameters", {}).items()
        }
        for name, task in spec["root"]["dag"]["tasks"].items()
    }


def write(compiled: Compiled, target: Target, path: Path) -> None:
    """Writes the file that a target takes.

    Kubeflow Pipelines takes the PipelineSpec and, as a second YAML document, the PlatformSpec; JSON
    has room for the first alone. Vertex AI takes the PipelineJob as JSON, or the PipelineSpec as
    YAML.

    Args:
        compiled: What to write; equal pipelines give equal bytes.
        target: The backend.
        path: The file; its suffix chooses YAML or JSON.

    Raises:
        ConfigError: The pipeline has a PlatformSpec, and the file is to be JSON.
    """
    if path.suffix in _YAML_SUFFIXES:
        documents = [compiled.spec, *([compiled.platform] if compiled.platform else [])]
        text = yaml.safe_dump_all(documents, sort_keys=True)
    elif compiled.platform:
        raise ConfigError(
            f"--output {path}: the steps' secrets and volumes are a second YAML document; "
            "give a file that ends in .yaml"
        )
    else:
        tree = compiled.job if target == "vertex" else compiled.spec
        text = json.dumps(tree, sort_keys=True, indent=1) + "\n"
    write_text(path, text)


def _hyphenate(spec: dict[str, Any]) -> None:
    """Names tasks and components as Kubernetes wants names: without underscores."""
    spec["components"] = {_name(key): value for key, value in spec["components"].items()}
    dag = spec["root"]["dag"]
    dag["tasks"] = {_name(key): value for key, value in dag["tasks"].items()}
    for task in dag["tasks"].values():
        task["taskInfo"]["name"] = _name(task["taskInfo"]["name"])
        task["componentRef"]["name"] = _name(task["componentRef"]["name"])
        if "dependentTasks" in task:
            task["dependentTasks"] = [_name(upstream) for upstream in task["dependentTasks"]]
        for artifact in task.get("inputs", {}).get("artifacts", {}).values():
            source = artifact["taskOutputArtifact"]
            source["producerTask"] = _name(source["producerTask"])


def _name(node_id: str) -> str:
    return node_id.replace("_", "-")
