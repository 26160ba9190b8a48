"""Finds the model that the candidate has to compare with: the latest blessed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ml_metadata as mlmd
from tfx import v1 as tfx
from tfx.components.evaluator import constants as evaluator_constants
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact

MODEL = "model"
MODEL_BLESSING = "model_blessing"
CANDIDATE = "candidate"


class LatestOtherBlessedStrategy(ResolverStrategy):
    """The model that was blessed last, leaving out the candidate.

    TFX's own strategy does not leave it out. In a second, identical run it would find the candidate
    of the first, so the run would compare the model with itself, and nothing after the resolver
    could come from the cache. Leaving out nothing but the candidate keeps an older model, come back
    through the cache, from passing without a comparison with what was blessed since.

    The Trainer's models are of the same artifact type; they drop out as no blessing points at them.
    """

    def resolve_artifacts(
        self,
        store: mlmd.MetadataStore,  # noqa: ARG002
        input_dict: dict[str, list[Artifact]],
    ) -> dict[str, list[Artifact]]:
        """Picks from all models of the pipeline.

        Args:
            store: Not needed, the inputs hold everything.
            input_dict: `model` and `model_blessing`, all of the pipeline's; `candidate`, this run's
                model.

        Returns:
            `model` and `model_blessing` with one artifact each, or none; `candidate` as it was.

        Raises:
            ValueError: There is not exactly one candidate.
        """
        candidates = input_dict[CANDIDATE]
        if len(candidates) != 1:
            raise ValueError(f"expected one candidate model, got {len(candidates)}")
        models = {model.id: model for model in input_dict[MODEL] if model.id != candidates[0].id}
        return {**latest_blessed(models, input_dict[MODEL_BLESSING]), CANDIDATE: candidates}


def latest_blessed(
    models: Mapping[int, Artifact], blessings: Sequence[Artifact]
) -> dict[str, list[Artifact]]:
    """Returns the model that was blessed last, and its blessing, by `model` and `model_blessing`.

    Args:
        models: To choose from, by id.
        blessings: All of the pipeline's, of other models too.

    Returns:
        One of each, or none.
    """
    for blessing in sorted(blessings, key=lambda a: a.id, reverse=True):
        is_blessed = (
            blessing.get_int_custom_property(evaluator_constants.ARTIFACT_PROPERTY_BLESSED_KEY)
            == evaluator_constants.BLESSED_VALUE
        )
        model_id = blessing.get_int_custom_property(
            evaluator_constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
        )
        if is_blessed and model_id in models:
            return {MODEL: [models[model_id]], MODEL_BLESSING: [blessing]}
    return {MODEL: [], MODEL_BLESSING: []}


def blessed_model_resolver(candidate: Any, *, local: bool = True) -> tfx.dsl.Resolver:
    """Returns the Resolver node; its output `model` may be empty.

    Args:
        candidate: The converter's output channel.
        local: Whether LocalDagRunner runs it. Kubeflow Pipelines knows TFX's own strategies alone;
            there the resolver runs before the candidate has a blessing, and a repeated run is
            evaluated again.
    """
    if local:
        return tfx.dsl.Resolver(
            strategy_class=LatestOtherBlessedStrategy,
            model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
            model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
            candidate=candidate,
        )
    return tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    )
