"""Runs, steps and artifacts as ML Metadata records them, read without TFX."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from rapidfuzz.distance import Levenshtein

from pipeline.errors import DataError

_RUN_CONTEXT = "pipeline_run"
_PIPELINE_CONTEXT = "pipeline"
_NODE_CONTEXT = "node"

_MOST_LISTED = 10

_STATES = {
    metadata_store_pb2.Execution.NEW: "running",
    metadata_store_pb2.Execution.RUNNING: "running",
    metadata_store_pb2.Execution.COMPLETE: "done",
    metadata_store_pb2.Execution.CACHED: "cached",
    metadata_store_pb2.Execution.FAILED: "failed",
    metadata_store_pb2.Execution.CANCELED: "canceled",
}
_INPUT_EVENTS = (
    metadata_store_pb2.Event.INPUT,
    metadata_store_pb2.Event.DECLARED_INPUT,
    metadata_store_pb2.Event.INTERNAL_INPUT,
)
_OUTPUT_EVENTS = (
    metadata_store_pb2.Event.OUTPUT,
    metadata_store_pb2.Event.DECLARED_OUTPUT,
    metadata_store_pb2.Event.INTERNAL_OUTPUT,
)

PropertyValue = int | float | str | bool


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One artifact.

    Attributes:
        artifact_id: ML Metadata's id.
        type_name: E.g. `Examples`, `Model`.
        uri: The folder or file that holds it.
        properties: Its properties and custom properties together.
    """

    artifact_id: int
    type_name: str
    uri: str
    properties: Mapping[str, PropertyValue]

    @property
    def path(self) -> Path:
        """The artifact's place on this machine."""
        return Path(self.uri.removeprefix("file://"))


@dataclasses.dataclass(frozen=True)
class Step:
    """One node's execution in a run.

    Attributes:
        node_id: The node's id in the pipeline, e.g. `trainer`.
        state: `done`, `cached`, `failed`, `running` or `canceled`. A killed run leaves `running`.
        execution_id: ML Metadata's id.
        started: Milliseconds since 1970 UTC.
        seconds: Wall time; of a cached step, what looking it up took.
        inputs: Artifacts by input key.
        outputs: Artifacts by output key; a cached step's come from an earlier execution.
        properties: Execution properties.
        error: The recorded message of a failure; empty where none was recorded.
        cached_from: Id of the run that made a cached step's outputs; empty otherwise.
        cached_seconds: Wall time of the execution that made them.
    """

    node_id: str
    state: str
    execution_id: int
    started: int
    seconds: float
    inputs: Mapping[str, Sequence[Artifact]]
    outputs: Mapping[str, Sequence[Artifact]]
    properties: Mapping[str, PropertyValue]
    error: str = ""
    cached_from: str = ""
    cached_seconds: float | None = None

    def output(self, key: str) -> Artifact | None:
        """Returns the first artifact under an output key, or None."""
        return next(iter(self.outputs.get(key, ())), None)


@dataclasses.dataclass(frozen=True)
class Run:
    """One pipeline run, its steps in the order in which they started."""

    run_id: str
    pipeline: str
    started: int
    steps: Sequence[Step]

    def step(self, node_id: str) -> Step | None:
        """Returns the step of that node, or None if the run never reached it."""
        return next((step for step in self.steps if step.node_id == node_id), None)

    def output(self, node_id: str, key: str) -> Artifact | None:
        """Returns the first artifact that a node put out under a key, or None."""
        step = self.step(node_id)
        return step.output(key) if step else None


@dataclasses.dataclass(frozen=True)
class _Raw:
    """ML Metadata's records of one run, fetched in few calls."""

    executions: Sequence[Any]
    events: Sequence[Any]
    artifacts: Mapping[int, Artifact]
    nodes: Mapping[int, str]


def unreadable(database: Path, error: Exception) -> DataError:
    """Returns the error to raise where ML Metadata cannot open a store.

    Args:
        database: The sqlite file.
        error: As ML Metadata raised it: it repeats the query, which is long.
    """
    reason = str(error).removeprefix("Error when executing query: ").partition(" query:")[0]
    return DataError(
        f"{database}: not a readable ML Metadata store ({reason}); move it away, and the next run "
        "takes all steps again"
    )


class Lineage:
    """Read-only view of one ML Metadata store."""

    def __init__(self, database: Path):
        """Opens the store.

        Args:
            database: The sqlite file.

        Raises:
            DataError: There is no such file, or it is no ML Metadata store.
        """
        if not database.is_file():
            raise DataError(
                f"{database}: no pipeline has run in this workspace yet; "
                "start one with `pocketrec run`, or name another with --workspace"
            )
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(database)
        config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
        try:
            self._store = metadata_store.MetadataStore(config)
            self._runs = sorted(
                self._store.get_contexts_by_type(_RUN_CONTEXT),
                key=lambda context: (context.create_time_since_epoch, context.id),
            )
        except Exception as error:  # ml_metadata raises one class for each status code
            raise unreadable(database, error) from error
        self._database = database

    def run_ids(self) -> list[str]:
        """Returns the ids of all runs, oldest first."""
        return [context.name for context in self._runs]

    def find(self, run_id: str | None = None) -> str:
        """Returns the id of a run.

        Args:
            run_id: The pipeline run's id; None takes the latest.

        Raises:
            DataError: There is no such run; the message lists those there are, closest first.
        """
        if not self._runs:
            raise DataError(f"{self._database}: holds no run; start one with `pocketrec run`")
        known = self.run_ids()
        if run_id is None:
            return known[-1]
        if run_id not in known:
            raise DataError(
                f"--run {run_id}: no such run in {self._database}{_listed(run_id, known)}"
            )
        return run_id

    def read(self, run_id: str | None = None) -> Run:
        """Reads one run.

        Args:
            run_id: The pipeline run's id; None takes the latest.

        Raises:
            DataError: There is no such run; the message lists those there are.
        """
        name = self.find(run_id)
        context = [c for c in self._runs if c.name == name][-1]
        raw = self._fetch(context.id)
        steps = [self._step(execution, raw) for execution in raw.executions]
        pipelines = self._store.get_parent_contexts_by_context(context.id)
        name = next((p.name for p in pipelines if p.type == _PIPELINE_CONTEXT), "")
        if not name and raw.executions:
            name = self._context_name(raw.executions[0].id, _PIPELINE_CONTEXT)
        return Run(context.name, name, context.create_time_since_epoch, tuple(steps))

    def _fetch(self, context_id: int) -> _Raw:
        executions = self._store.get_executions_by_context(context_id)
        nodes = {e.id: self._node_id(e.id) for e in executions}
        # A node that was started again under the same run id: only its last execution counts.
        latest = {nodes[e.id]: e for e in sorted(executions, key=lambda e: e.id)}
        chosen = sorted(latest.values(), key=lambda e: e.id)
        events = self._store.get_events_by_execution_ids([e.id for e in chosen]) if chosen else []
        ids = sorted({event.artifact_id for event in events})
        found = self._store.get_artifacts_by_id(ids) if ids else []
        return _Raw(chosen, events, {a.id: _artifact(a) for a in found}, nodes)

    def _step(self, execution: Any, raw: _Raw) -> Step:
        own = [event for event in raw.events if event.execution_id == execution.id]
        outputs = _by_key(own, _OUTPUT_EVENTS, raw.artifacts)
        state = _STATES.get(execution.last_known_state, "unknown")
        source = self._producer(outputs) if state == "cached" else None
        properties = _properties(execution)
        return Step(
            node_id=raw.nodes[execution.id],
            state=state,
            execution_id=execution.id,
            started=execution.create_time_since_epoch,
            seconds=_seconds(execution),
            inputs=_by_key(own, _INPUT_EVENTS, raw.artifacts),
            outputs=outputs,
            properties={k: v for k, v in properties.items() if not k.startswith("__")},
            error=_recorded_error(properties),
            cached_from=self._context_name(source.id, _RUN_CONTEXT) if source else "",
            cached_seconds=_seconds(source) if source else None,
        )

    def _producer(self, outputs: Mapping[str, Sequence[Artifact]]) -> Any | None:
        """Returns the execution that first put out these artifacts."""
        ids = [artifact.artifact_id for group in outputs.values() for artifact in group]
        if not ids:
            return None
        makers = {
            event.execution_id
            for event in self._store.get_events_by_artifact_ids(ids)
            if event.type in _OUTPUT_EVENTS
        }
        return self._store.get_executions_by_id([min(makers)])[0] if makers else None

    def _context_name(self, execution_id: int, type_name: str) -> str:
        contexts = self._store.get_contexts_by_execution(execution_id)
        return next((c.name for c in contexts if c.type == type_name), "")

    def _node_id(self, execution_id: int) -> str:
        # TFX names a node's context `<pipeline>.<node id>`.
        return self._context_name(execution_id, _NODE_CONTEXT).rpartition(".")[2]


def _listed(run_id: str, known: Sequence[str]) -> str:
    """Returns the runs there are, the closest to what was asked for first."""

    def distance(name: str) -> int:
        # An id is long: often its beginning alone is given.
        return Levenshtein.distance(run_id, name[: len(run_id)])

    latest_first = known[::-1]
    found = sorted(latest_first, key=distance)[:_MOST_LISTED]
    lines = [f"\n  {name}" for name in found]
    more = len(known) - len(found)
    return "; runs, closest first:" + "".join(lines) + (f"\n  and {more} more" if more else "")


def _seconds(execution: Any) -> float:
    milliseconds = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return float(milliseconds) / 1000


def _by_key(
    events: Iterable[Any], kinds: Sequence[int], artifacts: Mapping[int, Artifact]
) -> dict[str, tuple[Artifact, ...]]:
    groups: dict[str, list[tuple[int, Artifact]]] = {}
    for event in events:
        if event.type not in kinds or event.artifact_id not in artifacts:
            continue
        key = next((s.key for s in event.path.steps if s.WhichOneof("value") == "key"), "")
        index = next((s.index for s in event.path.steps if s.WhichOneof("value") == "index"), 0)
        groups.setdefault(key, []).append((index, artifacts[event.artifact_id]))
    return {
        key: tuple(artifact for _, artifact in sorted(group, key=lambda pair: pair[0]))
        for key, group in sorted(groups.items())
    }


def _artifact(record: Any) -> Artifact:
    return Artifact(record.id, record.type, record.uri, _properties(record))


def _properties(record: Any) -> dict[str, PropertyValue]:
    values: dict[str, PropertyValue] = {}
    for source in (record.properties, record.custom_properties):
        for key in sorted(source):
            value = _value(source[key])
            if value is not None:
                values[key] = value
    return values


def _value(value: Any) -> PropertyValue | None:
    kind = value.WhichOneof("value")
    if kind in ("int_value", "double_value", "string_value", "bool_value"):
        plain: PropertyValue = getattr(value, kind)
        return plain
    if kind == "struct_value":
        return _unwrap(value.struct_value)
    return None


def _unwrap(struct: Any) -> PropertyValue:
    """Returns the value of a property that TFX stored as JSON, as text unless it is plain."""
    tree = json_format.MessageToDict(struct)
    if set(tree) == {"__value__"}:
        tree = tree["__value__"]
    if isinstance(tree, float) and tree.is_integer():
        return int(tree)
    return tree if isinstance(tree, int | float | str) else json.dumps(tree, sort_keys=True)


def _recorded_error(properties: Mapping[str, PropertyValue]) -> str:
    text = properties.get("__execution_result__")
    if not isinstance(text, str):
        return ""
    try:
        message = json.loads(text).get("resultMessage", "")
    except (ValueError, AttributeError):
        return text
    return message if isinstance(message, str) else str(message)
