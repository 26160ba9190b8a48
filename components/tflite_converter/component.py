"""TFLiteConverter: the trained model as the files that ship."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.tflite_converter.executor import (
    EXAMPLES,
    MODEL,
    TRAINED_MODEL,
    TRANSFORM_GRAPH,
    Executor,
)


class TFLiteConverterSpec(ComponentSpec):
    """Inputs, outputs and settings of `TFLiteConverter`."""

    INPUTS = {  # noqa: RUF012 - the base class wants plain dictionaries
        TRAINED_MODEL: ChannelParameter(type=standard_artifacts.Model),
        TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
        EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {  # noqa: RUF012
        MODEL: ChannelParameter(type=standard_artifacts.Model),
    }
    PARAMETERS = {  # noqa: RUF012
        "config": ExecutionParameter(type=str),
        "history": ExecutionParameter(type=str),
        "model_config": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }


class TFLiteConverter(base_component.BaseComponent):
    """Converts a trained model into TFLite variants, tests and measures them.

    The output is a standard Model with a layout of its own, see `layout`: the Evaluator finds the
    gated variant in it, and the pusher all the others.
    """

    SPEC_CLASS = TFLiteConverterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: channel.BaseChannel,
        transform_graph: channel.BaseChannel,
        examples: channel.BaseChannel,
        config: str,
        history: str,
        model_config: str,
        source_hash: str,
    ) -> None:
        """Builds the node.

        Args:
            model: The Trainer's `Model`.
            transform_graph: The `TransformGraph` with its vocabulary.
            examples: Transformed `Examples`; the split `eval` is what variants are measured on.
            config: `ConversionConfig` as JSON.
            history: `HistoryConfig` as JSON.
            model_config: `ModelConfig` as JSON.
            source_hash: Hash of the code, for the cache key.
        """
        super().__init__(
            spec=TFLiteConverterSpec(
                # Names must differ; the plain one goes to the output, which others ask for.
                trained_model=model,
                transform_graph=transform_graph,
                examples=examples,
                model=channel.Channel(type=standard_artifacts.Model),
                config=config,
                history=history,
                model_config=model_config,
                source_hash=source_hash,
            )
        )
