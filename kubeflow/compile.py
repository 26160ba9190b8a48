"""Compiles the pipeline into a Kubeflow Pipelines v2 spec."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import yaml
from tfx import v1 as tfx

from kubeflow import validate
from kubeflow.targets import CHECKPOINT_ROOT, Settings, Target
from pipeline.config.root import Config
from pipeline.pipeline import Locations, create_pipeline
from pipeline.text_file import write_text

_YAML_SUFFIXES = (".yaml", ".yml")


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A compiled pipeline.

    Attributes:
        spec: The PipelineSpec, as JSON values.
        job: The PipelineJob around it, which also says where the run writes.
        resolver_tasks: Tasks that the backend has to resolve from its metadata.
    """

    spec: dict[str, Any]
    job: dict[str, Any]
    resolver_tasks: tuple[str, ...]


def compile_pipeline(config: Config, target: Target, settings: Settings) -> Compiled:
    """Compiles `create_pipeline()` and validates the outcome.

    Args:
        config: All settings of the pipeline.
        target: The backend.
        settings: Where on it the pipeline will run.

    Raises:
        InvalidSpecError: The outcome breaks the schema, which is a defect of the pipeline.
    """
    pipeline = create_pipeline(
        config,
        name=settings.name,
        locations=Locations(
            input_base=settings.input_base,
            pipeline_root=settings.pipeline_root,
            schema_file=settings.schema_file,
            checkpoint_root=CHECKPOINT_ROOT,
            tracking_uri=settings.tracking_uri,
            registry_artifacts=f"{settings.pipeline_root}/registry",
        ),
        local_resolver=False,
    )
    runner = tfx.orchestration.experimental.KubeflowV2DagRunner(
        config=tfx.orchestration.experimental.KubeflowV2DagRunnerConfig(
            default_image=settings.image,
            # The older spec cannot be written as YAML.
            use_pipeline_spec_2_1=True,
        )
    )
    job = runner.run(pipeline, write_out=False)
    if target == "kubeflow":
        _hyphenate(job["pipelineSpec"])
    # A spec travels without its job too: the run's root then has to be in the spec itself.
    job["pipelineSpec"]["defaultPipelineRoot"] = settings.pipeline_root
    validate.parse_job(job)
    proto = validate.parse(job["pipelineSpec"])
    return Compiled(job["pipelineSpec"], job, tuple(validate.resolver_tasks(proto)))


def write(compiled: Compiled, target: Target, path: Path) -> None:
    """Writes the file that a target takes.

    Kubeflow Pipelines takes the PipelineSpec, as YAML, of which JSON is a part. Vertex AI takes the
    PipelineJob as JSON, or the PipelineSpec as YAML.

    Args:
        compiled: What to write; equal pipelines give equal bytes.
        target: The backend.
        path: The file; its suffix chooses YAML or JSON.
    """
    if path.suffix in _YAML_SUFFIXES:
        text = yaml.safe_dump(compiled.spec, sort_keys=True)
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
