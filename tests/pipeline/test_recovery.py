"""A killed run leaves nothing that the next one could take for whole."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.errors import PocketRecError
from pipeline.recovery import clean_up_killed_runs, exclusive
from pipeline.workspace import Workspace


def _store(workspace: Workspace) -> Any:
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(workspace.metadata_db)
    config.sqlite.connection_mode = (
        metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    )
    return metadata_store.MetadataStore(config)


def _execution(store: Any, node: str, state: int) -> int:
    execution_type = metadata_store_pb2.ExecutionType(name="Step")
    execution = metadata_store_pb2.Execution(
        type_id=store.put_execution_type(execution_type), last_known_state=state
    )
    context = metadata_store_pb2.Context(
        type_id=store.put_context_type(metadata_store_pb2.ContextType(name="node")),
        name=f"pocketrec-sample.{node}",
    )
    return int(store.put_execution(execution, [], [context])[0])


def test_interrupted_step_is_marked_failed_and_its_output_removed(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path)
    store = _store(workspace)
    done = _execution(store, "transform", metadata_store_pb2.Execution.COMPLETE)
    running = _execution(store, "trainer", metadata_store_pb2.Execution.RUNNING)
    whole = workspace.pipeline_root / "sample" / "transform" / "graph" / str(done)
    half = workspace.pipeline_root / "sample" / "trainer" / "model" / str(running)
    for folder in (whole, half):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")

    assert clean_up_killed_runs(workspace) == ["trainer"]

    assert whole.is_dir()
    assert not half.exists()
    states = {e.id: e.last_known_state for e in store.get_executions()}
    assert states == {
        done: metadata_store_pb2.Execution.COMPLETE,
        running: metadata_store_pb2.Execution.FAILED,
    }
    assert clean_up_killed_runs(workspace) == []


def test_a_new_workspace_needs_no_clean_up(tmp_path: Path) -> None:
    assert clean_up_killed_runs(Workspace.at(tmp_path / "new")) == []


def test_one_run_at_a_time_and_a_dead_one_lets_go(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path)
    hold = (
        "import sys, time; from pipeline.recovery import exclusive; "
        "from pipeline.workspace import Workspace\n"
        "with exclusive(Workspace.at(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "held"
    try:
        with pytest.raises(PocketRecError, match=f"process {holder.pid}"), exclusive(workspace):
            pass
    finally:
        holder.kill()
        holder.wait()
    with exclusive(workspace):
        pass
