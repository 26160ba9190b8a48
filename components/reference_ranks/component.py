"""ReferenceRanks: how the recommenders that the gate compares with rank the test targets."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.reference_ranks.executor import (
    BLESSED,
    CANDIDATE,
    EXAMPLES,
    TIMELINES,
    TRANSFORM_GRAPH,
    WINDOWS,
    Executor,
)


class ReferenceRanksSpec(ComponentSpec):
    """Inputs, outputs and settings of `ReferenceRanks`."""

    INPUTS = {  # noqa: RUF012 - the base class wants plain dictionaries
        WINDOWS: ChannelParameter(type=standard_artifacts.Examples),
        TIMELINES: ChannelParameter(type=standard_artifacts.Examples),
        CANDIDATE: ChannelParameter(type=standard_artifacts.Model),
        TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
        BLESSED: ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
    }
    PARAMETERS = {  # noqa: RUF012
        "config": ExecutionParameter(type=str),
        "variants": ExecutionParameter(type=str),
        "source_hash": ExecutionParameter(type=str),
    }


class ReferenceRanks(base_component.BaseComponent):
    """Adds to every test window the rank of its target under each reference recommender.

    TFMA evaluates one candidate and at most one baseline, both TFLite with the same features. The
    gate compares with two popularity recommenders, the float32 variant and a blessed model that may
    have another vocabulary and history, and judges all variants that would ship. So their ranks are
    computed before the Evaluator, which then compares numbers in its own windows, slices and
    thresholds.
    """

    SPEC_CLASS = ReferenceRanksSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        windows: channel.BaseChannel,
        timelines: channel.BaseChannel,
        candidate: channel.BaseChannel,
        transform_graph: channel.BaseChannel,
        blessed: channel.BaseChannel | None = None,
        config: str,
        variants: str,
        source_hash: str,
    ) -> None:
        """Builds the node.

        Args:
            windows: Transformed `Examples`; the split `test` is ranked.
            timelines: ExampleGen's `Examples`.
            candidate: The converter's `Model`.
            transform_graph: The `TransformGraph` with the vocabulary of the windows.
            blessed: The `Model` blessed last, or the champion; may hold none.
            config: `GateConfig` as JSON.
            variants: Names of those judged beside the gated one and float32, a JSON list.
            source_hash: Hash of the code, for the cache key.
        """
        super().__init__(
            spec=ReferenceRanksSpec(
                windows=windows,
                timelines=timelines,
                candidate=candidate,
                transform_graph=transform_graph,
                blessed=blessed,
                examples=channel.Channel(type=standard_artifacts.Examples),
                config=config,
                variants=variants,
                source_hash=source_hash,
            )
        )
