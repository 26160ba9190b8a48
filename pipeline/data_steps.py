"""The steps from a MovieLens release to windows: the first half of every pipeline."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfx import v1 as tfx

from components.data_gate.component import DataGate
from components.movielens_example_gen.component import MovieLensExampleGen
from modules import features
from modules.source_hash import source_hash
from pipeline.config.root import Config

PREPROCESSING_FN = "modules.preprocessing.preprocessing_fn"


@dataclasses.dataclass(frozen=True)
class DataSteps:
    """The nodes that others read from, and all nodes in order."""

    example_gen: Any
    schema_importer: Any
    transform: Any
    nodes: tuple[Any, ...]


def data_steps(config: Config, *, input_base: str, schema_file: str) -> DataSteps:
    """Wires ingestion, validation and Transform.

    Args:
        config: All settings.
        input_base: Folder or zip of a MovieLens release, or a pattern of these, one a span.
        schema_file: The curated schema, a text proto.
    """
    example_gen = MovieLensExampleGen(
        input_base=input_base,
        # The gate's limits of drift make no other examples.
        config=config.data.model_dump_json(exclude={"drift"}),
        source_hash=source_hash(
            "components.movielens_example_gen",
            "modules.features",
            "modules.user_attributes",
            "pipeline.config.spans",
        ),
    ).with_id("movielens_example_gen")

    not_timelines = [features.SPLIT_CATALOGUE]
    spans = [features.SPLIT_SPAN_NEWEST, features.SPLIT_SPAN_BEFORE]
    statistics_gen = tfx.components.StatisticsGen(
        examples=example_gen.outputs["examples"], exclude_splits=not_timelines
    ).with_id("statistics_gen")
    schema_importer = tfx.components.ImportSchemaGen(schema_file=schema_file).with_id(
        "schema_importer"
    )
    example_validator = tfx.components.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"],
        schema=schema_importer.outputs["schema"],
        exclude_splits=[*not_timelines, *spans],
    ).with_id("example_validator")
    data_gate = DataGate(
        statistics=statistics_gen.outputs["statistics"],
        anomalies=example_validator.outputs["anomalies"],
        schema=schema_importer.outputs["schema"],
        drift=config.data.drift.model_dump_json(),
        source_hash=source_hash(
            "components.data_gate", "modules.features", "pipeline.config.spans"
        ),
    ).with_id("data_gate")

    transform = tfx.components.Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_importer.outputs["schema"],
        preprocessing_fn=PREPROCESSING_FN,
        splits_config=tfx.proto.SplitsConfig(
            # The vocabulary must not see what is held out.
            analyze=[features.SPLIT_TRAIN],
            transform=[features.SPLIT_TRAIN, features.SPLIT_EVAL, features.SPLIT_TEST],
        ),
        # Windows are checked by the tests; their statistics would cost a pass over all of them.
        disable_statistics=True,
        custom_config={
            "history": config.history.model_dump_json(),
            "source_hash": source_hash(
                "modules.preprocessing",
                "modules.user_attributes",
                "modules.windows",
                "modules.vocabulary",
                "modules.features",
                "pipeline.config.history",
            ),
        },
    ).with_id("transform")
    # Nothing is learned from data that the gate refused.
    transform.add_upstream_node(data_gate)
    nodes = (
        example_gen,
        statistics_gen,
        schema_importer,
        example_validator,
        data_gate,
        transform,
    )
    return DataSteps(example_gen, schema_importer, transform, nodes)


def create_data_pipeline(
    config: Config,
    *,
    name: str,
    input_base: str,
    schema_file: str,
    pipeline_root: str,
    metadata_connection_config: Any,
) -> tfx.dsl.Pipeline:
    """Wires a pipeline that ends with the windows, for those who train on them many times.

    Args:
        config: All settings.
        name: The pipeline's name.
        input_base: Folder or zip of a MovieLens release.
        schema_file: The curated schema, a text proto.
        pipeline_root: Where artifacts are written.
        metadata_connection_config: ML Metadata's database.
    """
    steps = data_steps(config, input_base=input_base, schema_file=schema_file)
    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=pipeline_root,
        components=list(steps.nodes),
        enable_cache=config.runtime.cache,
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(config.runtime.beam_args),
    )
