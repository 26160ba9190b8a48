"""The Beam graph from a release to timelines in TFRecord files.

What moves are columns: a byte range of the ratings becomes one block for each bucket of users, a
bucket's blocks come together, and one worker sorts, divides and writes that bucket. No step leans
on the order of elements, on one process or on a worker's own disk:

- a block carries its file and where it starts in it, so file order, spans one after the other, can
  be restored anywhere;
- a bucket's files are named after the bucket, written under a temporary name and moved, so that a
  repeated attempt ends in the same files with the same bytes;
- malformed rows are counted, not raised: whether they are too many is known at the end, and then
  the executor says which came first in the file, however the work was spread.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf

from components.movielens_example_gen import policy, storage
from components.movielens_example_gen.catalogue import User
from components.movielens_example_gen.columns import Ints, Ratings, mix
from components.movielens_example_gen.examples import encode_part, encode_span
from components.movielens_example_gen.formats import Release
from components.movielens_example_gen.problems import Report
from components.movielens_example_gen.reader import byte_ranges, read_block
from components.movielens_example_gen.splits import (
    COARSE_SECONDS,
    Counts,
    Cuts,
    bins_of,
    divide,
    find_cuts,
)
from components.movielens_example_gen.summary import Summary
from components.movielens_example_gen.timelines import (
    count_movies,
    find_repeated,
    in_order,
    keep_frequent,
    to_timelines,
)
from modules.features import SPLIT_SPAN_BEFORE, SPLIT_SPAN_NEWEST
from pipeline.config.data import DataConfig
from pipeline.progress import report as progress

REPORT_FILE = "report.json"
SUMMARY_FILE = "summary.json"

_REPORT = "report"
_COUNTS = "counts"
_SPANS = "spans"
_BUCKET_SALT = 0


@dataclasses.dataclass(frozen=True)
class Ingest:
    """What every worker needs to know.

    Attributes:
        releases: The files of each span, oldest first, readable for every worker.
        spans: Numbers of the spans.
        movie_ids: The listed movies' ids, ascending, `[movies]`.
        new_movies: Ids of those that only the newest span lists.
        users: Attributes by user id.
        config: The settings.
        split_uris: Folder of each split's files, by its name.
        staging: Folder for temporary names and for the report and the summary, on the file system
            of the splits.
    """

    releases: Sequence[Release]
    spans: Sequence[int]
    movie_ids: Ints
    new_movies: Ints
    users: Mapping[int, User]
    config: DataConfig
    split_uris: Mapping[str, str]
    staging: str


def build(pipeline: beam.Pipeline, ingest: Ingest) -> None:
    """Adds the ingest to a Beam pipeline; its results are files."""
    movies = len(ingest.movie_ids)
    parsed = (
        pipeline
        | "Ranges" >> beam.Create(_ranges(ingest.releases))
        | "SpreadRanges" >> beam.Reshuffle()
        | "Parse" >> beam.ParDo(_Parse(ingest)).with_outputs(_REPORT, main="blocks")
    )
    cleaned = (
        parsed.blocks
        | "ByBucket" >> beam.GroupByKey()
        | "Clean"
        >> beam.ParDo(_Clean(ingest)).with_outputs(_REPORT, _COUNTS, _SPANS, main="buckets")
    )
    report = (
        (parsed[_REPORT], cleaned[_REPORT])
        | "Reports" >> beam.Flatten()
        | "MergeReports" >> beam.CombineGlobally(Report.merge)
    )
    usable = report | "Judge" >> beam.Map(policy.is_acceptable, ingest.config.malformed)
    counts = cleaned[_COUNTS] | "MovieCounts" >> beam.CombineGlobally(
        functools.partial(_add_counts, movies=movies)
    )
    kept_by = (beam.pvalue.AsSingleton(counts), beam.pvalue.AsSingleton(usable))
    cuts = _cuts(pipeline, cleaned.buckets, kept_by, ingest)
    summaries = [
        cleaned.buckets
        | "Write" >> beam.ParDo(_Write(ingest), *kept_by, beam.pvalue.AsSingleton(cuts))
    ]
    if len(ingest.spans) > 1:
        summaries.append(
            cleaned[_SPANS]
            | "WriteSpans" >> beam.ParDo(_WriteSpan(ingest), beam.pvalue.AsSingleton(usable))
        )
    summary = (
        summaries
        | "Summaries" >> beam.Flatten()
        | "MergeSummaries" >> beam.CombineGlobally(Summary.merge)
    )
    _ = report | "WriteReport" >> beam.Map(_write_json, ingest.staging, REPORT_FILE)
    _ = summary | "WriteSummary" >> beam.Map(_write_json, ingest.staging, SUMMARY_FILE)


def _ranges(releases: Sequence[Release]) -> list[tuple[int, int, int]]:
    return [
        (file, start, end)
        for file, release in enumerate(releases)
        for start, end in byte_ranges(release)
    ]


def _cuts(
    pipeline: beam.Pipeline, buckets: beam.PCollection, kept_by: tuple[Any, Any], ingest: Ingest
) -> beam.PCollection:
    """One element: the cuts of `temporal`, None for the other strategies."""
    split = ingest.config.split
    if split.strategy != "temporal":
        return pipeline | "NoCuts" >> beam.Create([None])
    if split.eval_start is not None and split.test_start is not None:
        return pipeline | "GivenCuts" >> beam.Create([Cuts(split.eval_start, split.test_start)])
    # An exact quantile in two steps, since all times of all ratings may not fit into one worker:
    # first the bins that hold it, then the seconds in these bins.
    coarse = (
        buckets
        | "CountBins" >> beam.ParDo(_CountTimes(ingest), *kept_by, None)
        | "MergeBins" >> beam.CombineGlobally(Counts.merge)
    )
    bins = beam.pvalue.AsSingleton(coarse)
    fine = (
        buckets
        | "CountSeconds" >> beam.ParDo(_CountTimes(ingest), *kept_by, bins)
        | "MergeSeconds" >> beam.CombineGlobally(Counts.merge)
    )
    return coarse | "FindCuts" >> beam.Map(_cut, beam.pvalue.AsSingleton(fine), split)


def _cut(coarse: Counts, fine: Counts, split: Any) -> Cuts | None:
    # Without events there is nothing to cut, and the executor says why there are none.
    return find_cuts(coarse, fine, split) if len(coarse.keys) else None


class _Parse(beam.DoFn):
    """A byte range to one block a bucket: `(bucket, (file, start, payload))`."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def process(self, element: tuple[int, int, int]) -> Iterator[Any]:
        file, start, end = element
        release = self._ingest.releases[file]
        block = read_block(release, self._ingest.movie_ids, start, end)
        progress.advance("ratings read", len(block.ratings))
        yield beam.pvalue.TaggedOutput(_REPORT, block.report.in_file(file))
        buckets = self._ingest.config.user_buckets
        bucket = (mix(block.ratings.user, _BUCKET_SALT) % np.uint64(buckets)).astype(np.int64)
        order = np.argsort(bucket, kind="stable")
        ends = np.cumsum(np.bincount(bucket, minlength=buckets))
        for number, rows in enumerate(np.split(order, ends[:-1])):
            if len(rows):
                yield number, (file, start, block.ratings.take(rows).to_bytes())


class _Clean(beam.DoFn):
    """A bucket's blocks to its ratings, in the order of timelines and without duplicates.

    What came in with the newest two spans of several goes on by itself too, as
    `(bucket, split, payload)`.
    """

    def __init__(self, ingest: Ingest) -> None:
        self._movie_ids = ingest.movie_ids
        self._spans = len(ingest.spans)

    def process(self, element: tuple[int, Iterable[tuple[int, int, bytes]]]) -> Iterator[Any]:
        bucket, blocks = element
        in_file = sorted(blocks, key=lambda block: block[:2])
        parts = [Ratings.from_bytes(payload) for _, _, payload in in_file]
        ratings = Ratings.concat(parts)
        repeated, report = find_repeated(ratings, self._movie_ids)
        if self._spans > 1:
            file = np.repeat([block[0] for block in in_file], [len(part) for part in parts])
            kept = np.ones(len(ratings), np.bool_) if repeated is None else ~repeated
            for number, split in (
                (self._spans - 2, SPLIT_SPAN_BEFORE),
                (self._spans - 1, SPLIT_SPAN_NEWEST),
            ):
                own = ratings.take(kept & (file == number))
                if len(own):
                    payload = in_order(own).to_bytes()
                    yield beam.pvalue.TaggedOutput(_SPANS, (bucket, split, payload))
        if repeated is not None:
            ratings = ratings.take(~repeated)
        yield beam.pvalue.TaggedOutput(_REPORT, report)
        yield beam.pvalue.TaggedOutput(_COUNTS, count_movies(ratings, len(self._movie_ids)))
        yield bucket, in_order(ratings).to_bytes()


class _CountTimes(beam.DoFn):
    """A bucket to a histogram of the times of the events that are kept."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def process(
        self, element: tuple[int, bytes], counts: Ints, usable: bool, coarse: Counts | None
    ) -> Iterator[Counts]:
        if not usable:
            return
        times = _kept(element[1], counts, self._ingest.config).timestamp
        bins = times // COARSE_SECONDS
        if coarse is None:
            yield Counts.of(bins)
        elif len(coarse.keys):
            yield Counts.of(times[np.isin(bins, bins_of(coarse, self._ingest.config.split))])


class _Write(beam.DoFn):
    """A bucket to its files, one a split that has examples; gives its summary."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def process(
        self, element: tuple[int, bytes], counts: Ints, usable: bool, cuts: Cuts | None
    ) -> Iterator[Summary]:
        if not usable:
            return
        bucket, payload = element
        ingest = self._ingest
        timelines = to_timelines(_kept(payload, counts, ingest.config), ingest.movie_ids)
        parts = divide(timelines, ingest.config.split, cuts) if len(timelines.user_ids) else {}
        for name, part in parts.items():
            if len(part.users):
                write_records(
                    encode_part(timelines, part, ingest.users),
                    ingest.split_uris[name],
                    ingest.staging,
                    bucket,
                    ingest.config.user_buckets,
                )
        progress.advance("ratings written", len(timelines.movie_ids))
        yield Summary.of(timelines, parts, cuts)


class _WriteSpan(beam.DoFn):
    """A bucket's events of one span to a file; gives its summary."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def process(self, element: tuple[int, str, bytes], usable: bool) -> Iterator[Summary]:
        if not usable:
            return
        bucket, split, payload = element
        ingest = self._ingest
        newest = split == SPLIT_SPAN_NEWEST
        # As they came in: minimum counts are of the whole log.
        timelines = to_timelines(Ratings.from_bytes(payload), ingest.movie_ids)
        write_records(
            encode_span(
                timelines,
                ingest.users,
                ingest.spans[-1 if newest else -2],
                ingest.new_movies if newest else ingest.new_movies[:0],
            ),
            ingest.split_uris[split],
            ingest.staging,
            bucket,
            ingest.config.user_buckets,
        )
        counts = {"examples": len(timelines.user_ids), "events": len(timelines.movie_ids)}
        yield Summary(parts={split: counts})


def _kept(payload: bytes, counts: Ints, config: DataConfig) -> Ratings:
    return keep_frequent(
        Ratings.from_bytes(payload),
        counts,
        config.min_ratings_per_movie,
        config.min_ratings_per_user,
    )


def write_records(
    records: Iterable[bytes], folder: str, staging: str, shard: int, shards: int
) -> None:
    """Writes one shard of a split; it appears whole or not at all.

    Args:
        records: Serialized examples.
        folder: The split's folder.
        staging: A folder on the same file system, for the temporary name.
        shard: Which shard, from 0.
        shards: How many there are at most.
    """
    tf.io.gfile.makedirs(folder)
    tf.io.gfile.makedirs(staging)
    temporary = storage.join(staging, uuid.uuid4().hex)
    # The lightest compression takes a quarter of the usual time and costs an eighth more bytes.
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    with tf.io.TFRecordWriter(temporary, options) as writer:
        for record in records:
            writer.write(record)
    storage.commit(temporary, storage.join(folder, f"data_tfrecord-{shard:05d}-of-{shards:05d}.gz"))


def _write_json(tree: Report | Summary, staging: str, name: str) -> None:
    tf.io.gfile.makedirs(staging)
    temporary = storage.join(staging, uuid.uuid4().hex)
    with tf.io.gfile.GFile(temporary, "w") as file:
        file.write(json.dumps(tree.to_json(), sort_keys=True))
    storage.commit(temporary, storage.join(staging, name))


def _add_counts(parts: Iterable[Ints], movies: int) -> Ints:
    total = np.zeros(movies, np.int64)
    for part in parts:
        total += part
    return total
