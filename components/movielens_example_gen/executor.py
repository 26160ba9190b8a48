"""Runs the ingest and puts what it found on the artifact."""

from __future__ import annotations

import json
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.example_gen import write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.movielens_example_gen import ingest, policy, storage
from components.movielens_example_gen.catalogue import Catalogue, read_catalogue, read_users
from components.movielens_example_gen.driver import source_of
from components.movielens_example_gen.examples import encode_movies
from components.movielens_example_gen.formats import Release, detect
from components.movielens_example_gen.problems import Report
from components.movielens_example_gen.staging import staged
from components.movielens_example_gen.summary import Summary
from modules.features import SPLIT_CATALOGUE, SPLIT_EVAL, SPLIT_TEST, SPLIT_TRAIN
from pipeline.config.data import DataConfig
from pipeline.errors import DataError

SPLITS = (SPLIT_TRAIN, SPLIT_EVAL, SPLIT_TEST, SPLIT_CATALOGUE)

_STAGING = ".staging"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads a release and writes the splits."""

    def Do(  # noqa: N802 - the name is TFX's
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the component.

        Args:
            input_dict: Empty.
            output_dict: `examples`: one Examples artifact.
            exec_properties: Those of `MovieLensExampleGenSpec`.

        Raises:
            DataError: The release cannot be used, or a split would be empty.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        config = DataConfig.model_validate_json(exec_properties["config"])
        input_config = example_gen_pb2.Input()
        proto_utils.json_to_proto(
            exec_properties[standard_component_specs.INPUT_CONFIG_KEY], input_config
        )
        source = source_of(
            exec_properties[standard_component_specs.INPUT_BASE_KEY],
            input_config.splits[0].pattern,
        )
        staging = storage.join(artifact.uri, _STAGING)
        tf.io.gfile.makedirs(staging)
        try:
            # A zip is unpacked beside the output, which every worker can reach.
            with staged(source, staging) as folder:
                self._ingest(folder, config, artifact, staging)
        finally:
            storage.remove_folder(staging)

    def _ingest(
        self, folder: str, config: DataConfig, artifact: types.Artifact, staging: str
    ) -> None:
        release = detect(folder)
        catalogue = read_catalogue(release)
        artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
        uris = {name: artifact_utils.get_split_uri([artifact], name) for name in SPLITS}
        work = ingest.Ingest(
            release, catalogue.movie_ids, read_users(release), config, uris, staging
        )
        with self._make_beam_pipeline() as pipeline:
            ingest.build(pipeline, work)
        report = Report.from_json(_read_json(staging, ingest.REPORT_FILE))
        policy.check(report, config.malformed, release, catalogue.movie_ids)
        summary = Summary.from_json(_read_json(staging, ingest.SUMMARY_FILE))
        _check_splits(summary, config, release)
        ingest.write_records(
            encode_movies(catalogue.movies), uris[SPLIT_CATALOGUE], staging, shard=0, shards=1
        )
        _describe(artifact, release, catalogue, report, summary)


def _read_json(staging: str, name: str) -> dict[str, Any]:
    with tf.io.gfile.GFile(storage.join(staging, name), "r") as file:
        tree: dict[str, Any] = json.loads(file.read())
    return tree


def _check_splits(summary: Summary, config: DataConfig, release: Release) -> None:
    for name in (SPLIT_TRAIN, SPLIT_EVAL, SPLIT_TEST):
        if summary.parts.get(name, {}).get("examples", 0) == 0:
            raise DataError(
                f"{release.ratings}: the split {name!r} would be empty: {summary.users} users "
                f"with {summary.events} ratings are left by data.min_ratings_per_movie="
                f"{config.min_ratings_per_movie} and data.min_ratings_per_user="
                f"{config.min_ratings_per_user}, and data.split ({config.split.strategy}) gives "
                f"none of them to it. Lower the minimum counts or change data.split"
            )


def _describe(
    artifact: types.Artifact,
    release: Release,
    catalogue: Catalogue,
    report: Report,
    summary: Summary,
) -> None:
    examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(
        artifact, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
    )
    artifact.set_string_custom_property("release_format", release.format)
    artifact.set_string_custom_property("encoding", catalogue.encoding)
    numbers = {
        "ratings_read": report.rows,
        "rows_skipped": report.malformed,
        "ratings_kept": summary.events,
        "users": summary.users,
        "movies": len(summary.movie_ids),
        "movies_listed": len(catalogue.movies),
        "timestamp_min": summary.timestamp_min or 0,
        "timestamp_max": summary.timestamp_max or 0,
    }
    numbers.update({f"skipped_{reason}": count for reason, count in report.counts.items()})
    for name, counts in summary.parts.items():
        numbers.update({f"{name}_{key}": value for key, value in counts.items()})
    if summary.cuts is not None:
        numbers["eval_start"] = summary.cuts.eval_start
        numbers["test_start"] = summary.cuts.test_start
    for key, value in numbers.items():
        artifact.set_int_custom_property(key, value)
