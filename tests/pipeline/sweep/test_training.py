"""One training of a study, on planted windows: judged, converted, timed."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.config.root import Config
from pipeline.errors import ConfigError
from pipeline.sweep.examples import Examples
from pipeline.sweep.spec import Spec
from pipeline.sweep.training import metrics_by_segment, train_and_judge
from pocketrec_device.gzipped import gzipped
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
            "conversion": {"top_k": 10, "gzip": True},
        }
    )
    examples = Examples(str(tmp_path / "examples"), arguments.transform_graph_path, "none")
    return Spec(config, examples, True, ("int8", "int4"), (), 20, str(tmp_path / "checkpoints"))


def test_a_spec_survives_its_file(spec: Spec) -> None:
    assert Spec.from_json(spec.to_json()) == spec


@pytest.mark.thorough
def test_what_is_learned_is_measured_on_each_split_in_float_and_as_files(
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
    # A vocabulary of 20 movies, 20 to 1 times watched: 5 make up the first third, 6 the next.
    segments = result["eval"]["segments"]
    assert set(segments) == {"head", "torso", "tail"}
    assert sum(part["windows"] for part in segments.values()) == 30
    share = sum(part["windows"] * part["recall_at_10"] for part in segments.values()) / 30
    assert share == pytest.approx(result["eval"]["recall_at_10"])
    assert set(segments["tail"]) - {"windows"} == set(result["eval"]) - {"segments"}
    assert result["int4"]["eval"]["recall_at_10"] > 0.5
    for name in ("int4", "int8"):
        file = (folder / f"model.{name}.tflite").read_bytes()
        assert result[name]["unzipped_bytes"] == len(file)
        assert result[name]["bytes"] == len(gzipped(file)) < len(file)
    assert 0 < result["int8"]["latency_min_ms"] <= result["int8"]["latency_ms"]
    assert result["epochs"] == 20
    assert 1 <= result["best_epoch"] <= 20
    assert (folder / "logs/history.json").is_file()
    # For other studies, and for students.
    assert len(list(Path(spec.checkpoints).glob("*/state.npz"))) == 1
    # What is trained already is judged again: its time and memory stay those of its training.
    again = train_and_judge(spec, folder)
    for figure in ("train_seconds", "train_peak_gib"):
        assert again[figure] == result[figure]
    assert 0.2 < again["train_peak_gib"] < 20


def test_segments_are_judged_apart() -> None:
    ranks = np.array([1, 11, 2, 60, 3])
    found = metrics_by_segment(ranks, np.array(["head", "head", "tail", "unknown", "tail"]))
    assert found["recall_at_10"] == pytest.approx(3 / 5)
    assert {name: part["windows"] for name, part in found["segments"].items()} == {
        "head": 2,
        "tail": 2,
    }
    assert [found["segments"][name]["recall_at_10"] for name in ("head", "tail")] == [0.5, 1.0]
    assert found["segments"]["tail"]["mrr"] == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_a_divergence_is_an_error_of_ours(spec: Spec, tmp_path: Path) -> None:
    tree = spec.config.model_dump(mode="json")
    tree["training"]["optimizer"] |= {"learning_rate": 1e38, "name": "sgd"}
    diverging = dataclasses.replace(spec, config=Config.model_validate(tree))
    with pytest.raises(ConfigError, match="diverged"):
        train_and_judge(diverging, tmp_path)
