"""The component under TFX's local runner, with a training function that records its arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_metadata as mlmd
import pytest
from tfx import v1 as tfx
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.types import standard_artifacts

from components.catalogue_trainer.component import CatalogueTrainer
from components.champion_model.layout import write_no_model
from tests.components.catalogue_trainer.ingested import Ingest

RUN_FN = "tests.components.catalogue_trainer.recording.run_fn"


class Place:
    """Artifacts of the stages before, and one run of the trainer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.metadata = sqlite_metadata_connection_config(str(root / "metadata.db"))

    def run(
        self,
        *,
        with_catalogue: bool,
        splits: tuple[str, ...] = ("catalogue",),
        span: int | None = None,
        with_base: bool = False,
        with_teachers: bool = False,
    ) -> Any:
        """Trains; returns what the training function saw."""
        windows = self._importer("windows", standard_artifacts.Examples, ("train", "eval"))
        key, raw = "result", self._importer("raw", standard_artifacts.Examples, ("train", *splits))
        if span is not None:
            key, raw = "examples", Ingest(splits=json.dumps(("train", *splits)), span=span)
        bases = [self._importer("base", standard_artifacts.Model)] if with_base else []
        taught_by = [self._importer("teachers", standard_artifacts.Model)] if with_teachers else []
        graph = self._importer("graph", standard_artifacts.TransformGraph)
        schema = self._importer("schema", standard_artifacts.Schema)
        (self.root / "schema" / "schema.pbtxt").touch()
        trainer = CatalogueTrainer(
            run_fn=RUN_FN,
            examples=windows.outputs["result"],
            transform_graph=graph.outputs["result"],
            schema=schema.outputs["result"],
            train_args=tfx.proto.TrainArgs(splits=["train"]),
            eval_args=tfx.proto.EvalArgs(splits=["eval"]),
            custom_config={"seed": 3},
            catalogue=raw.outputs[key] if with_catalogue else None,
            base_model=bases[0].outputs["result"] if bases else None,
            teachers=taught_by[0].outputs["result"] if taught_by else None,
        ).with_id("trainer")
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline(
                pipeline_name="toy",
                pipeline_root=str(self.root / "artifacts"),
                components=[windows, raw, graph, schema, *bases, *taught_by, trainer],
                metadata_connection_config=self.metadata,
            )
        )
        (seen,) = (self.root / "artifacts" / "trainer" / "model").rglob("seen.json")
        return json.loads(seen.read_text())

    def recorded(self) -> str:
        """`custom_config` as the trainer's execution has it in the metadata."""
        (execution,) = mlmd.MetadataStore(self.metadata).get_executions_by_type(
            "components.catalogue_trainer.component.CatalogueTrainer"
        )
        return str(execution.custom_properties["custom_config"].string_value)

    def _importer(self, name: str, kind: Any, splits: tuple[str, ...] = ()) -> Any:
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        properties = {"split_names": json.dumps(splits)} if splits else {}
        return tfx.dsl.Importer(
            source_uri=str(folder), artifact_type=kind, properties=properties
        ).with_id(name)


def test_the_training_function_gets_the_catalogue_beside_its_settings(tmp_path: Path) -> None:
    place = Place(tmp_path)
    seen = place.run(with_catalogue=True)
    assert seen["custom_config"] == {"seed": 3, "catalogue": str(tmp_path / "raw/Split-catalogue")}
    assert seen["train_files"] == [str(tmp_path / "windows/Split-train/*")]
    assert seen["transform_graph_path"] == str(tmp_path / "graph")
    # A path among the recorded settings would be part of the cache's key.
    assert json.loads(place.recorded()) == {"seed": 3}


def test_it_gets_the_span_and_the_models_to_begin_with_and_to_learn_from(tmp_path: Path) -> None:
    place = Place(tmp_path)
    seen = place.run(with_catalogue=True, span=7, with_base=True, with_teachers=True)
    custom = seen["custom_config"]
    assert (custom["span"], custom["base_model"], custom["teachers"]) == (
        7,
        str(tmp_path / "base"),
        str(tmp_path / "teachers"),
    )
    assert json.loads(place.recorded()) == {"seed": 3}


def test_an_artifact_that_holds_no_model_is_none_to_begin_with(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    write_no_model(str(tmp_path / "base"), "no champion yet")
    seen = Place(tmp_path).run(with_catalogue=True, span=7, with_base=True)
    assert "base_model" not in seen["custom_config"]
    assert seen["custom_config"]["span"] == 7


def test_without_a_catalogue_it_is_tfx_s_trainer(tmp_path: Path) -> None:
    assert Place(tmp_path).run(with_catalogue=False)["custom_config"] == {"seed": 3}


def test_examples_without_a_catalogue_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="catalogue"):
        Place(tmp_path).run(with_catalogue=True, splits=())
