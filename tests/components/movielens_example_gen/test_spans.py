"""Spans: found by their pattern, and read as one log."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.orchestration import metadata

from components.movielens_example_gen import driver
from components.movielens_example_gen.component import MovieLensExampleGen
from components.movielens_example_gen.spans import Span, check_pattern, find_spans, select_spans
from components.movielens_example_gen.timelines import load_timelines
from pipeline.config.data import DataConfig
from pipeline.config.spans import SpansConfig, without_placeholders
from pipeline.errors import DataError
from tests.components.movielens_example_gen.releases import Row, write_release
from tests.components.movielens_example_gen.test_ingest import (
    KEEP_ALL,
    by_user,
    content,
    properties,
    read,
    run,
)

SPAN_1: tuple[Row, ...] = ((5, 1, 4, 100), (5, 3, 5, 90), (9, 1, 3, 100), (5, 2, 1, 100))
SPAN_2: tuple[Row, ...] = ((9, 2, 2, 110), (9, 3, 4, 105), (5, 7, 2, 200))


def folders(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)


def found(root: Path, pattern: str) -> list[tuple[int, int | None, str]]:
    return [
        (span.number, span.version, Path(span.source).relative_to(root).as_posix())
        for span in find_spans(f"{root}/{pattern}")
    ]


def test_spans_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folders(tmp_path, "ratings-10", "ratings-9", "ratings-11.partial", "ratings-", "other-12")
    assert found(tmp_path, "ratings-{SPAN}") == [(9, None, "ratings-9"), (10, None, "ratings-10")]


def test_the_newest_version_of_a_span_counts(tmp_path: Path) -> None:
    folders(tmp_path, "r-1/v2", "r-1/v10", "r-2/v1", "r-3")
    assert found(tmp_path, "r-{SPAN}/v{VERSION}") == [(1, 10, "r-1/v10"), (2, 1, "r-2/v1")]
    chosen = select_spans(f"{tmp_path}/r-{{SPAN}}/v{{VERSION}}", SpansConfig(newest=1), version=2)
    assert chosen == (Span(1, 2, f"{tmp_path}/r-1/v2"),)


def test_widths_and_dates_are_those_of_tfx(tmp_path: Path) -> None:
    folders(tmp_path, "r-007", "r-8", "2026-02-28/ml", "2026-02-31/ml")
    assert found(tmp_path, "r-{SPAN:3}") == [(7, None, "r-007")]
    # 20,512 days since 1970.
    assert found(tmp_path, "{YYYY}-{MM}-{DD}/ml") == [(20512, None, "2026-02-28/ml")]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("r-{SPAN}-{SPAN}", "once"),
        ("r-{VERSION}", "either {SPAN} or a date"),
        ("r-{SPAN}-{YYYY}{MM}{DD}", "either {SPAN} or a date"),
        ("r-{YYYY}{MM}", "takes all of"),
        ("r-{SPAN:x}", "whole number above 0"),
    ],
)
def test_a_pattern_that_tells_no_span_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(DataError, match=f"is no pattern of spans: .*{reason}"):
        check_pattern(pattern)


def test_what_cannot_be_chosen_is_named(tmp_path: Path) -> None:
    pattern = f"{tmp_path}/r-{{SPAN}}"
    with pytest.raises(DataError, match="there is no span"):
        find_spans(pattern)
    folders(tmp_path, "r-1", "r-2", "r-4")
    with pytest.raises(DataError, match=r"no span 3, which data\.spans\.newest .*: 1, 2, 4"):
        select_spans(pattern, SpansConfig(newest=3))
    folders(tmp_path, "r-04")
    with pytest.raises(DataError, match=r"r-04 and .*r-4 are the same span \(4\)"):
        find_spans(pattern)


def test_a_window_ends_with_the_newest_span(tmp_path: Path) -> None:
    folders(tmp_path, "r-1", "r-2", "r-4", "r-5")

    def numbers(config: SpansConfig, newest: int | None = None) -> list[int]:
        chosen = select_spans(f"{tmp_path}/r-{{SPAN}}", config, newest=newest)
        return [span.number for span in chosen]

    assert numbers(SpansConfig()) == [1, 2, 4, 5]
    assert numbers(SpansConfig(window=2)) == [4, 5]
    assert numbers(SpansConfig(window=2, newest=4)) == [2, 4]
    # A driver has chosen before the fifth came in.
    assert numbers(SpansConfig(), newest=4) == [1, 2, 4]


def test_a_pattern_is_called_after_what_its_spans_share() -> None:
    assert without_placeholders("/data/ratings-{SPAN}/v{VERSION}") == "//data/ratings-"
    assert without_placeholders("/data/ml/{YYYY}{MM}{DD}.zip") == "//data/ml"


def interleaved_rows() -> list[Row]:
    """40 users of 3 or 4 events at six moments, so that most have ties; in no order."""
    random = np.random.default_rng(1)
    rows = []
    for user in range(1, 41):
        movies = random.permutation([1, 2, 3, 7])[: 3 + user % 2]
        rows += [(user, int(m), 4.0, int(random.integers(0, 6)) * 50) for m in movies]
    return [rows[i] for i in random.permutation(len(rows))]


def split_by_time(root: Path, rows: Sequence[Row], starts: Sequence[int]) -> str:
    """Writes spans that begin at the given times, rows in file order; returns their pattern."""
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], 2**62], strict=True), 1):
        own = [row for row in rows if start <= row[3] < end]
        write_release(root / f"ratings-{number}", "csv", own)
    return f"{root}/ratings-{{SPAN}}"


@pytest.mark.parametrize(
    "strategy", ["leave_last_out", pytest.param("temporal", marks=pytest.mark.slow)]
)
def test_spans_make_the_same_timelines_as_the_whole(tmp_path: Path, strategy: str) -> None:
    rows = interleaved_rows()
    whole = write_release(tmp_path / "whole", "csv", rows)
    pattern = split_by_time(tmp_path / "in", rows, [0, 100, 200])
    settings: dict[str, Any] = {"user_buckets": 3, "split": {"strategy": strategy}}
    run(whole, tmp_path / "one", **settings)

    artifact = run(Path(pattern), tmp_path / "three", **settings)

    expected = content(tmp_path / "one")
    actual = content(tmp_path / "three")
    assert {name: actual.get(name) for name in expected} == expected
    assert {name.split("/")[0] for name in set(actual) - set(expected)} == {
        "Split-span_before",
        "Split-span_newest",
    }
    assert artifact.get_string_custom_property("spans") == "1, 2, 3"
    assert artifact.get_int_custom_property("span") == 3
    assert np.array_equal(load_timelines(pattern).movie_ids, load_timelines(whole).movie_ids)


def test_a_single_span_is_the_plain_release(tmp_path: Path) -> None:
    release = write_release(tmp_path / "in" / "ratings-0", "1m")
    plain = run(release, tmp_path / "plain")
    spans = run(tmp_path / "in" / "ratings-{SPAN}", tmp_path / "spans")

    assert content(tmp_path / "plain") == content(tmp_path / "spans")
    assert plain.split_names == spans.split_names
    assert properties(spans) == properties(plain) | {"span": 0, "spans": "0"}


def test_the_newest_two_spans_have_splits_of_their_own(tmp_path: Path) -> None:
    write_release(tmp_path / "r-3" / "v1", "1m", SPAN_1)
    write_release(tmp_path / "r-0" / "v1", "1m", ((9, 7, 5, 1),))
    newest = write_release(tmp_path / "r-4" / "v2", "1m", SPAN_2)
    for span in ("r-0", "r-3"):
        listed = tmp_path / span / "v1" / "movies.dat"
        listed.write_text("".join(listed.read_text("latin-1").splitlines(True)[:2]) + "7::N::-\n")
    # Movie 3 is rated in span 3, and it must be listed in a span that is read.
    with (tmp_path / "r-3" / "v1" / "movies.dat").open("a") as file:
        file.write("3::Old name (1999)::Drama\n")
    lines = (newest / "movies.dat").read_text("latin-1")
    (newest / "movies.dat").write_text(lines + "8::Brand New (2003)::Drama\n", "latin-1")
    with (newest / "ratings.dat").open("a") as file:
        file.write("5::8::4::300\n")
    (newest / "users.dat").write_text("5::F::35::12::85711\n")

    artifact = run(tmp_path / "r-{SPAN}/v{VERSION}", tmp_path / "out")

    assert by_user(tmp_path / "out", "span_newest") == {
        5: {
            "user_id": [5],
            "span": [4],
            "events": [2],
            "movie": [b"7", b"8"],
            "rating": [2.0, 4.0],
            "new_movie": [0, 1],
            # As the newest span has it.
            "user_gender": [b"F"],
            "user_age": [35],
            "user_occupation": [b"programmer"],
        },
        9: {
            "user_id": [9],
            "span": [4],
            "events": [2],
            "movie": [b"3", b"2"],
            "rating": [4.0, 2.0],
            "new_movie": [0, 0],
            "user_gender": [b"F"],
            "user_age": [1],
            "user_occupation": [b"other"],
        },
    }
    before = by_user(tmp_path / "out", "span_before")
    assert before[5]["movie"] == [b"3", b"1", b"2"]
    assert before[9]["movie"] == [b"1"]
    assert by_user(tmp_path / "out", "test")[9]["movie_id"] == [7, 1, 3, 2]
    titles = {row["movie_id"][0]: row["title"][0] for row in read(tmp_path / "out", "catalogue")}
    assert titles[3] == b"Matrix, The (1999)"
    assert titles[8] == b"Brand New (2003)"
    assert artifact.split_names == (
        '["train", "eval", "test", "catalogue", "span_before", "span_newest"]'
    )
    told = properties(artifact)
    assert (told["span"], told["version"], told["spans"]) == (4, 2, "0/v1, 3/v1, 4/v2")
    assert (told["span_newest_examples"], told["span_newest_events"]) == (2, 4)
    assert "span_newest_targets" not in told


@pytest.mark.thorough
def test_a_rating_that_an_earlier_span_has_is_a_duplicate(tmp_path: Path) -> None:
    write_release(tmp_path / "r-1", "1m", SPAN_1)
    write_release(tmp_path / "r-2", "1m", (SPAN_1[0], *SPAN_2))

    with pytest.raises(DataError) as error:
        run(tmp_path / "r-{SPAN}", tmp_path / "fail")
    assert f"{tmp_path}/r-2/ratings.dat, line 1: " in str(error.value)
    assert "(duplicate): '5::1::4::100'" in str(error.value)

    skip = {"policy": "skip", "max_share": 0.2}
    artifact = run(tmp_path / "r-{SPAN}", tmp_path / "skip", malformed=skip)
    assert properties(artifact)["skipped_duplicate"] == 1
    assert by_user(tmp_path / "skip", "span_newest")[5]["movie"] == [b"7"]
    write_release(tmp_path / "r-2", "1m", SPAN_2)
    run(tmp_path / "r-{SPAN}", tmp_path / "clean")
    assert content(tmp_path / "skip") == content(tmp_path / "clean")


def test_a_bad_row_is_found_in_its_span(tmp_path: Path) -> None:
    write_release(tmp_path / "r-1", "1m", SPAN_1)
    write_release(tmp_path / "r-2", "1m", (*SPAN_2, (5, 3, 9, 1)))
    write_release(tmp_path / "r-3", "1m", ((5, 3, 9, 1),))
    with pytest.raises(DataError, match=r"r-2/ratings\.dat, line 4: .*5::3::9::1"):
        run(tmp_path / "r-{SPAN}", tmp_path / "out")


def test_spans_that_cannot_be_read_together_are_refused(tmp_path: Path) -> None:
    write_release(tmp_path / "r-1", "1m", SPAN_1)
    write_release(tmp_path / "r-2", "csv", SPAN_2)
    with pytest.raises(DataError, match=r"one format .*r-1: 1m, .*r-2: csv"):
        run(tmp_path / "r-{SPAN}", tmp_path / "out")

    write_release(tmp_path / "e-1", "csv", (*SPAN_1, *SPAN_2))
    write_release(tmp_path / "e-2", "csv", ())
    with pytest.raises(DataError, match=r"e-2: span 2 holds no rating that can be used"):
        run(tmp_path / "e-{SPAN}", tmp_path / "out2")


@pytest.mark.slow
def test_spans_may_be_zip_files(tmp_path: Path) -> None:
    for number, rows in enumerate((SPAN_1, SPAN_2)):
        release = write_release(tmp_path / f"r-{number}", "csv", rows)
        with zipfile.ZipFile(tmp_path / f"r-{number}.zip", "w") as file:
            for path in release.iterdir():
                file.write(path, f"ml/{path.name}")
    run(tmp_path / "r-{SPAN}", tmp_path / "folders")
    run(tmp_path / "r-{SPAN}.zip", tmp_path / "zips")
    assert content(tmp_path / "folders") == content(tmp_path / "zips")


class Runs:
    """The component by itself, with ML Metadata and caching."""

    def __init__(self, root: Path, pattern: str) -> None:
        self._root = root
        self._pattern = pattern

    def run(self, **spans: int) -> tuple[str, dict[str, int]]:
        """Returns the execution's state, and span and version of what it gives."""
        config = DataConfig.model_validate({**KEEP_ALL, "spans": spans}).model_dump_json(
            exclude={"drift"}
        )
        example_gen = MovieLensExampleGen(self._pattern, config, "hash").with_id("example_gen")
        connection = metadata.sqlite_metadata_connection_config(str(self._root / "m.sqlite"))
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline(
                pipeline_name="test",
                pipeline_root=str(self._root / "artifacts"),
                components=[example_gen],
                enable_cache=True,
                metadata_connection_config=connection,
            )
        )
        with metadata.Metadata(connection) as handle:
            last = max(handle.store.get_executions(), key=lambda execution: execution.id)
            events = handle.store.get_events_by_execution_ids([last.id])
            [artifact] = handle.store.get_artifacts_by_id([event.artifact_id for event in events])
        told = {
            name: artifact.custom_properties[name].int_value
            for name in ("span", "version")
            if name in artifact.custom_properties
        }
        return str(metadata_store_pb2.Execution.State.Name(last.last_known_state)), told


@pytest.mark.thorough
def test_a_new_span_is_no_cache_hit_and_an_old_one_is(tmp_path: Path) -> None:
    write_release(tmp_path / "r-1" / "v1", "1m", (*SPAN_1, (9, 2, 2, 110), (9, 3, 4, 120)))
    runs = Runs(tmp_path, str(tmp_path / "r-{SPAN}/v{VERSION}"))
    assert runs.run() == ("COMPLETE", {"span": 1, "version": 1})
    write_release(tmp_path / "r-2" / "v1", "1m", ((5, 7, 2, 200),))
    assert runs.run() == ("COMPLETE", {"span": 2, "version": 1})
    assert runs.run(newest=2) == ("CACHED", {"span": 2, "version": 1})
    # A mended first span, though it is not the newest.
    shutil.copytree(tmp_path / "r-1" / "v1", tmp_path / "r-1" / "v2")
    assert runs.run() == ("COMPLETE", {"span": 2, "version": 1})


def test_an_executor_without_a_driver_finds_the_spans_itself(tmp_path: Path) -> None:
    for number in (1, 2):
        write_release(tmp_path / f"r-{number}", "csv", SPAN_1)
    properties = {
        "input_base": f"{tmp_path}/r-{{SPAN}}",
        "config": DataConfig().model_dump_json(),
    }
    assert [span.number for span in driver.spans_of(properties)] == [1, 2]
    # Numbers of execution properties may be doubles.
    assert [span.number for span in driver.spans_of({**properties, "span": 1.0})] == [1]
    assert driver.look(properties).span == 2
