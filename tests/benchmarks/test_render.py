"""Tables come from results, row by row."""

from typing import Any

from benchmarks.render import beam_scale, demo, pipeline_runs, records


def test_records_keep_their_columns_in_order() -> None:
    assert records([{"b": 1, "a": 2.5}, {"b": 10, "a": 3.0}]).splitlines() == [
        "|   b |   a |",
        "|-----|-----|",
        "|   1 | 2.5 |",
        "|  10 | 3   |",
    ]


def test_a_run_shows_each_step_and_the_whole() -> None:
    text = pipeline_runs(
        [
            (
                "ml-1m",
                {
                    "arguments": ["--dataset", "ml-1m"],
                    "peak_resident_gib": 2.5,
                    "steps": [{"step": "trainer", "state": "done", "seconds": 61.0}],
                    "exit_status": 0,
                    "seconds": 90.5,
                },
            )
        ]
    )
    assert "`pocketrec run --dataset ml-1m`" in text
    assert "2.5 GiB" in text
    assert "| trainer       | done    |      61   |" in text
    assert "| whole command | exit 0  |      90.5 |" in text


def _size(ratings: int, seconds: float, processor: float, ended: str = "whole") -> dict[str, Any]:
    step = {
        "step": "transform",
        "state": "done",
        "seconds": seconds,
        "processor_seconds": processor,
        "peak_resident_gib": 1.5,
        "load_average": 2.5,
    }
    return {"ratings": ratings, "ended": ended, "steps": [step]}


def test_growth_on_beam_is_between_the_largest_whole_runs() -> None:
    sizes = [_size(1_000_000, 9, 9), _size(5_000_000, 21, 17), _size(9_000_000, 1, 2, "failed")]
    local = {"sizes": sizes}
    lines = beam_scale({"local": local, "flink": {"sizes": [_size(1_000_000, 50, 60)]}})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines.splitlines()]
    assert rows[2:4] == [
        ["1,000,000", "transform", "local", "9", "9", "1.5", "2.5"],
        ["1,000,000", "transform", "flink", "50", "60", "1.5", "2.5"],
    ]
    # (17 - 9) / 4; the run that failed counts for nothing.
    assert rows[-1] == ["transform", "local", "1,000,000", "5,000,000", "2"]


def test_the_demo_shows_what_is_loaded_and_every_variant() -> None:
    text = demo(
        {
            "browser": "Chromium 150.0",
            "dataset": "ml-1m",
            "movies": 3416,
            "history_length": 64,
            "load_average": 0.5,
            "visits": 5,
            "taps": 500,
            "first_recommendation_seconds": 0.5,
            "slowest_first_recommendation_seconds": 0.75,
            "parts": [{"what": "the model", "bytes": 1000, "gzip_bytes": 900}],
            "rows": [{"variant": "int8", "bytes": 1000, "p50_ms": 0.25, "p95_ms": 0.5}],
        }
    )
    assert "**0.5 s** (median of 5; the slowest 0.75 s)" in text
    assert "| the model |    1000 |          900 |" in text
    assert "| int8      |    1000 |     0.25 |      0.5 |" in text
