"""What a killed run left behind: found and put right before the next one starts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.errors import PocketRecError
from pipeline.lineage import unreadable
from pipeline.workspace import Workspace


@contextlib.contextmanager
def exclusive(workspace: Workspace) -> Iterator[None]:
    """Holds the workspace for one run; the operating system lets go when the process dies.

    Raises:
        PocketRecError: Another run holds it.
    """
    workspace.root.mkdir(parents=True, exist_ok=True)
    with workspace.lock_file.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise PocketRecError(
                f"{workspace.root}: another run (process {holder}) is using this workspace; "
                "wait for it, or give this one another --workspace"
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def clean_up_killed_runs(workspace: Workspace) -> list[str]:
    """Marks executions that never ended as failed and removes what they had begun to write.

    Call it only while the workspace is held: it takes every unfinished execution for dead.

    Returns:
        The ids of the steps that had been interrupted, in order.

    Raises:
        DataError: ML Metadata's store cannot be read.
    """
    if not workspace.metadata_db.is_file():
        return []
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(workspace.metadata_db)
    try:
        store = metadata_store.MetadataStore(config)
        executions = store.get_executions()
    except Exception as error:  # ml_metadata raises one class for each status code
        raise unreadable(workspace.metadata_db, error) from error
    unfinished = [
        execution
        for execution in executions
        if execution.last_known_state
        in (metadata_store_pb2.Execution.RUNNING, metadata_store_pb2.Execution.NEW)
    ]
    interrupted = []
    for execution in unfinished:
        node_id = _node_id(store, execution.id)
        interrupted.append(node_id)
        for folder in _output_folders(workspace.pipeline_root, node_id, execution.id):
            shutil.rmtree(folder)
        execution.last_known_state = metadata_store_pb2.Execution.FAILED
    if unfinished:
        store.put_executions(unfinished)
    return interrupted


def _node_id(store: Any, execution_id: int) -> str:
    contexts = store.get_contexts_by_execution(execution_id)
    name = next((c.name for c in contexts if c.type == "node"), "")
    return str(name.rpartition(".")[2])


def _output_folders(pipeline_root: Path, node_id: str, execution_id: int) -> list[Path]:
    """Returns the folders that TFX gave an execution: `<root>/<node>/**/<execution id>`."""
    if not node_id:
        return []
    return [
        folder
        for folder in sorted(pipeline_root.glob(f"*/{node_id}/**/{execution_id}"))
        if folder.is_dir()
    ]
