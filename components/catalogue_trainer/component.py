"""CatalogueTrainer: TFX's Trainer, whose `run_fn` may also read the catalogue of movies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import channel, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter
from tfx.utils import json_utils

from components.catalogue_trainer.executor import BASE_MODEL, CATALOGUE, TEACHERS, Executor


class CatalogueTrainerSpec(standard_component_specs.TrainerSpec):
    """What TFX's Trainer has; raw examples whose split `catalogue` lists movies; models before."""

    INPUTS = {  # noqa: RUF012 - the base class wants plain dictionaries
        **standard_component_specs.TrainerSpec.INPUTS,
        CATALOGUE: ChannelParameter(type=standard_artifacts.Examples, optional=True),
        BASE_MODEL: ChannelParameter(type=standard_artifacts.Model, optional=True),
        TEACHERS: ChannelParameter(type=standard_artifacts.Model, optional=True),
    }


class CatalogueTrainer(base_component.BaseComponent):
    """Trains as TFX's Trainer does; the Trainer itself has no channel for a catalogue.

    Its own constructor makes the Trainer's spec, so that a subclass could not bring another one.
    What runs is TFX's executor, see `executor.Executor`.
    """

    SPEC_CLASS = CatalogueTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        run_fn: str,
        examples: channel.BaseChannel,
        transform_graph: channel.BaseChannel,
        schema: channel.BaseChannel,
        train_args: trainer_pb2.TrainArgs,
        eval_args: trainer_pb2.EvalArgs,
        custom_config: Mapping[str, Any],
        catalogue: channel.BaseChannel | None = None,
        hyperparameters: channel.BaseChannel | None = None,
        base_model: channel.BaseChannel | None = None,
        teachers: channel.BaseChannel | None = None,
    ) -> None:
        """Builds the node.

        Args:
            run_fn: Dotted path of the training function.
            examples: Transformed `Examples`.
            transform_graph: Transform's `TransformGraph`.
            schema: The `Schema` of the timelines.
            train_args: Splits to train on.
            eval_args: Splits to evaluate on.
            custom_config: Reaches `run_fn` as `fn_args.custom_config`; values that JSON can hold.
            catalogue: Ingestion's `Examples`; `run_fn` gets the folder of the split `catalogue`
                as `fn_args.custom_config["catalogue"]`, and its property `span`, where it has one,
                as `["span"]`. None: it gets no such keys.
            hyperparameters: A Tuner's `HyperParameters`, as TFX's Trainer takes them.
            base_model: A converted `Model` to begin with; `run_fn` gets its folder as
                `fn_args.custom_config["base_model"]`. None, or an empty channel: no such key.
            teachers: The `Model` of `TeacherModels`; likewise as
                `fn_args.custom_config["teachers"]`. None: no such key.
        """
        super().__init__(
            spec=CatalogueTrainerSpec(
                run_fn=run_fn,
                examples=examples,
                transform_graph=transform_graph,
                schema=schema,
                train_args=train_args,
                eval_args=eval_args,
                custom_config=json_utils.dumps(dict(custom_config)),
                catalogue=catalogue,
                hyperparameters=hyperparameters,
                base_model=base_model,
                teachers=teachers,
                model=channel.Channel(type=standard_artifacts.Model),
                model_run=channel.Channel(type=standard_artifacts.ModelRun),
            )
        )
