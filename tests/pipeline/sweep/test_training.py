"""One training of a study, on planted windows: judged, converted, timed."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.config.root import Config
from pipeline.errors import ConfigError
from pipeline.sweep.examples import Examples
from pipeline.sweep.spec import TFLITE, Spec
from pipeline.sweep.training import train_and_judge
from tests.modules.training.planted import HISTORY, training_config
from tests.modules.training.test_trainer import arguments  # noqa: F401 - a fixture


@pytest.fixture
def spec(arguments: SimpleNamespace, tmp_path: Path) -> Spec:  # noqa: F811
    shutil.copytree(tmp_path / "examples/Split-eval", tmp_path / "examples/Split-test")
    config = Config.model_validate(
        {
            "seed": 1,
            "history": {"length": HISTORY, "stride": HISTORY},
            "model": {"encoder": {"name": "cnn", "layers": 1, "kernel": 2}, "dim": 8},
            "training": training_config(max_epochs=20, patience=20).model_dump(mode="json"),
            "conversion": {"top_k": 10},
        }
    )
    examples = Examples(str(tmp_path / "examples"), arguments.transform_graph_path, "none")
    return Spec(config, examples, True, 20, str(tmp_path / "checkpoints"))


def test_a_spec_survives_its_file(spec: Spec) -> None:
    assert Spec.from_json(spec.to_json()) == spec


@pytest.mark.thorough
def test_what_is_learned_is_measured_on_each_split_in_float_and_int8(
    spec: Spec, tmp_path: Path
) -> None:
    folder = tmp_path / "trial"
    folder.mkdir()
    result = train_and_judge(spec, folder)
    # After each movie comes the next one: this can be learned whole.
    assert result["eval"]["recall_at_10"] > 0.9
    assert result["test"] == result["eval"]
    assert result["int8"]["eval"]["recall_at_10"] > 0.9
    assert result["int8"]["test"] == result["int8"]["eval"]
    assert result["int8"]["bytes"] == (folder / TFLITE).stat().st_size
    assert 0 < result["int8"]["latency_min_ms"] <= result["int8"]["latency_ms"]
    assert result["epochs"] == 20
    assert 1 <= result["best_epoch"] <= 20
    assert (folder / "logs/history.json").is_file()
    # For other studies, and for students.
    assert len(list(Path(spec.checkpoints).glob("*/state.npz"))) == 1


def test_a_divergence_is_an_error_of_ours(spec: Spec, tmp_path: Path) -> None:
    tree = spec.config.model_dump(mode="json")
    tree["training"]["optimizer"] |= {"learning_rate": 1e38, "name": "sgd"}
    diverging = dataclasses.replace(spec, config=Config.model_validate(tree))
    with pytest.raises(ConfigError, match="diverged"):
        train_and_judge(diverging, tmp_path)
