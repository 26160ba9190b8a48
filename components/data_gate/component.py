"""DataGate: stops a run before training where the data is not what it must be."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.data_gate.executor import ANOMALIES, REPORT, SCHEMA, STATISTICS, Executor


class DataGateSpec(ComponentSpec):
    """Inputs, outputs and settings of `DataGate`."""

    INPUTS = {  # noqa: RUF012 - the base class wants plain dictionaries
        STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        SCHEMA: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {  # noqa: RUF012
        REPORT: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }
    PARAMETERS = {  # noqa: RUF012
        "drift": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }


class DataGate(base_component.BaseComponent):
    """Fails where a split is empty, has anomalies or contradicts itself, or a new span drifted.

    Custom property `drift` of the report: how far the newest span is from the one before, or why
    nothing was compared.

    The report is there so that a passed gate is cached; what must wait for it takes the component
    as an upstream node. Its type is the closest of those that Kubeflow Pipelines knows.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        statistics: channel.BaseChannel,
        anomalies: channel.BaseChannel,
        schema: channel.BaseChannel,
        drift: str,
        source_hash: str,
    ) -> None:
        """Builds the node.

        Args:
            statistics: `ExampleStatistics` of the timelines.
            anomalies: `ExampleAnomalies` that ExampleValidator found in them.
            schema: The `Schema` that it judged by.
            drift: `DriftConfig` as JSON.
            source_hash: Hash of the gate's code, for the cache key.
        """
        super().__init__(
            spec=DataGateSpec(
                statistics=statistics,
                anomalies=anomalies,
                schema=schema,
                report=channel.Channel(type=standard_artifacts.ExampleAnomalies),
                drift=drift,
                source_hash=source_hash,
            )
        )
