"""The pipeline: one `create_pipeline()` for every runner."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Literal

from tfx import v1 as tfx

from components.catalogue_trainer.component import CatalogueTrainer
from components.champion_model.component import ChampionModel
from components.reference_ranks.component import ReferenceRanks
from components.registry_pusher.component import RegistryPusher
from components.teacher_models.component import TeacherModels
from components.tflite_converter.component import TFLiteConverter
from modules import features
from modules.evaluation import eval_config
from modules.evaluation.resolver import blessed_model_resolver
from modules.source_hash import source_hash
from modules.trainer_settings import trainer_settings
from modules.training.resolver import base_model_resolver
from pipeline import teachers
from pipeline.config.root import Config
from pipeline.config.variants import further_variants
from pipeline.data_steps import DataSteps, data_steps

RUN_FN = "modules.trainer.run_fn"
TUNER_FN = "modules.tuner.tuner_fn"
EVALUATION_MODULE = "modules.evaluation.extractors"

ModelToBeat = Literal["other_blessed", "latest_blessed", "champion"]
"""Where a pipeline finds the model that its candidate must not fall behind.

`other_blessed`: the model that was blessed last, leaving out the candidate, so that an identical
second run is cached whole; LocalDagRunner alone can search its metadata so. `latest_blessed`: TFX's
own search, which Vertex AI knows. `champion`: a step that asks the model registry, for open-source
Kubeflow Pipelines, which knows no search.
"""


@dataclasses.dataclass(frozen=True)
class Locations:
    """Where a pipeline reads and writes; local paths or object storage URIs.

    Attributes:
        input_base: Folder or zip of a MovieLens release, or a pattern of these, one a span.
        pipeline_root: Where artifacts are written.
        schema_file: The curated schema, a text proto.
        checkpoint_root: Where training checkpoints survive a killed run.
        tracking_uri: The model registry: MLflow server or database, or `vertex://PROJECT/REGION`.
        registry_artifacts: Where a new registry keeps the bundles.
        container_image: Registered with the bundles on Vertex AI; "" where there is none.
    """

    input_base: str
    pipeline_root: str
    schema_file: str
    checkpoint_root: str
    tracking_uri: str
    registry_artifacts: str
    container_image: str = ""


def create_pipeline(
    config: Config,
    *,
    name: str,
    locations: Locations,
    model_to_beat: ModelToBeat = "other_blessed",
    given_teachers: Sequence[teachers.TeacherSource] | None = None,
    metadata_connection_config: Any | None = None,
) -> tfx.dsl.Pipeline:
    """Wires the stages from a MovieLens release to a version in the model registry.

    Args:
        config: All settings.
        name: The pipeline's name; models are compared with blessed ones of the same name.
        locations: Where to read and write.
        model_to_beat: How the model to compare with is found.
        given_teachers: The teachers that were trained before, as `teachers.pinned` returns them;
            None where nobody has looked at them.
        metadata_connection_config: ML Metadata's database, for runners that need it.
    """
    data = data_steps(config, input_base=locations.input_base, schema_file=locations.schema_file)
    example_gen, transform = data.example_gen, data.transform

    tuners = [_tuner(config, data)] if config.tuner.enabled else []
    bases = (
        []
        if config.training.warm_start is None
        else [_model_to_begin_with(model_to_beat, config, locations, data)]
    )
    taught_by = _teachers(config, locations, given_teachers)
    trainer = CatalogueTrainer(
        run_fn=RUN_FN,
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=data.schema_importer.outputs["schema"],
        train_args=tfx.proto.TrainArgs(splits=[features.SPLIT_TRAIN]),
        eval_args=tfx.proto.EvalArgs(splits=[features.SPLIT_EVAL]),
        custom_config=trainer_settings(config, locations.checkpoint_root),
        catalogue=example_gen.outputs["examples"],
        hyperparameters=tuners[0].outputs["best_hyperparameters"] if tuners else None,
        base_model=bases[0].outputs["model"] if bases else None,
        teachers=taught_by[0].outputs["models"] if taught_by else None,
    ).with_id("trainer")

    converter = TFLiteConverter(
        model=trainer.outputs["model"],
        transform_graph=transform.outputs["transform_graph"],
        examples=transform.outputs["transformed_examples"],
        config=config.conversion.model_dump_json(),
        history=config.history.model_dump_json(),
        model_config=config.model.model_dump_json(),
        source_hash=source_hash(
            "components.tflite_converter",
            "modules.evaluation.litert",
            "modules.evaluation.ranking",
            "modules.serving_inputs",
            "modules.training.hyperparameters",
            "modules.training.input",
            "modules.training.warm_start",
            "modules.user_attributes",
            "modules.vocabulary",
        ),
    ).with_id("tflite_converter")

    to_beat = _model_to_beat(model_to_beat, config, locations, converter)
    judged = further_variants(config)
    evaluation_hash = source_hash(
        "modules.evaluation",
        "modules.serving_inputs",
        "components.champion_model.layout",
        "components.reference_ranks",
        "modules.user_attributes",
        "modules.vocabulary",
    )
    reference_ranks = ReferenceRanks(
        windows=transform.outputs["transformed_examples"],
        timelines=example_gen.outputs["examples"],
        candidate=converter.outputs["model"],
        transform_graph=transform.outputs["transform_graph"],
        blessed=to_beat[0].outputs["model"] if to_beat else None,
        config=config.gate.model_dump_json(),
        variants=json.dumps(judged),
        source_hash=evaluation_hash,
    ).with_id("reference_ranks")
    evaluator = tfx.components.Evaluator(
        examples=reference_ranks.outputs["examples"],
        model=converter.outputs["model"],
        eval_config=eval_config.build(config.gate, variants=judged, source_hash=evaluation_hash),
        example_splits=[features.SPLIT_TEST],
        module_path=EVALUATION_MODULE,
    ).with_id("evaluator")

    pusher = RegistryPusher(
        model=converter.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        config=config.registry.model_dump_json(),
        tracking_uri=locations.tracking_uri,
        artifact_root=locations.registry_artifacts,
        container_image=locations.container_image,
        dataset=config.dataset,
        # What a cluster is asked for makes no other model, nor do the limits of drift; and what the
        # newest span was stands on the examples.
        pipeline_config=config.model_dump_json(
            exclude={"deployment": True, "data": {"drift": True, "spans": {"newest": True}}}
        ),
        source_hash=source_hash(
            "components.registry_pusher",
            "modules.catalogue",
            "modules.evaluation.metric_names",
            "modules.serving_inputs",
            "modules.user_attributes",
        ),
    ).with_id("registry_pusher")

    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=locations.pipeline_root,
        components=[
            *data.nodes,
            *tuners,
            *bases,
            *taught_by,
            trainer,
            converter,
            *to_beat,
            reference_ranks,
            evaluator,
            pusher,
        ],
        enable_cache=config.runtime.cache,
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(config.runtime.beam_args),
    )


def _model_to_begin_with(
    found: ModelToBeat, config: Config, locations: Locations, data: DataSteps
) -> Any:
    if found == "champion":
        node = _champion(config, locations, with_training=True)
    else:
        node = base_model_resolver(
            data.example_gen.outputs["examples"], local=found == "other_blessed"
        )
    return node.with_id("warm_start_model")


def _teachers(
    config: Config, locations: Locations, given: Sequence[teachers.TeacherSource] | None
) -> list[TeacherModels]:
    """Returns the node that fetches the teachers that were trained before, or none."""
    found = teachers.sources(config.training) if given is None else tuple(given)
    if not found:
        return []
    node = TeacherModels(
        tracking_uri=locations.tracking_uri,
        model_name=config.registry.model_name,
        teachers=teachers.to_json(found),
        source_hash=source_hash("components.teacher_models", "pipeline.registry.training"),
    )
    return [node.with_id(teachers.STEP)]


def _champion(config: Config, locations: Locations, *, with_training: bool) -> ChampionModel:
    return ChampionModel(
        tracking_uri=locations.tracking_uri,
        model_name=config.registry.model_name,
        with_training=with_training,
        source_hash=source_hash("components.champion_model", "components.tflite_converter.layout"),
    )


def _model_to_beat(
    found: ModelToBeat, config: Config, locations: Locations, converter: TFLiteConverter
) -> list[Any]:
    """Returns the node that finds the model to compare with, or none."""
    if found == "champion":
        # Who ignores a champion that cannot be read must not stop at reading it.
        if config.gate.ignore_blessed:
            return []
        champion = _champion(config, locations, with_training=False).with_id("champion_model")
        # Training takes hours, in which another model may become champion.
        champion.add_upstream_node(converter)
        return [champion]
    resolver = blessed_model_resolver(converter.outputs["model"], local=found == "other_blessed")
    return [resolver.with_id("latest_blessed_model")]


def _tuner(config: Config, data: DataSteps) -> tfx.components.Tuner:
    return tfx.components.Tuner(
        tuner_fn=TUNER_FN,
        examples=data.transform.outputs["transformed_examples"],
        transform_graph=data.transform.outputs["transform_graph"],
        schema=data.schema_importer.outputs["schema"],
        train_args=tfx.proto.TrainArgs(splits=[features.SPLIT_TRAIN]),
        eval_args=tfx.proto.EvalArgs(splits=[features.SPLIT_EVAL]),
        custom_config={
            "tuner": config.tuner.model_dump_json(),
            "model": config.model.model_dump_json(),
            "training": config.training.model_dump_json(),
            "history": config.history.model_dump_json(),
            "seed": config.seed,
            "source_hash": source_hash(
                "modules.models",
                "modules.training",
                "modules.trainer",
                "modules.tuner",
                "modules.user_attributes",
                "modules.vocabulary",
            ),
        },
    ).with_id("tuner")
