"""What the page tells of each variant: recall on the test split, cost, and what became of it."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from pipeline.dashboard import comparison, glossary
from pipeline.dashboard.evaluation import Evaluation
from pipeline.dashboard.formats import MISSING
from tests.pipeline.dashboard import scene as scenes
from tests.pipeline.dashboard.html_page import Page
from tests.pipeline.dashboard.scene import Scene

REASON = "its recall@10 lies <b>too</b> low"
MEASURED = {
    "overall": {"recall_at_10_float32": 0.3125, "recall_at_10_int4": 0.25},
    "popularity_segment=head": {"recall_at_10_float32": 0.375, "recall_at_10_int4": 0.375},
    "popularity_segment=tail": {"recall_at_10_float32": 0.125, "recall_at_10_int4": 0.0},
}


def read_evaluation(uri: str) -> Evaluation:
    """As the scene's, with two further variants; one of them was not measured."""
    found = scenes_evaluation(uri)
    slices = {
        name: {**values, **MEASURED.get(name, {}), "recall_at_10_int8_full": math.nan}
        for name, values in found.slices.items()
    }
    return dataclasses.replace(found, slices=slices)


scenes_evaluation = scenes.read_evaluation


@pytest.fixture
def page(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Page:
    scene.prepare()
    conversion = scene.folder("tflite_converter", "model") / "conversion.json"
    report = json.loads(conversion.read_text())
    report["variants"]["int8"] |= {"latency_ms": 0.125, "memory_bytes": 2048}
    report["variants"]["int4"] = {"bytes": 500, "sha256": "12" * 32}
    report["not_made"] = {"int8_full": "no int8 input\nat step 3"}
    conversion.write_text(json.dumps(report))
    manifest = {
        "files": {},
        "variants": {"float32": "float32.tflite", "int8": "int8.tflite"},
        "variants_left_out": {"int4": REASON, "int8_full": "the converter could not make it"},
    }
    pushed = scene.folder("registry_pusher", "pushed_model") / "manifest.json"
    pushed.write_text(json.dumps(manifest))
    monkeypatch.setattr(scenes, "read_evaluation", read_evaluation)
    scene.whole_run("run-1")
    return Page(scene.page())


def test_a_row_of_each_variant(page: Page) -> None:
    assert page.row("float32", "4,000", "0.3125") == [
        *("float32", "4,000", "0.3125", "0.2215 to 0.4207", MISSING),
        *("0.3750", "0.1250", MISSING, MISSING, "ships"),
    ]
    # The gated one lost no hit; 0.359375 of the head's 64 windows are one less than 0.375.
    assert page.row("int8 gated", "1,000", "0.3125") == [
        *("int8 gated", "1,000", "0.3125", "0.2215 to 0.4207", "0.0000"),
        *("0.3594 (\u22120.0156)", "0.1250 (0.0000)", "0.125", "2", "ships"),
    ]
    # 20 of 80: Wilson's centre (0.25 + 0.02401) / 1.04802 = 0.26146, half 0.09339.
    assert page.row("int4", "500", "0.2500") == [
        *("int4", "500", "0.2500", "0.1681 to 0.3548", "\u22120.0625"),
        *("0.3750 (0.0000)", "0.0000 (\u22120.1250)", MISSING, MISSING, f"left out: {REASON}"),
    ]
    assert page.row("int8_full") == [
        *("int8_full", *[MISSING] * 8, "not made: no int8 input"),
    ]


def test_the_chart_and_the_slices_know_the_variants(page: Page) -> None:
    (spec,) = [s for s in page.specs if s.get("description", "").startswith("Variants by size")]
    shown = max(spec["datasets"].values(), key=len)
    assert {
        (row["variant"], row["value"], round(row["low"], 4))
        for row in shown
        if row["measure"] == "test_recall_at_10"
    } == {
        ("float32", 0.3125, 0.2215),
        ("int8 (gated)", 0.3125, 0.2215),
        ("int4 (left out)", 0.25, 0.1681),
    }
    assert page.row("tail small", "Recall@10 of int4")[3:5] == ["16", "0.0000"]
    assert not [row for row in page.rows if "int8_full against float32" in row]


def test_a_variant_is_no_recommender_of_the_recall_curves() -> None:
    evaluation = Evaluation({"overall": {"windows": 80.0, **MEASURED["overall"]}}, (), True)
    assert glossary.metric("recall_at_10_int4").reference == "int4"
    assert set(comparison.recall_by_k(evaluation)) == {"float32"}


def test_nothing_is_said_to_ship_where_nothing_was_pushed(scene: Scene) -> None:
    scene.prepare(pushed=False)
    scene.whole_run("run-1")
    page = Page(scene.page())
    assert page.row("int8 gated", "1,000", "0.3125")[-1] == MISSING
