from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.lineage import Lineage
from tests.pipeline.dashboard.scene import Scene


def test_the_latest_run_is_read_by_default_and_any_by_its_id(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("first")
    scene.whole_run("second")
    lineage = Lineage(scene.workspace.metadata_db)
    assert lineage.run_ids() == ["first", "second"]
    assert lineage.read().run_id == "second"
    run = lineage.read("first")
    assert run.run_id == "first"
    assert run.pipeline == "pocketrec-tiny"
    assert [step.node_id for step in run.steps] == list(scene.outputs)
    examples = run.output("movielens_example_gen", "examples")
    assert examples is not None
    assert examples.type_name == "Examples"
    assert examples.properties["ratings_read"] == 1234
    assert run.output("movielens_example_gen", "nothing") is None
    assert run.output("no_such_step", "examples") is None


def test_a_cached_step_has_the_artifacts_and_the_origin_of_an_earlier_run(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("first")
    scene.store.run("second")
    scene.add("second", "trainer", "CACHED")
    step = Lineage(scene.workspace.metadata_db).read("second").step("trainer")
    assert step is not None
    assert (step.state, step.cached_from) == ("cached", "first")
    assert step.cached_seconds is not None
    model_run = step.output("model_run")
    assert model_run is not None
    assert model_run.path == scene.folder("trainer", "model_run")


def test_a_failure_carries_its_recorded_message_and_a_rerun_counts(scene: Scene) -> None:
    scene.store.run("only")
    scene.add("only", "trainer", "FAILED", error="loss is NaN")
    lineage = Lineage(scene.workspace.metadata_db)
    step = lineage.read().step("trainer")
    assert step is not None
    assert (step.state, step.error) == ("failed", "loss is NaN")
    scene.add("only", "trainer")
    assert [step.state for step in lineage.read().steps] == ["done"]


def test_an_unknown_run_is_answered_with_the_runs_there_are_the_closest_first(
    scene: Scene,
) -> None:
    for name in ("20260101T000000", "20260230T111111", "20260102T000000", "20260103T000000"):
        scene.store.run(name)
    lineage = Lineage(scene.workspace.metadata_db)
    with pytest.raises(DataError) as told:
        lineage.read("20260230T12")
    assert str(told.value).splitlines()[0].endswith("closest first:")
    # One digit is wrong in the first, four are in the others, of which the later come first.
    assert str(told.value).split()[-4:] == [
        *("20260230T111111", "20260103T000000", "20260102T000000", "20260101T000000"),
    ]
    for number in range(20):
        scene.store.run(f"more-{number}")
    with pytest.raises(DataError, match=r"\n  and 14 more$"):
        Lineage(scene.workspace.metadata_db).find("20260230T11")


def test_no_store_no_run_and_another_file_are_errors_with_a_way_out(
    scene: Scene, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="pocketrec run"):
        Lineage(tmp_path / "absent.sqlite")
    with pytest.raises(DataError, match="holds no run"):
        Lineage(scene.workspace.metadata_db).read()
    other = tmp_path / "other.sqlite"
    other.write_text("not a database, but long enough to look at: " * 40)
    with pytest.raises(DataError, match="not a readable ML Metadata store"):
        Lineage(other)
