"""RegistryPusher: a model that both gates bless becomes a version in the model registry."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.registry_pusher.executor import RegistryPusherExecutor


class RegistryPusherSpec(types.ComponentSpec):
    """Inputs, outputs and execution properties of `RegistryPusher`."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads a class attribute
        "config": ExecutionParameter(type=str),
        "tracking_uri": ExecutionParameter(type=str),
        "artifact_root": ExecutionParameter(type=str),
        "container_image": ExecutionParameter(type=str),
        "dataset": ExecutionParameter(type=str),
        "pipeline_config": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {  # noqa: RUF012
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
    }


class RegistryPusher(base_component.BaseComponent):
    """Builds the bundle of a blessed model and registers it; a model that is not is not pushed.

    The `pushed_model` artifact holds the bundle, and its properties say what happened: `pushed`,
    `registry_version`, `bundle_id`, or `not_pushed_reason`.
    """

    SPEC_CLASS = RegistryPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(RegistryPusherExecutor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        evaluation: types.BaseChannel,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        config: str,
        tracking_uri: str,
        artifact_root: str,
        container_image: str,
        dataset: str,
        pipeline_config: str,
        source_hash: str,
    ) -> None:
        """Constructs the component.

        Args:
            model: The converter's `Model`.
            model_blessing: The Evaluator's `ModelBlessing`.
            evaluation: The Evaluator's `ModelEvaluation`.
            examples: Ingestion's `Examples`, for the split `catalogue`.
            transform_graph: Transform's `TransformGraph`, for the vocabulary's counts.
            config: `RegistryConfig` as JSON.
            tracking_uri: MLflow server or database, or `vertex://PROJECT/REGION`. It is recorded
                with the execution: give credentials through the environment variables of MLflow
                or Google's clients.
            artifact_root: Where a new registry keeps its bundles; "" leaves it to an MLflow server.
            container_image: Registered with the bundle on Vertex AI, which wants one; else unused.
            dataset: Name or path of the release.
            pipeline_config: The whole `Config` as JSON.
            source_hash: Of the code, so that a change of it is not served from the cache.
        """
        super().__init__(
            spec=RegistryPusherSpec(
                model=model,
                model_blessing=model_blessing,
                evaluation=evaluation,
                examples=examples,
                transform_graph=transform_graph,
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
                config=config,
                tracking_uri=tracking_uri,
                artifact_root=artifact_root,
                container_image=container_image,
                dataset=dataset,
                pipeline_config=pipeline_config,
                source_hash=source_hash,
            )
        )
