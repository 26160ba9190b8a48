"""A workspace's state, from its real files."""

import fcntl
import os
import sqlite3
from collections import namedtuple
from pathlib import Path

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.doctor import place
from pipeline.registry.client_store import mlflow_client
from pipeline.workspace import Workspace


def _state(workspace: Workspace) -> dict[str, str]:
    return {check.name: check.state for check in place.checks(workspace)}


def test_a_workspace_that_is_not_there_yet(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path / "new" / "one")
    assert _state(workspace) == {"workspace": "ok", "disk": "ok"}
    assert not workspace.root.parent.exists()


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for root in (file, file / "below"):
        check = place.folder(root)
        assert check.state == "problem"
        assert str(file) in check.found


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert place.folder(tmp_path / "new").state == "problem"


@pytest.mark.parametrize(("gigabytes", "state"), [(0.5, "problem"), (2, "warning"), (50, "ok")])
def test_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gigabytes: float, state: str
) -> None:
    usage = namedtuple("usage", "total used free")
    free = int(gigabytes * place.GB)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage(free, 0, free))
    assert place.disk(tmp_path / "new").state == state


def test_a_workspace_that_a_run_holds(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path)
    workspace.lock_file.write_text("4711", encoding="utf-8")
    assert place.lock_holder(workspace.lock_file) is None
    with workspace.lock_file.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert place.lock_holder(workspace.lock_file) == "4711"
        (check,) = [c for c in place.checks(workspace) if c.name == "lock"]
        assert check.state == "warning"
        assert "process 4711" in check.found
    assert place.lock_holder(workspace.lock_file) is None


def _metadata(workspace: Workspace, state: int) -> None:
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(workspace.metadata_db)
    config.sqlite.connection_mode = 3
    store = metadata_store.MetadataStore(config)
    type_id = store.put_execution_type(metadata_store_pb2.ExecutionType(name="Trainer"))
    store.put_executions([metadata_store_pb2.Execution(type_id=type_id, last_known_state=state)])
    run = store.put_context_type(metadata_store_pb2.ContextType(name="pipeline_run"))
    store.put_contexts([metadata_store_pb2.Context(type_id=run, name="1")])


@pytest.mark.thorough
def test_ml_metadatas_store_that_ml_metadata_wrote(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path)
    _metadata(workspace, metadata_store_pb2.Execution.COMPLETE)
    check = place.metadata(workspace.metadata_db, in_use=False)
    assert (check.state, check.found) == ("ok", "1 runs, schema 10")


def test_an_interrupted_run_is_told_of_unless_it_goes_on(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path)
    _metadata(workspace, metadata_store_pb2.Execution.RUNNING)
    check = place.metadata(workspace.metadata_db, in_use=False)
    assert check.state == "warning"
    assert "left 1 steps unfinished" in check.found
    assert place.metadata(workspace.metadata_db, in_use=True).state == "ok"


def test_a_store_of_another_schema_or_none_at_all(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path)
    _metadata(workspace, metadata_store_pb2.Execution.COMPLETE)
    with sqlite3.connect(workspace.metadata_db) as store:
        store.execute("UPDATE MLMDEnv SET schema_version = 11")
    store.close()
    assert "schema 11; 10 is" in place.metadata(workspace.metadata_db, in_use=False).found
    workspace.metadata_db.write_bytes(b"no database" * 1000)
    check = place.metadata(workspace.metadata_db, in_use=False)
    assert check.state == "problem"
    assert "file is not a database" in check.found


def test_a_registry_that_mlflow_wrote(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path)
    mlflow_client(workspace.tracking_uri).search_registered_models()
    database, migrations = workspace.registry / "mlflow.db", place._mlflow_migrations()
    assert migrations is not None
    check = place.registry(database, migrations)
    assert check.state == "ok", check
    assert check.found.startswith("0 versions, schema ")
    before = sorted(place._migrations(migrations)[0] - {place._migrations(migrations)[1]})[0]
    for revision, says in ((before, "MLflow expects"), ("abc", "does not know")):
        with sqlite3.connect(database) as store:
            store.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        store.close()
        check = place.registry(database, migrations)
        assert check.state == "problem"
        assert says in check.found
    database.write_bytes(b"no database" * 1000)
    assert place.registry(database, migrations).state == "problem"
