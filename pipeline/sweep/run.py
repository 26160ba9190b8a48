"""Runs a study: draws trials, trains them in child processes, keeps what they came to."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipeline import recovery
from pipeline.config.budgets import budget_bytes
from pipeline.config.root import Config
from pipeline.config.sweep import SweepConfig
from pipeline.errors import PocketRecError
from pipeline.registry.vertex_address import is_vertex
from pipeline.sweep import results
from pipeline.sweep.child import Children
from pipeline.sweep.examples import PREPARATION, ExamplesStore
from pipeline.sweep.places import Places
from pipeline.sweep.search import Draw, Search
from pipeline.sweep.space import describe, trial_config
from pipeline.sweep.spec import RESULT, SPEC, Spec
from pipeline.sweep.tracking import Tracker
from pipeline.text_file import write_text
from pipeline.workspace import Workspace

TRAINING = (sys.executable, "-m", "pipeline.sweep.training")
_SHOWN = ("training ", "resuming ", "epoch ", "teacher ")
_MINUTE = 60


class Sweep:
    """One call of the command.

    Attributes:
        search: The study's trials.
        tracker: Gets every training.
    """

    def __init__(
        self,
        study: SweepConfig,
        base: Mapping[str, Any],
        places: Places,
        search: Search,
        tracker: Tracker,
        *,
        jobs: int,
        training: Sequence[str] = TRAINING,
        preparation: Sequence[str] = PREPARATION,
    ) -> None:
        """Prepares; nothing is trained yet.

        Args:
            study: What is searched.
            base: The settings that all trials share; its data set is a path.
            places: Where things go.
            search: The study's trials.
            tracker: Gets every training.
            jobs: Trainings at one time.
            training: Command of a training's process; gets the file of its spec.
            preparation: Command of the process that makes windows, see `ExamplesStore`.
        """
        self._study = study
        self._base = base
        self._places = places
        self.search = search
        self.tracker = tracker
        self._jobs = jobs
        self._training = list(training)
        self._lock = threading.Lock()
        self._seconds: list[float] = []
        self._children = Children(_environment(jobs))
        self._examples = ExamplesStore(places.examples, self._children, self._say, preparation)

    def retry_failed(self) -> None:
        """Puts trials that failed back among those that are not over."""
        self._say(f"failed trials that are run again: {_listed(self.search.retry_failed())}")

    def run(self) -> Mapping[str, Any]:
        """Runs all trials that are not over yet and returns the results.

        Raises:
            KeyboardInterrupt: The user stopped it; the same command goes on from here.
        """
        over = len(self._write()["trials"])
        self._say(f"study {self._study.name}: {over} of {self.search.total} trials are over")
        again, failed = self.search.recover()
        if again:
            self._say(f"killed while they ran, run again: {_listed(again)}")
        if failed:
            self._say(f"killed for the second time, taken for failed: {_listed(failed)}")
        with ThreadPoolExecutor(self._jobs) as pool:
            workers = [pool.submit(self._work) for _ in range(self._jobs)]
            try:
                for worker in workers:
                    worker.result()
            finally:
                # Also where the user, or an error, ends the study early.
                self._children.stop()
        return self._write()

    def _work(self) -> None:
        while not self._children.stopped:
            draw = self.search.next()
            if draw is None:
                return
            began = time.monotonic()
            try:
                config = self._config(draw)
                runs = [self._train(draw, config, seed) for seed in self._study.seeds]
                outcome = results.outcome_of(runs, config)
            except _Stopped:
                self.search.interrupt(draw)
                return
            except _Failed as failure:
                self.search.fail(draw, failure.outcome)
                self._say(f"[{draw.place}] FAILED: {failure.outcome['error']}")
                if failure.outcome.get("tail"):
                    self._say(_indented(failure.outcome["tail"]))
            else:
                value = outcome["mean"][f"eval.{self._study.objective}"]
                self.search.finish(draw, value, outcome)
                self._seconds.append(time.monotonic() - began)
                self._say(f"[{draw.place}] {self._study.objective} {value:.4f} on eval")
            self._tell_progress(self._write())

    def _config(self, draw: Draw) -> Config:
        try:
            settings = self._study.settings_of(draw.values)
            return trial_config(self._base, settings, f"trial {draw.place}")
        except PocketRecError as error:
            raise _Failed({"error": str(error)}) from None

    def _train(self, draw: Draw, config: Config, seed: int) -> dict[str, Any]:
        """Trains with one seed, or takes what a call before this one has trained."""
        folder = self._places.trials / f"{draw.place:04d}-seed{seed}"
        result_file = folder / RESULT
        seeded = config.model_copy(update={"seed": seed})
        if result_file.is_file():
            stored: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
            if "mlflow_run" in stored:
                return stored
            # Killed after the training and before its run was closed.
            run_id = self.tracker.start(draw.place, seed, draw.values, seeded)
            return self._keep(result_file, seed, run_id)
        name = f"[{draw.place}/{self.search.total}]"
        self._say(f"{name} {describe(draw.values)}, seed {seed}")
        run_id = self.tracker.start(draw.place, seed, draw.values, seeded)
        log = folder / "log.txt"
        try:
            examples = self._examples.get(seeded)
        except PocketRecError as error:
            self._check_stopped(run_id)
            self.tracker.end(run_id, folder, None)
            raise _Failed({"error": str(error)}) from None
        spec = Spec(
            seeded,
            examples,
            self._study.report_test,
            self._study.variants,
            tuple(map(budget_bytes, self._study.budgets)),
            self._study.latency_invocations,
            str(self._places.checkpoints),
        )
        write_text(folder / SPEC, spec.to_json())
        limit = self._study.minutes_per_training
        ended = self._children.run(
            [*self._training, str(folder / SPEC)],
            log,
            timeout_seconds=None if limit is None else limit * _MINUTE,
            said=lambda line: self._say(f"    {line}") if line.startswith(_SHOWN) else None,
        )
        if ended.problem is not None or not result_file.is_file():
            self._check_stopped(run_id)
            self.tracker.end(run_id, folder, None)
            problem = ended.problem or "ended without a result"
            raise _Failed(
                {
                    "error": f"the training with seed {seed} {problem}",
                    "tail": ended.tail,
                    "log": str(log.relative_to(self._places.root)),
                }
            )
        return self._keep(result_file, seed, run_id)

    def _keep(self, result_file: Path, seed: int, run_id: str) -> dict[str, Any]:
        """Closes a training's run and notes in the result that this is done."""
        result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
        result |= {"seed": seed, "mlflow_run": run_id}
        self.tracker.end(run_id, result_file.parent, result)
        write_text(result_file, json.dumps(result, indent=1))
        return result

    def _check_stopped(self, run_id: str) -> None:
        if self._children.stopped:
            self.tracker.kill(run_id)
            raise _Stopped

    def _write(self) -> dict[str, Any]:
        """Writes the results so far: JSON, Markdown and plot."""
        with self._lock:
            content = results.build(self._study, self.search.finished(), self.search.total)
            results.write(self._places.results, content)
        return content

    def _tell_progress(self, content: Mapping[str, Any]) -> None:
        over, total = len(content["trials"]), content["total"]
        line = f"{over} of {total} trials are over"
        if content["best"] is not None:
            best = next(t for t in content["trials"] if t["trial"] == content["best"])
            value = best["mean"][f"eval.{self._study.objective}"]
            line += f", best {value:.4f} (trial {best['trial']})"
        if self._seconds and over < total:
            mean = sum(self._seconds) / len(self._seconds)
            left = mean * (total - over) / self._jobs / _MINUTE
            line += f"; about {left:.0f} min left" if left >= 1 else "; less than a minute left"
        self._say(line)

    def _say(self, line: str) -> None:
        with self._lock:
            print(line, flush=True)


@contextlib.contextmanager
def open_sweep(
    study: SweepConfig,
    base: Mapping[str, Any],
    workspace: Workspace,
    places: Places,
    *,
    jobs: int,
) -> Iterator[Sweep]:
    """Opens a study's search and its experiment; nobody else runs the study meanwhile.

    Args:
        study: What is searched.
        base: The settings that all trials share; its data set is a path.
        workspace: Holds the experiment, unless the settings name a server.
        places: Where things go.
        jobs: Trainings at one time.

    Raises:
        PocketRecError: Another process runs the study, or the experiment cannot be used.
    """
    with recovery.exclusive(Workspace(places.root)):
        search = Search(study, places.trials.name, places.root / "optuna.db")
        server = trial_config(base, {}, study.name).registry.tracking_uri
        if is_vertex(server):
            # It keeps models; experiments stay in the workspace.
            server = None
        tracker = Tracker(
            server or workspace.tracking_uri,
            study.name,
            places.trials.name,
            None if server else places.root / "mlflow",
        )
        yield Sweep(study, base, places, search, tracker, jobs=jobs)


class _Stopped(Exception):  # noqa: N818 - no error: the user asked for it
    pass


class _Failed(Exception):  # noqa: N818 - carries an outcome
    def __init__(self, outcome: Mapping[str, Any]) -> None:
        super().__init__(outcome["error"])
        self.outcome = outcome


def _environment(jobs: int) -> dict[str, str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if jobs > 1:
        # Each of several trainings would otherwise take a thread for every processor.
        share = str(max(1, (os.cpu_count() or 1) // jobs))
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            environment.setdefault(name, share)
    return environment


def _indented(text: str) -> str:
    return "\n".join(f"    | {line}" for line in text.splitlines())


def _listed(places: Sequence[int]) -> str:
    return ", ".join(f"trial {place}" for place in places) or "none"
