"""Every training of a study as a run of MLflow: settings, curves, figures, files."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config.root import Config
from pipeline.config.tree import flat
from pipeline.errors import RegistryError
from pipeline.registry.client_store import mlflow_client
from pipeline.sweep.space import Values
from pipeline.sweep.spec import LOGS, RESULT, tflite_file

_DEFINITION, _PLACE = "definition", "trial"
_BATCH = 100
"""Most parameters, and fewer than the most metrics, that MLflow takes in one call."""
_TRACKED = ("model", "training", "history", "data")
_CURVES = f"{LOGS}/history.json"
_FILES = (RESULT, _CURVES, "log.txt")


class Tracker:
    """Writes runs into one experiment; its methods may be called from several threads."""

    def __init__(
        self, tracking_uri: str, experiment: str, definition: str, artifact_root: Path | None
    ) -> None:
        """Opens or makes the experiment, and closes runs that a killed process left open.

        Args:
            tracking_uri: MLflow server or database.
            experiment: The study's name.
            definition: Name of all that decides which trials the study has.
            artifact_root: Where a new experiment keeps its files; None leaves it to the server.

        Raises:
            RegistryError: The experiment cannot be used.
        """
        self._client = mlflow_client(tracking_uri)
        self._definition = definition
        self._lock = threading.Lock()
        found = self._client.get_experiment_by_name(experiment)
        if found is None:
            location = None if artifact_root is None else artifact_root.as_uri()
            self._id = self._client.create_experiment(experiment, artifact_location=location)
        elif found.lifecycle_stage != "active":
            raise RegistryError(
                f"MLflow experiment {experiment!r} at {tracking_uri} was deleted; restore it with "
                f"`mlflow experiments restore`, or give the study another name"
            )
        else:
            self._id = found.experiment_id
        self._close_killed()

    def start(self, place: int, seed: int, values: Values, config: Config) -> str:
        """Opens a run and returns its id.

        Args:
            place: The trial's number in the study.
            seed: Of this training.
            values: What the trial tries.
            config: All settings.
        """
        from mlflow.entities import Param

        tags = {_DEFINITION: self._definition, _PLACE: str(place), "seed": str(seed)}
        tags |= {f"parameter/{key}": json.dumps(value) for key, value in values.items()}
        tree = config.model_dump(mode="json", include=set(_TRACKED))
        params = [Param(key, str(value)) for key, value in flat({**tree, "seed": seed}).items()]
        with self._lock:
            run = self._client.create_run(self._id, run_name=f"{place:04d}-seed{seed}", tags=tags)
            run_id = str(run.info.run_id)
            for start in range(0, len(params), _BATCH):
                self._client.log_batch(run_id, params=params[start : start + _BATCH])
        return run_id

    def end(self, run_id: str, folder: Path, result: Mapping[str, Any] | None) -> None:
        """Adds curves, figures and files, as far as there are any, and closes the run.

        Args:
            run_id: As `start` returned it.
            folder: The training's.
            result: Its figures; None: it failed.
        """
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = []
        curves = folder / _CURVES
        if curves.is_file():
            metrics += [
                Metric(f"epoch/{name}", float(value), now, int(row["epoch"]))
                for row in json.loads(curves.read_text(encoding="utf-8"))
                for name, value in row.items()
                if name != "epoch"
            ]
        figures = {k: v for k, v in flat(result or {}).items() if isinstance(v, int | float)}
        metrics += [Metric(k.replace(".", "/"), float(v), now, 0) for k, v in figures.items()]
        with self._lock:
            for start in range(0, len(metrics), _BATCH):
                self._client.log_batch(run_id, metrics=metrics[start : start + _BATCH])
            named = [folder / name for name in _FILES if (folder / name).is_file()]
            for path in [*named, *sorted(folder.glob(tflite_file("*")))]:
                self._client.log_artifact(run_id, str(path))
            self._client.set_terminated(run_id, "FAILED" if result is None else "FINISHED")

    def kill(self, run_id: str) -> None:
        """Closes a run that was stopped."""
        with self._lock:
            self._client.set_terminated(run_id, "KILLED")

    def _close_killed(self) -> None:
        open_runs = self._client.search_runs(
            [self._id],
            f"attributes.status = 'RUNNING' and tags.{_DEFINITION} = '{self._definition}'",
        )
        for run in open_runs:
            self.kill(run.info.run_id)
