from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from pipeline.dashboard.formats import MISSING
from tests.pipeline.dashboard.html_page import Page
from tests.pipeline.dashboard.scene import Scene


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page about a whole run."""
    scene = Scene(tmp_path_factory.mktemp("whole") / "workspace")
    scene.prepare()
    scene.whole_run("run-1")
    return scene.page()


def own_part(source: str) -> str:
    """The page without the library that draws the charts."""
    return source.replace(
        max(re.findall(r"<script>(.*?)</script>", source, re.DOTALL), key=len), ""
    )


def test_a_whole_run_shows_every_result(source: str) -> None:
    page = Page(source)
    assert "PUSHED: tiny version 3" in source
    assert page.row("ratings_read") == ["ratings_read", "1,234"]
    assert page.row("timestamp_min") == ["timestamp_min", "956703932 (2000-04-25)"]
    counts = [row[0] for row in page.rows if row[0].startswith(("ratings", "state", "timestamp_"))]
    assert counts == ["ratings_read", "ratings_kept", "timestamp_min"]
    assert page.row("train", "50", "7") == ["train", "50", "7"]
    numbers = ["2", "50%", "30", "12", "0.5", "3.25", "3.5", "5", "0"]
    assert page.row("rating", "test", "FLOAT") == [
        *("rating", "test", "FLOAT"),
        *numbers,
        *(MISSING, MISSING),
    ]
    assert [row[1] for row in page.rows if row[2:3] == ["FLOAT"]] == ["train", "test"]
    assert page.row("user_gender", "train")[-2:] == ["2", "F"]
    assert page.row("rating", "test", "ERROR")[3:] == [
        "Out-of-range values",
        "Unexpectedly high value: 7.",
    ]
    assert page.row("movie_id", "l infinity")[2:] == ["0.125", "0.2", "0.075", "pass"]
    assert page.row("rating", "jensen shannon")[2:] == ["0.25", "0.1", "-0.15", "fail"]
    assert "span 3 against span 2." in source
    assert "<strong>3</strong> movies" in source
    assert page.row("2", "5.25") == ["2", "5.25", "0.2"]
    assert "epoch <strong>2</strong> is kept" in source
    assert page.row("int8 gated, ships") == [
        *("int8 gated, ships", "25%", "1,000", "0.975"),
        "ef" * 32,
    ]
    assert page.row("int8.tflite") == ["int8.tflite", "4,321", "ab" * 32]
    assert page.row("registry_version") == ["registry_version", "3"]
    assert "min_margin_over_popularity: 0.01" in source
    assert "data_gate" not in {row[0] for row in page.rows if row[1:2] == ["not reached"]}
    assert "schema_importer" in {row[0] for row in page.rows if row[1:2] == ["not reached"]}


def test_every_threshold_is_shown_with_its_margin(source: str) -> None:
    page = Page(source)
    # 0.2625 stands 0.2525 above 0.01.
    assert page.row("recall_margin_over_popularity_at_10") == [
        *("recall_margin_over_popularity_at_10", "pass", "0.2625", "at least 0.01", "+0.2525"),
        "recall@10 minus that of the better of the two popularity recommenders",
    ]
    assert page.row("mrr") == [
        *("mrr", "fail", MISSING, "at least 0.2", MISSING, "the metric is missing"),
    ]
    assert "slice country has no test windows" in source


def test_slices_and_comparison_hold_values_intervals_and_counts(source: str) -> None:
    page = Page(source)
    # 25 of 80 windows. Wilson by hand: centre (0.3125 + 3.8415 / 160) / 1.04802 = 0.32109, half
    # 1.96 * sqrt(0.3125 * 0.6875 / 80 + 3.8415 / 25600) / 1.04802 = 0.09959.
    assert page.row("everything small", "Recall@10") == [
        *("everything small", "Recall@10", "Everything", "80", "0.3125", "0.2215 to 0.4207"),
    ]
    # 2 of 16: centre (0.125 + 0.12005) / 1.24009 = 0.19760, half 0.16255.
    assert page.row("tail small", "Recall@10")[3:] == ["16", "0.1250", "0.0350 to 0.3602"]
    assert page.row("tail small", "NDCG@10")[3:] == ["16", "0.0625", "no interval"]
    # Popularity's 0.05 lies below 0.2215, so that the difference is not chance alone.
    compared = [row for row in page.rows if row[0] == "tail small" and len(row) == 4]
    assert compared == [["tail small", "16", "0.1250", "+0.1250 (0.0000)"]]


def test_the_file_loads_nothing_and_runs_its_own_scripts_alone(source: str) -> None:
    page = Page(source)
    targets = page.values("href") + page.values("src")
    assert targets
    assert all(target.startswith("#") for target in targets)
    ids = [value for tag, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in targets} <= set(ids)
    own = own_part(source)
    assert not re.search(r"@import|<link|<img|<iframe|url\((?!#)|https?:|xlink", own)
    policy = next(v for tag, name, v in page.attributes if (tag, name) == ("meta", "content"))
    assert policy.startswith("default-src 'none'; ")
    scripts = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert len(source.encode()) < 2_000_000


def test_charts_and_tables_are_described(source: str) -> None:
    page = Page(source)
    own = own_part(source)
    assert own.count("<table") == own.count("<caption") > 20
    told = [spec["description"] for spec in page.specs if "description" in spec]
    assert len(told) == own.count('<figure class="chart"') == 9
    assert any("loss from 6.5 to 5.25" in text for text in told)
    assert any("this model (int8): 0.1250 at 1, 0.3125 at 10" in text for text in told)
    assert re.findall(r"<h([1-6])", source)[0] == "1"
    assert ("html", "lang", "en") in page.attributes
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert labels == ["Steps and artifacts of the run; the tables below hold the same"]


def test_the_same_runs_give_the_same_bytes(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    scene.whole_run("run-2", seed=7)
    assert scene.page() == scene.page()


def test_a_model_that_was_not_pushed_says_why_and_markup_is_escaped(scene: Scene) -> None:
    scene.prepare(pushed=False)
    scene.whole_run("run-1")
    assert scene.dashboard().verdict.kind == "not-pushed"
    source = scene.page()
    assert "mrr &lt;b&gt;is&lt;/b&gt; missing" in source
    assert "<b>" not in source


def test_a_failed_run_names_the_step_and_the_reason(scene: Scene) -> None:
    scene.prepare()
    scene.store.run("run-1")
    scene.add("run-1", "movielens_example_gen")
    scene.add("run-1", "example_validator")
    scene.add("run-1", "data_gate", "FAILED")
    assert "No message was recorded" in scene.dashboard().verdict.reason
    # The local runner's own summary knows what ML Metadata does not.
    scene.workspace.runs.mkdir()
    summary = {"error": "rating: above 5", "config": {"dataset": "tiny"}}
    (scene.workspace.runs / "run-1.json").write_text(json.dumps(summary))
    dashboard = scene.dashboard()
    assert dashboard.verdict.headline == "FAILED at data_gate"
    assert dashboard.verdict.reason == "rating: above 5"
    assert dashboard.dataset == "tiny"
    source = scene.page()
    page = Page(source)
    assert page.row("data_gate")[1] == "failed"
    assert page.row("trainer")[1] == "not reached"
    assert "NOT PUSHED: the run did not get there." in source
    assert source.count("The model was not evaluated.") == 2
    assert "No run was evaluated yet." in source


def test_a_step_that_failed_before_it_was_recorded_is_named(scene: Scene) -> None:
    scene.store.run("run-1")
    scene.add("run-1", "movielens_example_gen")
    scene.workspace.runs.mkdir()
    record = {"failed_step": "transform", "error": "no such schema"}
    (scene.workspace.runs / "run-1.json").write_text(json.dumps(record))
    verdict = scene.dashboard().verdict
    assert (verdict.headline, verdict.reason) == ("FAILED at transform", "no such schema")


def test_a_killed_run_an_empty_one_and_one_of_data_alone_render(scene: Scene) -> None:
    scene.store.run("empty")
    assert "the last step was not reached" in scene.page("empty")
    scene.store.run("killed")
    scene.add("killed", "transform", "RUNNING")
    assert scene.dashboard("killed").verdict.headline == "INCOMPLETE: transform has not ended"
    assert Page(scene.page("killed")).row("transform")[1] == "running"
    scene.prepare()
    scene.store.run("data")
    for node_id in ("movielens_example_gen", "statistics_gen", "example_validator", "transform"):
        scene.add("data", node_id)
    assert scene.dashboard("data").verdict.kind == "data-only"
    source = scene.page("data")
    assert "DATA ONLY: windows are made, no model was trained" in source
    assert "There are no training figures." in source


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_shown(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    history = scene.folder("trainer", "model_run") / "history.json"
    history.write_text("{")
    statistics = scene.folder("statistics_gen", "statistics") / "Split-test" / "FeatureStats.pb"
    statistics.write_bytes(b"\xff\xff\xff")
    assert len(scene.dashboard().notes) == 2
    source = scene.page()
    assert str(history) in source
    assert str(statistics) in source
    assert "ratings_read" in source


def test_the_epoch_of_an_elastic_model_is_the_best_in_the_mean_of_its_sizes(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    history = scene.folder("trainer", "model_run") / "history.json"
    assert history.is_file()
    epochs = [
        {"epoch": 1, "loss": 2.0, "recall_at_10": 0.25, "recall_at_10_of_sizes": 0.1875},
        {"epoch": 2, "loss": 1.5, "recall_at_10": 0.3125, "recall_at_10_of_sizes": 0.125},
    ]
    history.write_text(json.dumps(epochs), encoding="utf-8")
    source = scene.page()
    assert "epoch <strong>1</strong> is kept" in source
    assert "the whole table, its half and its quarter, 0.1875" in source
