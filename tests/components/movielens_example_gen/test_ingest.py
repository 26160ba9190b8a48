"""The component on tiny releases, with real Beam, TFRecord files, ML Metadata and caching."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.movielens_example_gen import ingest
from components.movielens_example_gen.component import MovieLensExampleGen
from components.movielens_example_gen.executor import Executor
from components.movielens_example_gen.formats import Release
from components.movielens_example_gen.reader import byte_ranges
from pipeline.config.data import DataConfig
from pipeline.errors import DataError
from tests.components.movielens_example_gen.releases import (
    FORMATS,
    REAL_DATA,
    Row,
    rating_lines,
    write_ratings,
    write_release,
)

KEEP_ALL: dict[str, Any] = {
    "min_ratings_per_movie": 1,
    "min_ratings_per_user": 1,
    "user_buckets": 2,
}


def run(
    source: Path, output: Path, beam_args: tuple[str, ...] = (), **settings: Any
) -> standard_artifacts.Examples:
    config = DataConfig.model_validate({**KEEP_ALL, **settings})
    component = MovieLensExampleGen(str(source), config.model_dump_json(), source_hash="test")
    artifact = standard_artifacts.Examples()
    artifact.uri = str(output)
    context = Executor.Context(beam_pipeline_args=list(beam_args))
    Executor(context).Do({}, {"examples": [artifact]}, component.exec_properties)
    return artifact


def read(output: Path, split: str) -> list[dict[str, list[Any]]]:
    files = sorted(str(p) for p in (output / f"Split-{split}").iterdir())
    rows = []
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        rows.append(
            {
                name: list(getattr(f, f.WhichOneof("kind") or "int64_list").value)
                for name, f in features.items()
            }
        )
    return rows


def by_user(output: Path, split: str) -> dict[int, dict[str, list[Any]]]:
    return {row["user_id"][0]: row for row in read(output, split)}


def content(output: Path) -> dict[str, bytes]:
    return {
        p.relative_to(output).as_posix(): p.read_bytes() for p in output.rglob("*") if p.is_file()
    }


def properties(artifact: standard_artifacts.Examples) -> dict[str, Any]:
    return {
        name: value.string_value if value.HasField("string_value") else value.int_value
        for name, value in artifact.mlmd_artifact.custom_properties.items()
    }


@pytest.mark.parametrize("release_format", FORMATS)
def test_every_format_becomes_the_same_timelines(tmp_path: Path, release_format: str) -> None:
    release = write_release(tmp_path / "in" / "ml", release_format)
    source = release.parent
    if release_format == "csv":
        source = tmp_path / "release.zip"
        with zipfile.ZipFile(source, "w") as file:
            for path in release.iterdir():
                file.write(path, f"ml/{path.name}")
    output = tmp_path / "out"

    artifact = run(source, output)

    test = by_user(output, "test")
    attributes = {
        "100k": {"user_gender": [b"M"], "user_age": [24], "user_occupation": [b"technician"]},
        "1m": {"user_gender": [b"M"], "user_age": [25], "user_occupation": [b"programmer"]},
    }.get(release_format, {})
    assert test[5] == {
        "user_id": [5],
        "movie_id": [3, 1, 2, 7],
        "rating": [5.0, 4.0, 1.0, 2.0],
        "timestamp": [90, 100, 100, 200],
        "first_target": [3],
        "held_out": [1],
        **attributes,
    }
    assert test[9]["movie_id"] == [3, 1, 2]
    held_eval = by_user(output, "eval")
    assert held_eval[5]["movie_id"] == [3, 1, 2]
    assert (held_eval[5]["first_target"], held_eval[5]["held_out"]) == ([2], [1])
    train = by_user(output, "train")
    assert train[5]["movie_id"] == [3, 1]
    assert (train[5]["first_target"], train[5]["held_out"]) == ([0], [0])
    assert read(output, "catalogue")[0] == {
        "movie_id": [1],
        "title": [b"Toy Story (1995)"],
        "genres": [b"Animation", b"Children's", b"Comedy"],
        "year": [1995],
    }
    assert [row["movie_id"] for row in read(output, "catalogue")] == [[1], [2], [3], [7]]
    assert read(output, "catalogue")[1]["title"] == ["Café Müller (1978)".encode()]
    assert read(output, "catalogue")[3] == {"movie_id": [7], "title": [b"Nameless"], "genres": []}
    assert artifact.split_names == '["train", "eval", "test", "catalogue"]'
    assert properties(artifact) == {
        "payload_format": "FORMAT_TF_EXAMPLE",
        "file_format": "tfrecords_gzip",
        "release_format": release_format,
        "encoding": "latin-1" if release_format in ("100k", "1m") else "utf-8",
        "ratings_read": 7,
        "rows_skipped": 0,
        "ratings_kept": 7,
        "users": 2,
        "movies": 4,
        "movies_listed": 4,
        "timestamp_min": 90,
        "timestamp_max": 200,
        **{"train_examples": 2, "train_events": 3, "train_targets": 3},
        **{"eval_examples": 2, "eval_events": 5, "eval_targets": 2},
        **{"test_examples": 2, "test_events": 7, "test_targets": 2},
    }
    assert sorted(p.name for p in output.iterdir()) == [
        f"Split-{name}" for name in ("catalogue", "eval", "test", "train")
    ]


def many_rows(users: int = 40) -> list[Row]:
    """Users of 3 to 12 events, interleaved, times falling within the file, with ties."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(1, users + 1):
        movies = random.permutation([1, 2, 3, 7])[: 3 + user % 2]
        rows += [(user, int(m), 4.0, int(random.integers(0, 300_000)) // 50 * 50) for m in movies]
    return [rows[i] for i in random.permutation(len(rows))]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "strategy", ["leave_last_out", pytest.param("temporal", marks=pytest.mark.slow)]
)
def test_bytes_do_not_depend_on_how_the_work_is_spread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    source = write_release(tmp_path / "in", "csv", many_rows())
    split = {"strategy": strategy}
    run(source, tmp_path / "whole", user_buckets=3, split=split)

    def in_tiny_ranges_backwards(release: Release) -> list[tuple[int, int]]:
        return byte_ranges(release, block_bytes=100)[::-1]

    monkeypatch.setattr(ingest, "byte_ranges", in_tiny_ranges_backwards)
    run(source, tmp_path / "ranges", user_buckets=3, split=split)

    assert content(tmp_path / "whole") == content(tmp_path / "ranges")
    assert len(content(tmp_path / "whole")) == 3 * 3 + 1


@pytest.mark.thorough
def test_timelines_do_not_depend_on_the_number_of_buckets(tmp_path: Path) -> None:
    source = write_release(tmp_path / "in", "csv", many_rows())
    run(source, tmp_path / "three", user_buckets=3)
    run(source, tmp_path / "one", user_buckets=1)

    for name in ("train", "eval", "test"):
        assert by_user(tmp_path / "three", name) == by_user(tmp_path / "one", name)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # each worker imports TensorFlow first
def test_workers_in_other_processes_write_the_same_bytes(tmp_path: Path) -> None:
    release = write_release(tmp_path / "in" / "ml", "csv", many_rows())
    source = tmp_path / "release.zip"
    with zipfile.ZipFile(source, "w") as file:
        for path in release.iterdir():
            file.write(path, f"ml/{path.name}")
    split = {"strategy": "temporal"}
    run(source, tmp_path / "one", user_buckets=3, split=split)

    spread = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    run(source, tmp_path / "spread", spread, user_buckets=3, split=split)

    assert content(tmp_path / "one") == content(tmp_path / "spread")


def test_temporal_shares_become_cuts(tmp_path: Path) -> None:
    rows = many_rows()
    source = write_release(tmp_path / "in", "csv", rows)
    split = {"strategy": "temporal", "eval_share": 0.25, "test_share": 0.25, "targets_per_user": 1}

    artifact = run(source, tmp_path / "out", split=split)

    times = sorted(row[3] for row in rows)
    eval_start, test_start = times[len(times) // 2], times[len(times) * 3 // 4]
    assert artifact.get_int_custom_property("eval_start") == eval_start
    assert artifact.get_int_custom_property("test_start") == test_start
    train = [t for row in read(tmp_path / "out", "train") for t in row["timestamp"]]
    assert sorted(train) == [t for t in times if t < eval_start]
    for row in read(tmp_path / "out", "test"):
        assert row["first_target"] == [len(row["timestamp"]) - 1]
        assert row["timestamp"][-1] >= test_start


def test_malformed_rows_stop_the_run_or_are_counted(tmp_path: Path) -> None:
    source = write_release(tmp_path / "in", "csv")
    lines = rating_lines("csv", many_rows())
    bad = [*lines[:5], "1,4,4.0,5", *lines[5:], lines[2], "1,1,9.0,5", "1,4,4.0,6"]
    write_ratings(source, "csv", bad)

    with pytest.raises(DataError) as error:
        run(source, tmp_path / "fail")
    # Five rows and the header stand before it.
    assert "ratings.csv, line 7: " in str(error.value)
    assert "'1,4,4.0,5'" in str(error.value)
    assert "1 duplicate, 1 rating_off_scale, 2 unknown_movie" in str(error.value)
    assert "data.malformed.policy=skip" in str(error.value)
    assert content(tmp_path / "fail") == {}

    skip = {"policy": "skip", "max_share": 4 / len(bad)}
    artifact = run(source, tmp_path / "skip", malformed=skip)
    found = properties(artifact)
    assert (found["ratings_read"], found["rows_skipped"]) == (len(bad), 4)
    assert (found["skipped_duplicate"], found["skipped_rating_off_scale"]) == (1, 1)
    assert (found["skipped_unknown_movie"], found["ratings_kept"]) == (2, len(lines))
    write_ratings(source, "csv", lines)
    run(source, tmp_path / "clean")
    assert content(tmp_path / "skip") == content(tmp_path / "clean")

    write_ratings(source, "csv", [*bad, "x"])
    with pytest.raises(DataError, match=r"above data\.malformed\.max_share=0\.0"):
        run(source, tmp_path / "too_many", malformed={"policy": "skip", "max_share": 0.01})


@pytest.mark.thorough
def test_a_split_without_examples_is_refused(tmp_path: Path) -> None:
    source = write_release(tmp_path / "in", "1m", [(5, 1, 4, 1), (5, 2, 4, 2)])

    with pytest.raises(DataError, match=r"split 'eval' would be empty: 1 users with 2 ratings"):
        run(source, tmp_path / "out")
    with pytest.raises(DataError, match=r"split 'train' .* 0 users .*min_ratings_per_user=3"):
        run(source, tmp_path / "out2", min_ratings_per_user=3)


def test_an_unsafe_zip_stops_the_run(tmp_path: Path) -> None:
    source = tmp_path / "evil.zip"
    with zipfile.ZipFile(source, "w") as file:
        file.writestr("/ratings.csv", "userId,movieId,rating,timestamp\n")

    with pytest.raises(DataError, match=r"evil\.zip.*/ratings\.csv"):
        run(source, tmp_path / "out")


def run_pipeline(root: Path, source: Path, source_hash: str = "a") -> str:
    """Runs the component by itself, cache on; returns the execution's last known state."""
    config = DataConfig.model_validate(KEEP_ALL).model_dump_json()
    example_gen = MovieLensExampleGen(str(source), config, source_hash).with_id("example_gen")
    connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite"))
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="test",
            pipeline_root=str(root / "artifacts"),
            components=[example_gen],
            enable_cache=True,
            metadata_connection_config=connection,
        )
    )
    with metadata.Metadata(connection) as handle:
        last = max(handle.store.get_executions(), key=lambda execution: execution.id)
    return str(metadata_store_pb2.Execution.State.Name(last.last_known_state))


@pytest.mark.thorough
@pytest.mark.parametrize("zipped", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_cache_sees_changed_files_and_changed_code(tmp_path: Path, zipped: bool) -> None:
    release = write_release(tmp_path / "in" / "ml", "1m")
    source = tmp_path / "release.zip" if zipped else release.parent

    def pack() -> None:
        if zipped:
            with zipfile.ZipFile(source, "w") as file:
                for path in release.iterdir():
                    file.write(path, path.name)

    pack()
    assert run_pipeline(tmp_path, source) == "COMPLETE"
    assert run_pipeline(tmp_path, source) == "CACHED"
    # As many bytes, and the same date.
    ratings = release / "ratings.dat"
    before = ratings.stat()
    ratings.write_bytes(ratings.read_bytes().replace(b"5::7::2::200", b"5::7::3::200"))
    os.utime(ratings, ns=(before.st_atime_ns, before.st_mtime_ns))
    pack()
    assert run_pipeline(tmp_path, source) == "COMPLETE"
    assert run_pipeline(tmp_path, source, source_hash="b") == "COMPLETE"


@pytest.mark.parametrize(
    "source", ["gs://bucket/ml-25m", "gs://bucket/ml-25m.zip", "gs://bucket/ratings-{SPAN}.zip"]
)
def test_it_compiles_for_kubeflow_with_a_driver_that_looks_at_the_files(
    tmp_path: Path, source: str
) -> None:
    component = MovieLensExampleGen(source, DataConfig().model_dump_json(), "hash")
    output = tmp_path / "spec.json"
    tfx.orchestration.experimental.KubeflowV2DagRunner(
        config=tfx.orchestration.experimental.KubeflowV2DagRunnerConfig(default_image="image"),
        output_dir=str(tmp_path), output_filename=output.name,
    ).run(
        tfx.dsl.Pipeline(
            pipeline_name="test", pipeline_root="gs://bucket/root", components=[component]
        )
    )  # fmt: skip

    spec = output.read_text()
    assert "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver" in spec
    assert "components.movielens_example_gen.executor.Executor" in spec
    assert component.exec_properties["input_base"] == source


@pytest.mark.slow
@pytest.mark.skipif(not (REAL_DATA / "ml-1m").is_dir(), reason=f"no ml-1m in {REAL_DATA}")
def test_ml_1m(tmp_path: Path) -> None:
    artifact = run(REAL_DATA / "ml-1m", tmp_path, min_ratings_per_movie=5, min_ratings_per_user=5)

    found = properties(artifact)
    assert (found["ratings_read"], found["rows_skipped"]) == (1_000_209, 0)
    assert (found["users"], found["movies"], found["movies_listed"]) == (6_040, 3_416, 3_883)
    assert found["ratings_kept"] == found["test_events"] == 999_611
    assert found["train_events"] == 999_611 - 2 * 6_040
    assert (found["timestamp_min"], found["timestamp_max"]) == (956_703_932, 1_046_454_590)
