"""ChampionModel: the model that ships now, from the registry."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.champion_model.executor import (
    MODEL,
    MODEL_NAME,
    TRACKING_URI,
    WITH_TRAINING,
    Executor,
)


class ChampionModelSpec(ComponentSpec):
    """Output and settings of `ChampionModel`."""

    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012 - the base class wants plain dictionaries
        MODEL: ChannelParameter(type=standard_artifacts.Model),
    }
    PARAMETERS = {  # noqa: RUF012
        TRACKING_URI: ExecutionParameter(type=str),
        MODEL_NAME: ExecutionParameter(type=str),
        WITH_TRAINING: ExecutionParameter(type=int),
        "source_hash": ExecutionParameter(type=str),
    }


class ChampionModel(base_component.BaseComponent):
    """Fetches the champion out of the model registry.

    It stands in for the search for the latest blessed model where a backend cannot search its
    metadata: open-source Kubeflow Pipelines refuses pipelines with resolvers. What it finds changes
    without its inputs, so it must not be cached.
    """

    SPEC_CLASS = ChampionModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, *, tracking_uri: str, model_name: str, source_hash: str, with_training: bool = False
    ) -> None:
        """Builds the node.

        Args:
            tracking_uri: The model registry's.
            model_name: The registered model's.
            source_hash: Hash of the code.
            with_training: Whether a training is to begin with it.
        """
        super().__init__(
            spec=ChampionModelSpec(
                model=channel.Channel(type=standard_artifacts.Model),
                tracking_uri=tracking_uri,
                model_name=model_name,
                source_hash=source_hash,
                with_training=int(with_training),
            )
        )
