"""The TFX component that reads a MovieLens release."""

from __future__ import annotations

from tfx.components import FileBasedExampleGen
from tfx.components.example_gen import utils
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.proto import example_gen_pb2
from tfx.types import Channel, component_spec, standard_artifacts, standard_component_specs

from components.movielens_example_gen import driver, executor


class MovieLensExampleGenSpec(component_spec.ComponentSpec):
    """The properties of TFX's file-based ExampleGens, and those of the ingest."""

    PARAMETERS = {  # noqa: RUF012 - TFX's convention
        **standard_component_specs.FileBasedExampleGenSpec.PARAMETERS,
        "config": component_spec.ExecutionParameter(type=str),
        "source_hash": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = standard_component_specs.FileBasedExampleGenSpec.OUTPUTS


class MovieLensExampleGen(FileBasedExampleGen):
    """Reads any MovieLens release and writes one timeline a user and split, plus the catalogue.

    Output `examples`: Examples with the splits `train`, `eval`, `test` and `catalogue`; features as
    in `modules.features`; TFRecord files, one a bucket of users, whose bytes depend on the release
    and the settings alone. Custom properties hold what was found: `ratings_read`, `rows_skipped`
    (and `skipped_<reason>`), `ratings_kept`, `users`, `movies`, `movies_listed`, `timestamp_min`,
    `timestamp_max`, `release_format`, `encoding`, and `<split>_examples`, `_events`, `_targets`.

    Of a pattern with `{SPAN}`, all releases that match are read as one log, the oldest first, and
    `span`, `version` and `spans` say which. Where these are several, `span_newest` and
    `span_before` are two more splits, of what came in with the newest span and the one before.

    It is a `FileBasedExampleGen` because the Kubeflow compiler gives these, and no others, a driver
    that looks at the input files before it asks the cache.
    """

    SPEC_CLASS = MovieLensExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(self, input_base: str, config: str, source_hash: str) -> None:
        """Makes the component.

        Args:
            input_base: Folder or `.zip` of a release, or a pattern of such (see `spans`); local
                paths or addresses that every worker can read.
            config: A `DataConfig` as JSON.
            source_hash: Of the code behind this component, so that a change of it is no cache hit.
        """
        splits = [
            example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=1) for name in executor.SPLITS
        ]
        spec = MovieLensExampleGenSpec(
            input_base=input_base,
            input_config=utils.make_default_input_config("*"),
            output_config=example_gen_pb2.Output(
                split_config=example_gen_pb2.SplitConfig(splits=splits)
            ),
            output_data_format=example_gen_pb2.FORMAT_TF_EXAMPLE,
            output_file_format=example_gen_pb2.FORMAT_TFRECORDS_GZIP,
            config=config,
            source_hash=source_hash,
            examples=Channel(type=standard_artifacts.Examples),
        )
        # Not FileBasedExampleGen's own constructor: that one makes its own spec.
        base_beam_component.BaseBeamComponent.__init__(self, spec=spec)
