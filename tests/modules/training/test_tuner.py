"""What a Tuner finds is what the Trainer trains with: the real Keras Tuner on planted windows."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from modules import trainer, tuner
from modules.training.data import RunSettings
from modules.training.hyperparameters import saved_values, tuned_model, values_of, with_values
from pipeline.config.history import HistoryConfig
from pipeline.config.model import CnnConfig, ModelConfig
from pipeline.config.root import Config
from pipeline.config.training import TrainingConfig
from pipeline.config.tuner import TunerConfig
from pipeline.errors import ConfigError
from tests.modules.training.test_trainer import arguments  # noqa: F401 - a fixture


def settings() -> RunSettings:
    model = ModelConfig(encoder=CnnConfig(layers=2, kernel=5), dim=8)
    return RunSettings(model, TrainingConfig(), HistoryConfig(), seed=1, source_hash="0")


def test_values_replace_settings_and_a_section_with_a_name_whole() -> None:
    values = {"model.encoder": {"name": "cnn", "layers": 4}, "training.optimizer.beta_2": 0.9}
    changed = with_values(settings(), values)
    assert changed.model.encoder == CnnConfig(layers=4)
    assert changed.model.dim == 8
    assert changed.training.optimizer.beta_2 == 0.9
    assert changed.model == tuned_model(settings().model, values)
    assert with_values(settings(), {}) == settings()


def test_values_that_cannot_be_are_named() -> None:
    with pytest.raises(ConfigError, match=r"the tuner's values.*\n.*dim"):
        with_values(settings(), {"model.dim": 0})


def test_values_travel_through_keras_tuner() -> None:
    config = TunerConfig.model_validate(
        {
            "parameters": {
                "model.encoder": [{"name": "bow", "hidden": [4]}],
                "model.dim": {"low": 4, "high": 9},
                "model.dropout": {"low": 0.1, "high": 0.4},
                "training.xla": [False],
            }
        }
    )
    space = tuner.space(config.parameters)
    values = values_of(json.loads(json.dumps(space.get_config())))
    assert values["model.encoder"] == {"name": "bow", "hidden": [4]}
    assert values["training.xla"] is False
    assert (values["model.dim"], values["model.dropout"]) == (4, 0.1)
    assert values_of(None) == {}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"parameters": {"history.length": [5, 10]}}, "only keys below"),
        ({"parameters": {"model": [{}]}}, "only keys below"),
        ({"parameters": {"model.item_features.genres": [True]}}, "no access to the catalogue"),
        ({"enabled": True}, "nothing to vary"),
    ],
)
def test_what_cannot_be_tuned_is_refused(tree: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TunerConfig.model_validate(tree)


def test_a_tuner_goes_with_no_item_features() -> None:
    tree = {
        "tuner": {"enabled": True, "parameters": {"model.dim": [4, 8]}},
        "model": {"item_features": {"genres": True}},
    }
    with pytest.raises(ValueError, match="no access to the catalogue"):
        Config.model_validate(tree)


@pytest.mark.slow
def test_the_best_of_a_search_is_trained(
    arguments: SimpleNamespace,  # noqa: F811
    tmp_path: Path,
) -> None:
    # One of the two hardly learns, so that the other one is the best.
    rates = [1e-7, 0.02]
    config = TunerConfig.model_validate(
        {
            "enabled": True,
            "search": "grid",
            "trials": 2,
            "max_epochs": 8,
            "parameters": {"training.optimizer.learning_rate": rates},
        }
    )
    arguments.custom_config["tuner"] = config.model_dump_json()
    arguments.working_dir = str(tmp_path / "scratch")
    found = tuner.tuner_fn(arguments)
    found.tuner.search(**found.fit_kwargs)
    trials = found.tuner.oracle.get_best_trials(2)
    assert [trial.status for trial in trials] == ["COMPLETED", "COMPLETED"]
    assert trials[0].score > trials[1].score
    for trial in trials:
        logs = tmp_path / f"scratch/trial-{trial.trial_id}/logs/history.json"
        assert len(json.loads(logs.read_text())) == 8

    best = found.tuner.get_best_hyperparameters()[0].get_config()
    arguments.hyperparameters = json.loads(json.dumps(best))
    untuned = json.loads(arguments.custom_config["training"])
    untuned["optimizer"] |= {"learning_rate": 1e-7, "schedule": "constant", "warmup_steps": 0}
    untuned["max_epochs"] = 2
    arguments.custom_config["training"] = json.dumps(untuned)
    (tmp_path / "model").mkdir()
    trainer.run_fn(arguments)
    rows = json.loads((tmp_path / "run/history.json").read_text())
    assert rows[0]["learning_rate"] == pytest.approx(0.02)
    values = {"training.optimizer.learning_rate": 0.02}
    assert saved_values(arguments.serving_model_dir) == values
    # TensorFlow still takes the folder for a SavedModel.
    assert tf.saved_model.load(arguments.serving_model_dir).signatures["serving_default"]
