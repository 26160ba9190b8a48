from __future__ import annotations

import itertools

import pytest

from pipeline.dashboard.graph import graph
from pipeline.dashboard.layout import lay_out, layer
from pipeline.lineage import Lineage
from tests.pipeline.dashboard.scene import Scene


def test_a_node_stands_below_all_that_lead_to_it() -> None:
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")]
    assert layer("abcde", edges) == {"a": 0, "b": 1, "c": 2, "d": 0, "e": 0}
    with pytest.raises(ValueError, match="circle"):
        layer("ab", [("a", "b"), ("b", "a")])


def test_boxes_do_not_overlap_and_lines_run_from_edge_to_edge() -> None:
    sizes = dict.fromkeys("abcdef", (100.0, 20.0))
    edges = [("a", "c"), ("a", "d"), ("b", "c"), ("c", "e"), ("a", "e"), ("d", "f"), ("b", "f")]
    laid = lay_out(sizes, edges)
    for one, other in itertools.combinations("abcdef", 2):
        (x1, y1), (x2, y2) = laid.centres[one], laid.centres[other]
        assert abs(x1 - x2) >= 100 or abs(y1 - y2) >= 20, (one, other)
    for x, y in laid.centres.values():
        assert 50 <= x <= laid.width - 50
        assert 10 <= y <= laid.height - 10
    x, y = laid.centres["a"]
    assert laid.paths[0].startswith(f"M{x:g},{y + 10:g}C")
    x, y = laid.centres["c"]
    assert laid.paths[0].endswith(f" {x:g},{y - 10:g}")


def test_crossings_are_untangled() -> None:
    # As listed, the two lines cross; with one of the rows turned round they do not.
    laid = lay_out(dict.fromkeys("abxy", (10.0, 10.0)), [("a", "y"), ("b", "x")])
    at = {key: x for key, (x, _) in laid.centres.items()}
    assert (at["a"] < at["b"]) == (at["y"] < at["x"])


def test_a_run_is_drawn_as_steps_and_artifacts_with_one_maker_each(scene: Scene) -> None:
    store = scene.store
    store.run("run")
    examples = store.artifact("Examples", scene.workspace.root)
    model = store.artifact("Model", scene.workspace.root)
    old = store.artifact("Model", scene.workspace.root)
    store.step("run", "gen", outputs={"examples": [examples]})
    store.step("run", "trainer", inputs={"examples": [examples]}, outputs={"model": [model]})
    # A look-up puts out the candidate, which it did not make, and an earlier run's model.
    store.step("run", "look_up", outputs={"candidate": [model], "model": [old]})
    drawn = graph(Lineage(scene.workspace.metadata_db).read())
    assert drawn is not None
    assert {(edge.source, edge.target) for edge in drawn.edges} == {
        ("step-gen", f"artifact-{examples}"),
        (f"artifact-{examples}", "step-trainer"),
        ("step-trainer", f"artifact-{model}"),
        (f"artifact-{model}", "step-look_up"),
        ("step-look_up", f"artifact-{old}"),
    }
    assert {node.label for node in drawn.nodes if node.kind == "artifact"} == {
        *(f"Examples {examples}", f"Model {model}", f"Model {old}"),
    }


def test_a_run_without_a_step_has_no_graph(scene: Scene) -> None:
    scene.store.run("run")
    assert graph(Lineage(scene.workspace.metadata_db).read()) is None
