"""Fills a real ML Metadata store the way the local runner does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

PIPELINE = "pocketrec-tiny"


class Store:
    """Writes runs, executions and artifacts."""

    def __init__(self, database: Path):
        database.parent.mkdir(parents=True, exist_ok=True)
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(database)
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self._store = metadata_store.MetadataStore(config)
        self._contexts: dict[tuple[str, str], int] = {}

    def run(self, run_id: str) -> None:
        self._context("pipeline", PIPELINE)
        self._context("pipeline_run", run_id)

    def artifact(self, type_name: str, uri: Path, **custom: Any) -> int:
        type_id = self._store.put_artifact_type(mlmd.ArtifactType(name=type_name))
        artifact = mlmd.Artifact(type_id=type_id, uri=str(uri))
        _set(artifact.custom_properties, custom)
        return int(self._store.put_artifacts([artifact])[0])

    def step(
        self,
        run_id: str,
        node_id: str,
        state: str = "COMPLETE",
        *,
        inputs: Mapping[str, Sequence[int]] | None = None,
        outputs: Mapping[str, Sequence[int]] | None = None,
        error: str = "",
        **properties: Any,
    ) -> int:
        type_id = self._store.put_execution_type(mlmd.ExecutionType(name=f"type.of.{node_id}"))
        execution = mlmd.Execution(type_id=type_id)
        execution.last_known_state = mlmd.Execution.State.Value(state)
        _set(execution.custom_properties, properties)
        if error:
            execution.custom_properties["__execution_result__"].string_value = json.dumps(
                {"resultMessage": error, "code": 1}
            )
        pairs = []
        for kind, groups in ((mlmd.Event.INPUT, inputs), (mlmd.Event.OUTPUT, outputs)):
            for key, ids in (groups or {}).items():
                for index, artifact_id in enumerate(ids):
                    event = mlmd.Event(type=kind, artifact_id=artifact_id)
                    event.path.steps.add().key = key
                    event.path.steps.add().index = index
                    pairs.append((mlmd.Artifact(id=artifact_id), event))
        found = {
            a.id: a for a in self._store.get_artifacts_by_id([e.artifact_id for _, e in pairs])
        }
        contexts = self._store.get_contexts_by_id(
            [
                self._context("pipeline", PIPELINE),
                self._context("pipeline_run", run_id),
                self._context("node", f"{PIPELINE}.{node_id}"),
            ]
        )
        execution_id, _, _ = self._store.put_execution(
            execution, [(found[a.id], event) for a, event in pairs], contexts
        )
        return int(execution_id)

    def _context(self, type_name: str, name: str) -> int:
        if (type_name, name) not in self._contexts:
            type_id = self._store.put_context_type(mlmd.ContextType(name=type_name))
            context = mlmd.Context(type_id=type_id, name=name)
            self._contexts[type_name, name] = int(self._store.put_contexts([context])[0])
        return self._contexts[type_name, name]


def _set(target: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, int):
            target[key].int_value = value
        else:
            target[key].string_value = value
