"""TFX's entry to tuning: a few trainings, whose best settings the Trainer takes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_tuner
from tfx.components.tuner.component import TunerFnResult

from modules.trainer import run_settings
from modules.training.data import RunSettings, read_training_data
from modules.training.hyperparameters import values_of, with_values
from modules.training.run import train_recommender
from pipeline.config.parameters import Parameter, RangeConfig
from pipeline.config.tuner import TunerConfig

OBJECTIVE = "recall_at_10"


def tuner_fn(fn_args: Any) -> Any:
    """Returns the tuner that TFX's Tuner runs.

    Args:
        fn_args: TFX's `FnArgs`. Its `custom_config` holds `tuner` (a section as JSON) and, as the
            Trainer's, `model`, `training`, `history`, `seed` and `source_hash`.
    """
    custom: Mapping[str, Any] = fn_args.custom_config
    tuner = RecommenderTuner(
        TunerConfig.model_validate_json(custom["tuner"]),
        run_settings(custom),
        train_files=fn_args.train_files,
        eval_files=fn_args.eval_files,
        transform_graph=fn_args.transform_graph_path,
        folder=Path(fn_args.working_dir),
    )
    return TunerFnResult(tuner=tuner, fit_kwargs={})


class RecommenderTuner(keras_tuner.engine.base_tuner.BaseTuner):
    """Trains a recommender a trial, with the function that the Trainer calls too."""

    def __init__(
        self,
        config: TunerConfig,
        settings: RunSettings,
        *,
        train_files: list[str],
        eval_files: list[str],
        transform_graph: str,
        folder: Path,
    ) -> None:
        """Prepares the search.

        Args:
            config: What is varied.
            settings: The configured settings.
            train_files: Transformed examples to learn from, patterns.
            eval_files: Transformed examples that trials are judged on, patterns.
            transform_graph: Folder of Transform's graph.
            folder: Scratch.
        """
        oracles = {
            "random": keras_tuner.oracles.RandomSearchOracle,
            "grid": keras_tuner.oracles.GridSearchOracle,
        }
        oracle = oracles[config.search](
            objective=keras_tuner.Objective(f"val_{OBJECTIVE}", "max"),
            max_trials=config.trials,
            seed=settings.seed,
            hyperparameters=space(config.parameters),
            allow_new_entries=False,
        )
        super().__init__(oracle, directory=str(folder), project_name="tuner", overwrite=True)
        self._max_epochs = config.max_epochs
        self._settings = settings
        self._files = {
            "train_files": train_files,
            "eval_files": eval_files,
            "transform_graph": transform_graph,
        }
        self._folder = folder

    def run_trial(self, trial: Any) -> dict[str, float]:
        """Trains with a trial's values and returns the best eval recall@10.

        Raises:
            ConfigError: The values do not go together, or training diverged; the trial fails.
        """
        settings = with_values(self._settings, values_of(trial.hyperparameters.get_config()))
        if self._max_epochs is not None:
            epochs = min(self._max_epochs, settings.training.max_epochs)
            training = settings.training.model_copy(update={"max_epochs": epochs})
            settings = dataclasses.replace(settings, training=training)
        # Read anew: what is read depends on the model.
        data = read_training_data(settings, catalogue=None, **self._files)  # type: ignore[arg-type]
        folder = self._folder / f"trial-{trial.trial_id}"
        trained = train_recommender(
            settings, data, checkpoint_root=folder / "checkpoints", log_folder=folder / "logs"
        )
        trained.remove_checkpoints()
        recalls = [row[OBJECTIVE] for row in trained.history if OBJECTIVE in row]
        return {f"val_{OBJECTIVE}": max(recalls)}

    def load_model(self, trial: Any) -> Any:
        """Trials keep no models: the Trainer trains with the best settings, to its own end."""
        raise NotImplementedError(f"trial {trial.trial_id}: trials keep no models")


def space(parameters: Mapping[str, Parameter]) -> keras_tuner.HyperParameters:
    """Returns parameters as Keras Tuner wants them, see `values_of`.

    Args:
        parameters: By key path.
    """
    hyperparameters = keras_tuner.HyperParameters()
    for key, parameter in parameters.items():
        if not isinstance(parameter, RangeConfig):
            hyperparameters.Choice(key, [json.dumps(value) for value in parameter])
            continue
        sampling = "log" if parameter.log else "linear"
        if parameter.whole:
            hyperparameters.Int(key, int(parameter.low), int(parameter.high), sampling=sampling)
        else:
            hyperparameters.Float(
                key, float(parameter.low), float(parameter.high), sampling=sampling
            )
    return hyperparameters
