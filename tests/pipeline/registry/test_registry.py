"""Versions and the champion, the same through sqlite as through MLflow's client."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import RegistryError
from pipeline.registry.client_store import ClientStore, mlflow_client
from pipeline.registry.registry import Registry, open_registry, resolve_bundle
from pipeline.registry.sqlite_store import KNOWN_REVISIONS, SqliteStore, is_known_schema, local_path
from pipeline.registry.store import RegistryStore, open_store, sqlite_path
from pipeline.workspace import Workspace
from tests.device import toy

MODEL = "pocketrec"
Add = Callable[..., Path]


@pytest.fixture(scope="session")
def a_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.bundle(tmp_path_factory.mktemp("registered"))


@pytest.fixture(params=["sqlite", "client"])
def store(request: pytest.FixtureRequest, workspace: Workspace) -> RegistryStore:
    if request.param == "client":
        return ClientStore(workspace.tracking_uri)
    return SqliteStore(sqlite_path(workspace.tracking_uri))


@pytest.fixture
def registry(store: RegistryStore, workspace: Workspace) -> Registry:
    return Registry(store, MODEL, workspace.registry / "bundles")


@pytest.fixture
def add(workspace: Workspace, a_bundle: Path, tmp_path: Path) -> Add:
    """Adds a version the way MLflow does, with a bundle of its own."""
    client = mlflow_client(workspace.tracking_uri)

    def register(model: str = MODEL, **tags: str) -> Path:
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model)
        number = 1 + len(client.search_model_versions(f"name = '{model}'"))
        folder = tmp_path / "bundles of others" / f"{model}-{number}"
        shutil.copytree(a_bundle, folder)
        client.create_model_version(model, folder.as_uri(), tags=tags)
        return folder

    return register


def test_an_empty_registry_says_what_fills_it(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"no version of 'pocketrec' yet; `pocketrec run`"):
        registry.versions()


def test_a_registry_that_does_not_exist_is_empty_and_is_not_created(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path / "nowhere")
    with pytest.raises(RegistryError, match="no version of 'pocketrec' yet"):
        open_registry(workspace).versions()
    assert not workspace.root.exists()


def test_versions_come_oldest_first_with_tags_and_aliases(registry: Registry, add: Add) -> None:
    first = add(encoder="cnn", recall_at_10="0.25")
    add(encoder="lstm")
    add(model="another")
    registry.promote("2")
    one, two = registry.versions()
    assert (one.version, two.version) == (1, 2)
    assert one.tags == {"encoder": "cnn", "recall_at_10": "0.25"}
    assert two.tags == {"encoder": "lstm"}
    assert (one.aliases, two.aliases) == ((), ("champion",))
    assert one.created_ms > 1_700_000_000_000
    assert registry.bundle_path(one) == first


def test_a_version_is_found_by_number_and_by_alias(registry: Registry, add: Add) -> None:
    add()
    add()
    registry.promote("v2")
    assert registry.find("1").version == 1
    assert registry.find("champion").version == 2
    with pytest.raises(RegistryError, match=r"'staging'.*versions: 1, 2; aliases: champion"):
        registry.find("staging")


def test_promotions_are_rolled_back_in_reverse_order(registry: Registry, add: Add) -> None:
    for _ in range(3):
        add()
    moves = [registry.promote(name) for name in ("1", "2", "1", "3")]
    assert [(move.version, move.previous) for move in moves] == [(1, None), (2, 1), (1, 2), (3, 1)]
    again = registry.promote("3")
    assert (again.version, again.previous) == (3, 3)
    for expected in (1, 2, 1):
        assert registry.rollback().version == expected
        assert registry.find("champion").version == expected
    with pytest.raises(RegistryError, match="version 1 is the first champion"):
        registry.rollback()
    assert registry.find("champion").version == 1


def test_nothing_is_rolled_back_without_a_champion(registry: Registry, add: Add) -> None:
    add()
    with pytest.raises(RegistryError, match="no champion to roll back from"):
        registry.rollback()


def test_a_champion_that_was_deleted_is_skipped(
    registry: Registry, add: Add, workspace: Workspace
) -> None:
    for name in ("1", "2", "3"):
        add()
        registry.promote(name)
    mlflow_client(workspace.tracking_uri).delete_model_version(MODEL, "2")
    assert registry.rollback().version == 1


def test_a_kill_between_list_and_alias_does_not_confuse_rollback(
    registry: Registry, store: RegistryStore, add: Add
) -> None:
    for name in ("1", "2"):
        add()
        registry.promote(name)
    add()
    store.set_model_tag(MODEL, "champions", json.dumps([1, 2, 3]))
    assert registry.find("champion").version == 2
    assert registry.rollback().version == 1


def test_a_champion_that_was_set_by_other_means_is_rolled_back_too(
    registry: Registry, add: Add, workspace: Workspace
) -> None:
    for _ in range(2):
        add()
    registry.promote("1")
    mlflow_client(workspace.tracking_uri).set_registered_model_alias(MODEL, "champion", "2")
    assert registry.rollback().version == 1


def test_a_damaged_bundle_does_not_become_champion(registry: Registry, add: Add) -> None:
    add()
    registry.promote("1")
    folder = add()
    (folder / "int8.tflite").write_bytes(b"damaged")
    with pytest.raises(RegistryError, match=r"version 2 cannot become champion.*sha256"):
        registry.promote("2")
    assert registry.find("champion").version == 1


def test_a_bundle_that_is_gone_is_said_to_be(registry: Registry, add: Add) -> None:
    shutil.rmtree(add())
    with pytest.raises(RegistryError, match="bundle of version 1 is gone"):
        registry.bundle_path(registry.find("1"))


def test_both_stores_see_what_the_other_wrote(workspace: Workspace, add: Add) -> None:
    add(encoder="cnn")
    add(encoder="bow")
    client = ClientStore(workspace.tracking_uri)
    sqlite = SqliteStore(sqlite_path(workspace.tracking_uri))
    sqlite.set_alias(MODEL, "champion", 1)
    sqlite.set_model_tag(MODEL, "champions", "[1]")
    client.set_alias(MODEL, "shadow", 2)
    client.set_model_tag(MODEL, "note", "a")
    assert sqlite.versions(MODEL) == client.versions(MODEL)
    assert [version.aliases for version in client.versions(MODEL)] == [("champion",), ("shadow",)]
    for key, value in (("champions", "[1]"), ("note", "a"), ("missing", None)):
        assert sqlite.model_tag(MODEL, key) == client.model_tag(MODEL, key) == value


def test_the_schema_of_the_installed_mlflow_is_known(workspace: Workspace) -> None:
    path = sqlite_path(workspace.tracking_uri)
    assert is_known_schema(path)
    assert isinstance(open_store(workspace.tracking_uri), SqliteStore)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of the future'")
    assert not is_known_schema(path)
    assert "of the future" not in KNOWN_REVISIONS


def test_a_locked_or_unreadable_database_is_said_to_be(workspace: Workspace) -> None:
    path = sqlite_path(workspace.tracking_uri)
    path.unlink()
    path.mkdir()
    with pytest.raises(RegistryError, match="database cannot be used"):
        SqliteStore(path).versions(MODEL)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("file:///a/b%20c", Path("/a/b c")),
        ("/a/b", Path("/a/b")),
        ("s3://bucket/a", None),
        ("mlflow-artifacts:/1/2", None),
    ],
)
def test_which_sources_are_on_this_machine(source: str, expected: Path | None) -> None:
    assert local_path(source) == expected


class Elsewhere:
    """A store whose bundles are fetched: it counts how often."""

    def __init__(self, store: RegistryStore, bundle: Path) -> None:
        self._store = store
        self._bundle = bundle
        self.downloads: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def download(self, source: str, target: Path) -> None:
        self.downloads.append(source)
        shutil.copytree(self._bundle, target)


def test_a_bundle_elsewhere_is_fetched_once(workspace: Workspace, a_bundle: Path) -> None:
    client = mlflow_client(workspace.tracking_uri)
    client.create_registered_model(MODEL)
    client.create_model_version(MODEL, "s3://bucket/bundle", tags={"bundle_id": "ab" * 32})
    store = Elsewhere(open_store(workspace.tracking_uri), a_bundle)
    registry = Registry(store, MODEL, workspace.registry / "bundles")  # type: ignore[arg-type]
    path = registry.bundle_path(registry.find("1"))
    assert path == workspace.registry / "bundles" / f"{MODEL}-1-{'ab' * 6}"
    assert registry.bundle_path(registry.find("1")) == path
    assert store.downloads == ["s3://bucket/bundle"]


def test_a_reference_is_a_version_an_alias_or_a_folder(
    workspace: Workspace, add: Add, a_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = add()
    open_registry(workspace).promote("1")
    assert resolve_bundle("champion", workspace) == registered
    assert resolve_bundle("1", workspace) == registered
    assert resolve_bundle(str(a_bundle), workspace) == a_bundle
    monkeypatch.chdir(a_bundle.parent)
    assert resolve_bundle("./bundle", workspace) == Path("bundle")
    with pytest.raises(RegistryError, match="no version or alias 'bundle'"):
        resolve_bundle("bundle", workspace)
    with pytest.raises(RegistryError, match="no such folder"):
        resolve_bundle("./nothing", workspace)
