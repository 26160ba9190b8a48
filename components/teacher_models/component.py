"""TeacherModels: the teachers that were trained before."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.teacher_models.executor import (
    MODEL_NAME,
    MODELS,
    TRACKING_URI,
    Executor,
)
from pipeline.teachers import SETTING


class TeacherModelsSpec(ComponentSpec):
    """Output and settings of `TeacherModels`."""

    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012 - the base class wants plain dictionaries
        MODELS: ChannelParameter(type=standard_artifacts.Model),
    }
    PARAMETERS = {  # noqa: RUF012
        TRACKING_URI: ExecutionParameter(type=str),
        MODEL_NAME: ExecutionParameter(type=str),
        SETTING: ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }


class TeacherModels(base_component.BaseComponent):
    """Fetches the training weights of registered versions and of folders.

    They become one artifact, with a folder a teacher: a training has one input for however many
    teachers there are. What a teacher's name stands for may change, see `pipeline.teachers`: where
    one was not looked at before the pipeline was composed, the step must not be cached.
    """

    SPEC_CLASS = TeacherModelsSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, *, tracking_uri: str, model_name: str, teachers: str, source_hash: str
    ) -> None:
        """Builds the node.

        Args:
            tracking_uri: The model registry's.
            model_name: The registered model's.
            teachers: As `pipeline.teachers.to_json` writes them.
            source_hash: Hash of the code.
        """
        super().__init__(
            spec=TeacherModelsSpec(
                models=channel.Channel(type=standard_artifacts.Model),
                tracking_uri=tracking_uri,
                model_name=model_name,
                teachers=teachers,
                source_hash=source_hash,
            )
        )
