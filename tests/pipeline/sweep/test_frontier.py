"""The best file within a budget, by hand."""

from __future__ import annotations

from typing import Any

from pipeline.config.item_table import DenseTableConfig, ElasticTableConfig
from pipeline.sweep import frontier, render
from pipeline.sweep.results import kind_of_table


def trial(place: int, table: str, **files: tuple[float, float, float]) -> dict[str, Any]:
    mean: dict[str, float] = {"train_seconds": 60.0}
    for split, place_of in (("eval", 1), ("test", 2)):
        mean[f"{split}.recall_at_10"] = 0.3
        mean[f"{split}.ndcg_at_10"] = 0.2
        for name, figures in files.items():
            mean[f"{name}.{split}.recall_at_10"] = figures[place_of]
    for name, (size, *_) in files.items():
        mean |= {f"{name}.bytes": size * 1024, f"{name}.latency_ms": 0.1}
    return {
        "trial": place,
        "state": "done",
        "parameters": {},
        "encoder": "mixer",
        "history": 64,
        "table": table,
        "mean": mean,
        "spread": dict.fromkeys(mean, 0.002),
        "runs": [{}],
    }


RESULTS: dict[str, Any] = {
    "study": "frontier",
    "search": "grid",
    "objective": "recall_at_10",
    "seeds": [42],
    "report_test": True,
    "variants": ["int8"],
    "budgets": ["64KB", "128KB"],
    "parameters": {},
    "total": 3,
    "best": 1,
    "trials": [
        trial(1, "dense", int8=(127.9, 0.36, 0.33), int4=(64.1, 0.35, 0.34)),
        # Worse on eval, though better on test: eval chooses.
        trial(2, "dense", int8=(100, 0.34, 0.35), int4=(60, 0.31, 0.30)),
        trial(3, "elastic", int8=(200, 0.35, 0.33), elastic_64kb=(64, 0.32, 0.31)),
        {"trial": 4, "state": "failed", "error": "no", "parameters": {}},
    ],
}


def test_eval_chooses_among_the_files_that_fit() -> None:
    given = frontier.points(RESULTS)
    assert len(given) == 6
    dense = [point for point in given if point.kind == "dense"]
    best = frontier.best_within(dense, 128 * 1024)
    assert best is not None
    assert (best.trial, best.file, best.recall) == (1, "int8", 0.33)
    small = frontier.best_within(dense, 64 * 1024)
    assert small is not None
    assert (small.trial, small.file) == (2, "int4")
    assert frontier.best_within(dense, 1024) is None


def test_a_row_a_kind_and_a_column_a_budget() -> None:
    text = render.markdown(RESULTS, "frontier.svg")
    assert "## Recall@10 on test within a budget, chosen on eval" in text
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["item table", "64KB", "128KB"] in rows
    dense = [
        "0.3000 (trial 2 int4, 60.0 KB, 0.100 ms)",
        "0.3300 (trial 1 int8, 127.9 KB, 0.100 ms)",
    ]
    assert ["dense", *dense] in rows
    cut = "0.3100 (trial 3 elastic_64kb, 64.0 KB, 0.100 ms)"
    assert ["elastic", cut, cut] in rows


def test_each_file_by_the_targets_popularity_and_what_a_case_means() -> None:
    one = trial(1, "dense", int8=(100, 0.36, 0.33), elastic_64kb=(64, 0.3, 0.28))
    one["parameters"] = {"case": "mine"}
    for place, file in enumerate(("", "int8.", "elastic_64kb.")):
        for column, name in enumerate(("head", "torso", "tail")):
            key = f"{file}test.segments.{name}.recall_at_10"
            one["mean"][key], one["spread"][key] = (40 - place - 10 * column) / 100, 0.0
    one["mean"]["train_peak_gib"] = 1.26
    cases = {"mine": {"model.dim": 8, "training": {"max_epochs": 2}}}
    text = render.markdown({**RESULTS, "trials": [one], "cases": cases}, None)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["trial", "case", "file", "kB", "all", "head", "torso", "tail"] in rows
    assert ["1", "mine", "float32, as trained", "", "0.3000", "0.4000", "0.3000", "0.2000"] in rows
    assert ["1", "mine", "elastic_64kb", "66", "0.2800", "0.3800", "0.2800", "0.1800"] in rows
    assert ["1", "mine", "int8", "102", "0.3300", "0.3900", "0.2900", "0.1900"] in rows
    assert ["mine", "`model.dim`: 8, `training`: max_epochs=2"] in rows
    table = next(row for row in rows if "peak GiB" in row)
    first = next(row for row in rows if row[:3] == ["1", "mixer", "64"])
    assert dict(zip(table, first, strict=True))["case"] == "mine"
    assert dict(zip(table, first, strict=True))["peak GiB"] == "1.3"


def test_gzipped_files_are_told_as_they_ship_and_as_they_run() -> None:
    one = trial(1, "dense", int8=(100, 0.36, 0.33))
    one["mean"] |= {"int8.test.segments.tail.recall_at_10": 0.2, "int8.unzipped_bytes": 131_000}
    one["spread"] = dict.fromkeys(one["mean"], 0.0)
    text = render.markdown({**RESULTS, "trials": [one]}, None)
    assert "Files ship gzipped; unless it says unzipped, a size is that of what ships." in text
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["trial", "case", "file", "kB", "kB unzipped", "all", "head", "torso", "tail"] in rows
    assert ["1", "mixer", "int8", "102", "131", "0.3300", "", "", "0.2000"] in rows
    one["mean"]["int8.unzipped_bytes"] = one["mean"]["int8.bytes"]
    assert "unzipped" not in render.markdown({**RESULTS, "trials": [one]}, None)


def test_it_is_drawn_over_bytes_the_same_way_each_time() -> None:
    drawing = render.plot(RESULTS)
    assert drawing is not None
    assert drawing == render.plot(RESULTS)
    for label in ("bytes of the file", "64KB", "elastic"):
        assert label in drawing


def test_kinds_of_tables() -> None:
    assert kind_of_table(DenseTableConfig()) == "dense"
    assert kind_of_table(DenseTableConfig(bits=4)) == "dense, narrow or of few bits"
    assert kind_of_table(ElasticTableConfig()) == "elastic"
