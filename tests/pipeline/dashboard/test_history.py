from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.dashboard.history import changes
from pipeline.dashboard.render import all_page
from pipeline.workspace import Workspace
from tests.pipeline.dashboard.html_page import Page
from tests.pipeline.dashboard.scene import Scene


def test_settings_that_differ_are_named_with_both_values() -> None:
    before = {"seed": 1, "model": {"dim": 64, "encoder": {"name": "cnn", "kernel": 3}}}
    now = {"seed": 2, "model": {"dim": 64, "encoder": {"name": "lstm"}}}
    found = changes(before, now)
    assert found is not None
    assert [str(change) for change in found] == [
        "model.encoder.kernel = not set (before: 3)",
        "model.encoder.name = lstm (before: cnn)",
        "seed = 2 (before: 1)",
    ]
    assert changes(before, before) == ()
    assert changes(None, now) is None


def test_runs_stand_beside_each_other_with_what_was_changed(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    scene.whole_run("run-2", seed=7)
    scene.store.run("run-3")
    scene.add("run-3", "trainer", "FAILED", error="loss is NaN")
    source = scene.page("run-2")
    rows = [row for row in Page(source).rows if len(row) == 9]
    assert [row[0] for row in rows if row[0][:1].isdigit()] == ["3", "2 this run", "1"]
    failed, this, first = (row for row in rows if row[0][:1].isdigit())
    assert (failed[2], failed[8]) == ("failed", "loss is NaN")
    assert this[2:] == ["version 3", "0.3125", "0.2500", "–", "1 kB", "seed = 7 (before: 42)", ""]  # noqa: RUF001
    assert first[7] == "–"  # noqa: RUF001


def test_one_page_tells_of_all_runs(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    scene.store.run("run-2")
    source = all_page(scene.history(), "there")
    page = Page(source)
    assert "All runs of there" in source
    targets = [value for value in page.values("href") if value.startswith("#run-")]
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert targets == ["#run-2", "#run-1"]
    assert set(page.values("href")) <= {f"#{name}" for name in ids}
    assert len(ids) == len(set(ids))
    assert "INCOMPLETE: the last step was not reached" in source
    assert page.row("mrr")[1] == "fail"
    assert page.row("int8 gated, ships")[1] == "25%"


def test_the_model_that_was_compared_with_is_found_among_the_runs(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    model = scene.outputs["tflite_converter"]["model"]
    newer = scene.store.artifact("Model", scene.folder("tflite_converter", "model"))
    scene.outputs["tflite_converter"] = {"model": [newer]}
    scene.whole_run("run-2")
    windows = {"windows": [scene.outputs["transform"]["transform_graph"][0]]}
    timelines = {"timelines": scene.outputs["movielens_example_gen"]["examples"]}
    scene.store.step("run-1", "reference_ranks", inputs={**windows, **timelines})
    scene.store.step("run-2", "reference_ranks", inputs={**windows, **timelines, "blessed": model})
    history = scene.history()
    first, second = (record.dashboard for record in history.records)
    assert history.champion_of(first) is None
    assert history.champion_of(second) is first
    told = next(
        s["description"] for s in Page(scene.page("run-2")).specs if "Recall by K" in str(s)
    )
    # Both were measured on the same windows, so that the champion's own recall is shown as well.
    assert "champion (version 3): 0.1250 at 1, 0.3125 at 10" in told


def test_a_workspace_that_was_moved_is_read_where_it_is(scene: Scene, tmp_path: Path) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    moved = tmp_path / "moved"
    shutil.move(scene.workspace.root, moved)
    scene.workspace = Workspace.at(moved)
    dashboard = scene.dashboard()
    assert dashboard.notes == ()
    assert len(dashboard.epochs) == 2
    examples = dashboard.run.output("movielens_example_gen", "examples")
    assert examples is not None
    assert examples.path == moved / "artifacts" / "movielens_example_gen" / "examples" / "1"
