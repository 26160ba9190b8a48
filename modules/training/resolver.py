"""Finds the model that a warm start begins with: the last blessed one of an earlier span."""

from __future__ import annotations

from typing import Any

import ml_metadata as mlmd
from tfx import v1 as tfx
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact

from modules.evaluation.resolver import MODEL, MODEL_BLESSING, latest_blessed
from pipeline.errors import ConfigError

EXAMPLES = "examples"
SPAN = "span"


class LatestEarlierBlessedStrategy(ResolverStrategy):
    """The model that was blessed last, of those that learned from earlier spans alone.

    Were it the last of all, each run would begin with the one before, and without a new span would
    train on and on. So a run that is repeated begins with the same model again, and is cached. A
    model that saw a later span, of a run that stopped short of it, may have learned what is held
    out now.
    """

    def resolve_artifacts(
        self,
        store: mlmd.MetadataStore,  # noqa: ARG002
        input_dict: dict[str, list[Artifact]],
    ) -> dict[str, list[Artifact]]:
        """Picks from all models of the pipeline.

        Args:
            store: Not needed, the inputs hold everything.
            input_dict: `model` and `model_blessing`, all of the pipeline's; `examples`, this run's.

        Returns:
            `model` and `model_blessing` with one artifact each, or none; `examples` as they were.

        Raises:
            ConfigError: The examples are of no span.
        """
        examples = input_dict[EXAMPLES]
        if len(examples) != 1 or not examples[0].has_custom_property(SPAN):
            raise ConfigError(
                "training.warm_start needs examples of one newest span: set dataset to a pattern "
                "of spans, as data/ratings-{SPAN}"
            )
        span = examples[0].get_int_custom_property(SPAN)
        models = {
            model.id: model
            for model in input_dict[MODEL]
            if model.has_custom_property(SPAN) and model.get_int_custom_property(SPAN) < span
        }
        return {**latest_blessed(models, input_dict[MODEL_BLESSING]), EXAMPLES: examples}


def base_model_resolver(examples: Any, *, local: bool = True) -> tfx.dsl.Resolver:
    """Returns the Resolver node; its output `model` may be empty.

    Args:
        examples: Ingestion's output channel.
        local: Whether LocalDagRunner runs it. Vertex AI knows TFX's own strategies alone, and gets
            the last blessed model of all; the Trainer turns one of a later span down.
    """
    model = tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model)
    blessing = tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing)
    if local:
        return tfx.dsl.Resolver(
            strategy_class=LatestEarlierBlessedStrategy,
            model=model,
            model_blessing=blessing,
            examples=examples,
        )
    return tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=model,
        model_blessing=blessing,
    )
