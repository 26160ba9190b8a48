"""A pipeline with a Tuner: what it finds is what is trained, converted and registered."""

import json
from pathlib import Path

import pytest

from pipeline.lineage import Lineage
from pipeline.workspace import Workspace
from tests.e2e.command import pocketrec, run_arguments

pytestmark = pytest.mark.slow


def test_the_best_settings_reach_the_registered_model(tmp_path: Path) -> None:
    # A rate this small learns nothing, so that the other one is the best.
    rates = "{training.optimizer.learning_rate: [0.00000001, 0.003]}"
    pocketrec(
        *run_arguments(
            tmp_path,
            "training.optimizer.learning_rate=0.00000001",
            "tuner.enabled=true",
            "tuner.search=grid",
            "tuner.trials=2",
            "tuner.max_epochs=3",
            f"tuner.parameters={rates}",
        )
    )
    run = Lineage(Workspace.at(tmp_path).metadata_db).read()
    assert [step.node_id for step in run.steps].index("tuner") < [
        step.node_id for step in run.steps
    ].index("trainer")
    converted = run.output("tflite_converter", "model")
    assert converted is not None
    report = json.loads((converted.path / "conversion.json").read_text())
    assert report["hyperparameters"] == {"training.optimizer.learning_rate": 0.003}
    logs = run.output("trainer", "model_run")
    assert logs is not None
    rows = json.loads((logs.path / "history.json").read_text())
    assert max(row["learning_rate"] for row in rows) > 0.001
