from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.types import standard_artifacts

from modules.evaluation.resolver import LatestOtherBlessedStrategy, blessed_model_resolver
from tests.modules.evaluation.mini_components import Convert, Judge, Train


def model(number: int) -> Any:
    made = standard_artifacts.Model()
    made.id = number
    return made


def blessing(number: int, model_id: int, *, blessed: bool = True) -> Any:
    made = standard_artifacts.ModelBlessing()
    made.id = number
    made.set_int_custom_property("current_model_id", model_id)
    made.set_int_custom_property("blessed", int(blessed))
    return made


def resolve(models: list[Any], blessings: list[Any], candidate: Any) -> tuple[list[int], list[int]]:
    result = LatestOtherBlessedStrategy().resolve_artifacts(
        None, {"model": models, "model_blessing": blessings, "candidate": [candidate]}
    )
    assert [artifact.id for artifact in result["candidate"]] == [candidate.id]
    return (
        [artifact.id for artifact in result["model"]],
        [artifact.id for artifact in result["model_blessing"]],
    )


def test_first_run_has_nothing_to_compare_with() -> None:
    assert resolve([model(1), model(2)], [], model(2)) == ([], [])


def test_latest_blessed_model_is_taken() -> None:
    models = [model(1), model(3), model(5)]
    blessings = [blessing(2, 1), blessing(4, 3)]
    assert resolve(models, blessings, model(5)) == ([3], [4])


def test_a_refused_model_is_passed_over() -> None:
    models = [model(1), model(3), model(5)]
    blessings = [blessing(2, 1), blessing(4, 3, blessed=False)]
    assert resolve(models, blessings, model(5)) == ([1], [2])


def test_candidate_itself_is_never_taken() -> None:
    models = [model(1), model(3)]
    assert resolve(models, [blessing(2, 1), blessing(4, 3)], model(3)) == ([1], [2])
    assert resolve([model(3)], [blessing(4, 3)], model(3)) == ([], [])


def test_an_old_candidate_meets_what_was_blessed_since() -> None:
    models = [model(1), model(3)]
    assert resolve(models, [blessing(2, 1), blessing(4, 3)], model(1)) == ([3], [4])


def test_the_last_blessing_counts_not_the_youngest_model() -> None:
    models = [model(1), model(3), model(7)]
    blessings = [blessing(2, 1), blessing(4, 3), blessing(6, 1)]
    assert resolve(models, blessings, model(7)) == ([1], [6])


def test_one_candidate_is_needed() -> None:
    with pytest.raises(ValueError, match="one candidate"):
        LatestOtherBlessedStrategy().resolve_artifacts(
            None, {"model": [], "model_blessing": [], "candidate": []}
        )


class Runs:
    """Runs train, convert, resolve, judge with LocalDagRunner on one metadata store."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._metadata = sqlite_metadata_connection_config(str(root / "metadata.sqlite"))

    def run(self, version: str) -> tuple[str, set[str]]:
        """Returns what the judge compared, and the steps that ran; a resolver always does."""
        train = Train(version=version)
        convert = Convert(trained=train.outputs["model"])
        resolver = blessed_model_resolver(convert.outputs["model"]).with_id("latest_blessed_model")
        judge = Judge(candidate=convert.outputs["model"], blessed=resolver.outputs["model"])
        before = {execution.id for execution in self._store().get_executions()}
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline(
                pipeline_name="test",
                pipeline_root=str(self._root / "artifacts"),
                components=[train, convert, resolver, judge],
                enable_cache=True,
                metadata_connection_config=self._metadata,
            )
        )
        store = self._store()
        types = {kind.id: kind.name for kind in store.get_execution_types()}
        new = [execution for execution in store.get_executions() if execution.id not in before]
        ran = {
            types[execution.type_id].rsplit(".", 1)[-1]
            for execution in new
            if execution.last_known_state == metadata_store_pb2.Execution.COMPLETE
        } - {"Resolver"}
        judged = [e.id for e in new if types[e.type_id].endswith("Judge")]
        outputs = [
            event.artifact_id
            for event in store.get_events_by_execution_ids(judged)
            if event.type == metadata_store_pb2.Event.OUTPUT
        ]
        (verdict,) = store.get_artifacts_by_id(outputs)
        return Path(verdict.uri, "compared").read_text(), ran

    def _store(self) -> mlmd.MetadataStore:
        return mlmd.MetadataStore(self._metadata)


def test_in_a_pipeline(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    everything = {"Train", "Convert", "Judge"}
    assert runs.run("one") == ("one with nothing", everything)
    # An identical run compares with the same, so everything comes from the cache.
    assert runs.run("one") == ("one with nothing", set())
    assert runs.run("two, bad") == ("two, bad with one", everything)
    assert runs.run("three") == ("three with one", everything)
    assert runs.run("three") == ("three with one", set())
    # The first model comes back from the cache, and has to stand up to the third.
    assert runs.run("one") == ("one with three", {"Judge"})
