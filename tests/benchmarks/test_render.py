"""Tables come from results, row by row."""

from benchmarks.render import pipeline_runs, records


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
