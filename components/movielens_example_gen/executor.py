"""Runs the ingest and puts what it found on the artifact."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.example_gen import utils, write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from components.movielens_example_gen import ingest, policy, storage
from components.movielens_example_gen.driver import spans_of
from components.movielens_example_gen.examples import encode_movies
from components.movielens_example_gen.log import Log, opened
from components.movielens_example_gen.problems import Report
from components.movielens_example_gen.spans import Span
from components.movielens_example_gen.summary import Summary
from modules.features import (
    SPLIT_CATALOGUE,
    SPLIT_EVAL,
    SPLIT_SPAN_BEFORE,
    SPLIT_SPAN_NEWEST,
    SPLIT_TEST,
    SPLIT_TRAIN,
)
from pipeline.config.data import DataConfig
from pipeline.config.spans import has_spans
from pipeline.errors import DataError

SPLITS = (SPLIT_TRAIN, SPLIT_EVAL, SPLIT_TEST, SPLIT_CATALOGUE)
SPAN_SPLITS = (SPLIT_SPAN_BEFORE, SPLIT_SPAN_NEWEST)
"""Written as well where several spans are read."""

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
        spans = spans_of(exec_properties)
        staging = storage.join(artifact.uri, _STAGING)
        tf.io.gfile.makedirs(staging)
        try:
            # A zip is unpacked beside the output, which every worker can reach.
            with opened(spans, staging) as log:
                self._ingest(log, config, artifact, staging)
        finally:
            storage.remove_folder(staging)

        if has_spans(exec_properties[standard_component_specs.INPUT_BASE_KEY]):
            _describe_spans(artifact, spans)

    def _ingest(self, log: Log, config: DataConfig, artifact: types.Artifact, staging: str) -> None:
        splits = [*SPLITS, *(SPAN_SPLITS if len(log.spans) > 1 else ())]
        artifact.split_names = artifact_utils.encode_split_names(splits)
        uris = {name: artifact_utils.get_split_uri([artifact], name) for name in splits}
        work = ingest.Ingest(
            log.releases,
            [span.number for span in log.spans],
            log.catalogue.movie_ids,
            log.new_movies,
            log.users,
            config,
            uris,
            staging,
        )
        with self._make_beam_pipeline() as pipeline:
            ingest.build(pipeline, work)
        report = Report.from_json(_read_json(staging, ingest.REPORT_FILE))
        policy.check(report, config.malformed, log.releases, log.catalogue.movie_ids)
        summary = Summary.from_json(_read_json(staging, ingest.SUMMARY_FILE))
        _check_splits(summary, config, log)
        ingest.write_records(
            encode_movies(log.catalogue.movies), uris[SPLIT_CATALOGUE], staging, shard=0, shards=1
        )
        _describe(artifact, log, report, summary)


def _read_json(staging: str, name: str) -> dict[str, Any]:
    with tf.io.gfile.GFile(storage.join(staging, name), "r") as file:
        tree: dict[str, Any] = json.loads(file.read())
    return tree


def _check_splits(summary: Summary, config: DataConfig, log: Log) -> None:
    if len(log.spans) > 1:
        for name, span in zip(SPAN_SPLITS, log.spans[-2:], strict=True):
            if summary.parts.get(name, {}).get("examples", 0) == 0:
                raise DataError(
                    f"{span.source}: span {span} holds no rating that can be used; mend or remove "
                    "it, or stop at an earlier one with data.spans.newest"
                )
    for name in (SPLIT_TRAIN, SPLIT_EVAL, SPLIT_TEST):
        if summary.parts.get(name, {}).get("examples", 0) == 0:
            raise DataError(
                f"{log.releases[-1].ratings}: the split {name!r} would be empty: "
                f"{summary.users} users with {summary.events} ratings are left by "
                f"data.min_ratings_per_movie={config.min_ratings_per_movie} and "
                f"data.min_ratings_per_user={config.min_ratings_per_user}, and data.split "
                f"({config.split.strategy}) gives none of them to it. Lower the minimum "
                "counts or change data.split"
            )


def _describe_spans(artifact: types.Artifact, spans: Sequence[Span]) -> None:
    """Says what was read, and of the newest span what TFX's driver says where it runs."""
    newest = spans[-1]
    artifact.set_int_custom_property(utils.SPAN_PROPERTY_NAME, newest.number)
    if newest.version is not None:
        artifact.set_int_custom_property(utils.VERSION_PROPERTY_NAME, newest.version)
    artifact.set_string_custom_property("spans", ", ".join(str(span) for span in spans))
    logging.info("read the spans %s", ", ".join(f"{span} ({span.source})" for span in spans))


def _describe(artifact: types.Artifact, log: Log, report: Report, summary: Summary) -> None:
    examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(
        artifact, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
    )
    artifact.set_string_custom_property("release_format", log.format)
    artifact.set_string_custom_property("encoding", log.catalogue.encoding)
    numbers = {
        "ratings_read": report.rows,
        "rows_skipped": report.malformed,
        "ratings_kept": summary.events,
        "users": summary.users,
        "movies": len(summary.movie_ids),
        "movies_listed": len(log.catalogue.movies),
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
