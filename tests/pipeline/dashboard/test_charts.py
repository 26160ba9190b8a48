from __future__ import annotations

from pipeline.dashboard import charts, overview_charts, quality_charts, slices
from pipeline.dashboard.comparison import compare
from pipeline.dashboard.evaluation import Evaluation
from pipeline.dashboard.vega import Spec

FOUND = Evaluation(
    {
        "overall": {"windows": 400.0, "recall_at_10": 0.25, "mrr": 0.1},
        "genre=unknown": {"windows": 40.0, "recall_at_10": 0.5, "mrr": 0.2},
        "decade=unknown": {"windows": 360.0, "recall_at_10": 0.125, "mrr": 0.3},
    },
    (),
    True,
)


def values(spec: Spec) -> list[dict[str, object]]:
    """The rows of a chart's largest data set."""
    inline: dict[str, list[dict[str, object]]] = spec["datasets"]
    return max(inline.values(), key=len)


def test_bars_by_slice_carry_counts_intervals_and_the_whole() -> None:
    spec = quality_charts.by_slice(slices.measures(FOUND), "recall_at_10", "*")
    rows = [row for row in values(spec) if row["metric"] == "recall_at_10"]
    assert [(row["slice"], row["value"], row["whole"], row["note"]) for row in rows] == [
        ("everything", 0.25, 0.25, ""),
        ("unknown (Genre)", 0.5, 0.25, "n = 40"),
        ("unknown (Decade)", 0.125, 0.25, ""),
    ]
    assert rows[0]["low"] is not None
    assert all(row["low"] is None for row in values(spec) if row["metric"] == "mrr")
    assert {p["name"]: p["value"] for p in spec["params"]} == {
        "metric": "recall_at_10",
        "family": "*",
        "windows": 0,
        "order": "listed",
    }


def test_recommenders_differ_in_shape_as_well_as_in_colour() -> None:
    names = {"model": "this model", "popularity": "popularity"}
    found = Evaluation(
        {"overall": {"windows": 4.0, "recall_at_10": 0.5, "recall_at_10_popularity": 0.25}},
        (),
        True,
    )
    spec = quality_charts.compared(compare(found), names, 10)
    points = spec["layer"][-1]["encoding"]
    assert points["color"]["scale"]["domain"] == points["shape"]["scale"]["domain"]
    assert len(set(points["shape"]["scale"]["range"])) == 2
    # The model comes last, so that nothing covers it.
    assert [row["recommender"] for row in values(spec)] == ["popularity", "this model"]


def test_variants_show_what_was_measured_alone() -> None:
    reports = {
        "float32": {"bytes": 4000, "top10_overlap": 1.0, "recall_at_10": 0.5, "windows": 16},
        "int8": {"bytes": 1000, "top10_overlap": 0.75, "latency_ms": 0.2},
    }
    assert overview_charts.variant_measures(reports) == [
        *("recall_at_10", "top10_overlap", "latency_ms"),
    ]
    rows = values(overview_charts.variants(reports, "int8"))
    assert [(row["variant"], row["measure"], row["value"]) for row in rows] == [
        ("float32", "recall_at_10", 0.5),
        ("float32", "top10_overlap", 1.0),
        ("int8 (gated)", "top10_overlap", 0.75),
        ("int8 (gated)", "latency_ms", 0.2),
    ]
    # 8 of 16 windows hit: 0.5 +- 0.22.
    assert rows[0]["low"] is not None
    assert rows[1]["low"] is None


def test_curves_leave_gaps_out_and_say_where_they_begin_and_end() -> None:
    rows = [{"epoch": 1.0, "loss": 4.0}, {"epoch": 2.0, "loss": float("nan")}]
    spec = charts.curves([*rows, {"epoch": 3.0, "loss": 2.5}], ["loss"], "training loss")
    assert [row["epoch"] for row in values(spec)] == [1.0, 3.0]
    assert spec["description"] == "training loss by epoch: loss from 4 to 2.5."
