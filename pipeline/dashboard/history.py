"""All runs of a workspace beside each other: what each came to, and what was changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.dashboard.collect import collect
from pipeline.dashboard.evaluation import Evaluation, EvaluationReader
from pipeline.dashboard.facts import Dashboard
from pipeline.errors import RegistryError
from pipeline.lineage import Lineage, Run
from pipeline.registry.registry import MODEL_NAME
from pipeline.registry.sqlite_store import SqliteStore, is_known_schema
from pipeline.registry.store import SQLITE_SCHEME, ModelVersion, sqlite_path
from pipeline.workspace import Workspace

_MISSING = "not set"


@dataclasses.dataclass(frozen=True)
class Change:
    """A setting that differs from the run before; `before` is `not set` where it had none."""

    key: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"{self.key} = {self.now} (before: {self.before})"


@dataclasses.dataclass(frozen=True)
class Record:
    """One run in the history.

    Attributes:
        number: Its place among all runs of the workspace, from 1, by start.
        dashboard: All that is known about it.
        changes: Settings that differ from the run before it of the same pipeline; None for the
            first one and where either has recorded none.
    """

    number: int
    dashboard: Dashboard
    changes: Sequence[Change] | None

    @property
    def is_repeat(self) -> bool:
        """Whether the push came from the cache: the same model as in an earlier run."""
        pusher = self.dashboard.run.step("registry_pusher")
        return pusher is not None and pusher.state == "cached"


@dataclasses.dataclass(frozen=True)
class History:
    """A workspace's runs and registry.

    Attributes:
        records: All runs, oldest first.
        versions: The registry's versions, oldest first.
        note: Why the versions are not known; empty where they are.
    """

    records: Sequence[Record]
    versions: Sequence[ModelVersion]
    note: str = ""

    def record(self, run_id: str) -> Record:
        """Returns a run's record.

        Raises:
            StopIteration: There is none.
        """
        return next(r for r in self.records if r.dashboard.run.run_id == run_id)

    def of_pipeline(self, name: str) -> list[Record]:
        """Returns the runs of a pipeline, oldest first: one data set, one way of splitting."""
        return [r for r in self.records if r.dashboard.run.pipeline == name]

    def champion_of(self, dashboard: Dashboard) -> Dashboard | None:
        """Returns the run that made the model which a run's gate compared with, if it is known."""
        ranks = dashboard.run.step("reference_ranks")
        blessed = next(iter(ranks.inputs.get("blessed", ())), None) if ranks else None
        if blessed is None:
            return None
        for record in self.records:
            model = record.dashboard.run.output("tflite_converter", "model")
            if model and model.artifact_id == blessed.artifact_id:
                return record.dashboard
        return None


def read_history(
    lineage: Lineage, workspace: Workspace, evaluation_reader: EvaluationReader
) -> History:
    """Reads every run of a workspace, and its own registry.

    Args:
        lineage: ML Metadata's store.
        workspace: Where the runs ran.
        evaluation_reader: Reads the evaluator's results; once for each.
    """
    remembered = _remembering(evaluation_reader)
    records: list[Record] = []
    latest: dict[str, Dashboard] = {}
    for number, run_id in enumerate(lineage.run_ids(), start=1):
        one = collect(lineage.read(run_id), workspace, remembered)
        before = latest.get(one.run.pipeline)
        changed = changes(before.config, one.config) if before else None
        records.append(Record(number, one, changed))
        if one.config:
            latest[one.run.pipeline] = one
    versions, note = _versions(workspace, records)
    return History(tuple(records), tuple(versions), note)


def changes(
    before: Mapping[str, Any] | None, now: Mapping[str, Any] | None
) -> tuple[Change, ...] | None:
    """Returns the settings that differ, by name; None where either is not known."""
    if not before or not now:
        return None
    old, new = flat(before), flat(now)
    return tuple(
        Change(key, old.get(key, _MISSING), new.get(key, _MISSING))
        for key in sorted({*old, *new})
        if old.get(key, _MISSING) != new.get(key, _MISSING)
    )


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Returns the leaves of a tree of settings as text, by dotted key."""
    leaves: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= flat(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = str(value)
    return leaves


def same_windows(one: Run, other: Run) -> bool:
    """Tells whether two runs were evaluated on the very same test windows."""
    ids = []
    for run in (one, other):
        ranks = run.step("reference_ranks")
        if ranks is None:
            return False
        ids.append([a.artifact_id for key in ("windows", "timelines") for a in ranks.inputs[key]])
    return ids[0] == ids[1]


def _remembering(read: EvaluationReader) -> EvaluationReader:
    """Wraps a reader: cached steps of many runs stand for one and the same evaluation."""
    known: dict[str, Evaluation] = {}

    def remembered(uri: str) -> Evaluation:
        if uri not in known:
            known[uri] = read(uri)
        return known[uri]

    return remembered


def _versions(
    workspace: Workspace, records: Sequence[Record]
) -> tuple[Sequence[ModelVersion], str]:
    """Reads the registry in the workspace; a registry elsewhere is not asked."""
    registries = [
        (record.dashboard.config or {}).get("registry", {}) for record in reversed(records)
    ]
    settings: Mapping[str, Any] = next(filter(None, registries), {})
    uri = settings.get("tracking_uri") or workspace.tracking_uri
    if not str(uri).startswith(SQLITE_SCHEME):
        return (), f"The registry is at {uri}; `pocketrec registry list` asks it."
    path = sqlite_path(str(uri))
    if not path.is_file():
        return (), ""
    try:
        if is_known_schema(path):
            return SqliteStore(path).versions(str(settings.get("model_name") or MODEL_NAME)), ""
    except RegistryError as error:
        return (), str(error)
    return (), "MLflow's database has another schema; `pocketrec registry list` reads it."
