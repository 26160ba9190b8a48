"""Versions and the champion in Vertex AI, through a local server that speaks its API."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform_v1 import Model, ModelContainerSpec

from components.movielens_example_gen import storage
from pipeline.cli.main import main
from pipeline.errors import RegistryError
from pipeline.registry import object_storage
from pipeline.registry.registry import Registry, open_registry
from pipeline.registry.store import open_store
from pipeline.registry.vertex_client import VertexClient
from pipeline.registry.vertex_labels import to_labels
from pipeline.registry.vertex_store import VertexStore
from pipeline.workspace import Workspace
from tests.device import toy
from tests.pipeline.registry.vertex_place import MODEL, PARENT, Fault, Token, VertexApi, running

Add = Callable[..., str]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexApi]:
    # Signing in asks servers of Google's; what is left out is their answer alone.
    monkeypatch.setattr("google.auth.default", lambda **_: (Token(), "p"))
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def a_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.bundle(tmp_path_factory.mktemp("registered"))


@pytest.fixture
def add(api: VertexApi, a_bundle: Path) -> Add:
    """Adds a version, with a bundle of its own in a file system in memory."""

    def register(model: str = MODEL, **tags: str) -> str:
        source = f"ram://bucket/{uuid.uuid4().hex}"
        object_storage.copy_to(a_bundle, source)
        version = Model(
            display_name=model,
            artifact_uri=source,
            container_spec=ModelContainerSpec(image_uri="me/image:7"),
            labels=to_labels(tags),
        )
        api.client().upload(model, version, lambda _: False)
        return source

    return register


@pytest.fixture
def registry(api: VertexApi, tmp_path: Path) -> Registry:
    return Registry(VertexStore(api.client()), MODEL, tmp_path / "downloads")


def test_an_empty_registry_says_what_fills_it(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"no version of 'pocketrec' yet; `pocketrec run`"):
        registry.versions()


def test_versions_come_oldest_first_with_tags_and_aliases(
    registry: Registry, add: Add, api: VertexApi, a_bundle: Path
) -> None:
    first = add(encoder="cnn", recall_at_10="0.25")
    add(encoder="lstm")
    add(model="another")
    add(encoder="bow")
    registry.promote("2")
    assert api.page_size == 2
    one, two, three = registry.versions()
    assert (one.version, two.version, three.version) == (1, 2, 3)
    assert one.tags == {"encoder": "cnn", "recall_at_10": "0.25"}
    assert (one.source, one.run_id) == (first, "")
    assert (one.aliases, two.aliases, three.aliases) == ((), ("champion", "default"), ())
    assert abs(one.created_ms / 1000 - time.time()) < 60
    fetched = registry.bundle_path(one)
    sent = {p.relative_to(a_bundle): p.read_bytes() for p in a_bundle.rglob("*") if p.is_file()}
    assert {p.relative_to(fetched): p.read_bytes() for p in fetched.rglob("*") if p.is_file()} == (
        sent
    )


def test_promotions_are_rolled_back_in_reverse_order(
    registry: Registry, add: Add, api: VertexApi
) -> None:
    for _ in range(3):
        add()
    moves = [registry.promote(name) for name in ("1", "2", "1", "3")]
    assert [(move.version, move.previous) for move in moves] == [(1, None), (2, 1), (1, 2), (3, 1)]
    again = registry.promote("champion")
    assert (again.version, again.previous) == (3, 3)
    for expected in (1, 2, 1):
        assert registry.rollback().version == expected
        # Who names no version gets the champion.
        assert api.aliases()[expected] == ["champion", "default"]
    with pytest.raises(RegistryError, match="version 1 is the first champion"):
        registry.rollback()


def test_what_others_wrote_into_the_description_stays(
    registry: Registry, add: Add, api: VertexApi
) -> None:
    add()
    api.models[MODEL].description = "For the phones in the shops.\nAsk Ada.\n"
    registry.promote("1")
    add()
    registry.promote("2")
    assert api.models[MODEL].description == (
        "For the phones in the shops.\nAsk Ada.\n\npocketrec champions: [1, 2]"
    )
    assert registry.rollback().version == 1


def test_an_edit_at_the_same_time_is_not_lost(api: VertexApi, add: Add) -> None:
    add()
    store = VertexStore(api.client())

    def somebody_else_edits() -> None:
        api.models[MODEL].description = "Ask Ada."
        api.models[MODEL].edits += 1

    api.before["update"] = somebody_else_edits
    store.set_model_tag(MODEL, "champions", "[1]")
    assert api.models[MODEL].description == "Ask Ada.\npocketrec champions: [1]"
    assert api.asked.count("update") == 2
    assert store.model_tag(MODEL, "champions") == "[1]"
    assert store.model_tag(MODEL, "missing") is None
    assert store.model_tag("another", "champions") is None


def test_a_kill_between_list_and_alias_does_not_confuse_rollback(
    registry: Registry, add: Add, api: VertexApi
) -> None:
    for name in ("1", "2"):
        add()
        registry.promote(name)
    add()
    VertexStore(api.client()).set_model_tag(MODEL, "champions", json.dumps([1, 2, 3]))
    assert registry.find("champion").version == 2
    assert registry.rollback().version == 1


def test_a_damaged_bundle_does_not_become_champion(
    registry: Registry, add: Add, tmp_path: Path, a_bundle: Path
) -> None:
    add()
    registry.promote("1")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "int8.tflite").write_bytes(b"damaged")
    source = add()
    # What overwrites elsewhere appends in memory.
    object_storage.copy_to(damaged, source)
    with pytest.raises(RegistryError, match=r"version 2 cannot become champion.*sha256"):
        registry.promote("2")
    assert registry.find("champion").version == 1
    storage.remove_folder(source)
    object_storage.copy_to(a_bundle, source)
    assert registry.promote("2").version == 2


def test_a_bundle_that_cannot_be_had_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nowhere://bucket: there are no files, or this"):
        object_storage.download("nowhere://bucket", tmp_path / "target")
    with pytest.raises(RegistryError, match=r"nowhere://bucket: cannot be written .*check the"):
        object_storage.copy_to(Path(__file__).parent, "nowhere://bucket")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault("listVersions", 503, times=3),
        Fault("listVersions", 429, times=2),
        Fault("listVersions", 0),
        Fault("listVersions", 0, done=True, seconds=0.6),
    ],
    ids=["unavailable", "too many", "cut", "slow"],
)
def test_what_passes_is_waited_for(api: VertexApi, add: Add, fault: Fault) -> None:
    add()
    client = api.client(request_seconds=0.3)
    api.faults = [fault]
    (version,) = client.versions(MODEL)
    assert version.version_id == "1"
    assert fault.times == 0


def test_what_does_not_pass_ends_with_the_last_answer(api: VertexApi) -> None:
    api.faults = [Fault("listVersions", 503, times=10_000)]
    started = time.monotonic()
    with pytest.raises(
        RegistryError,
        match=rf"^{PARENT}/models/pocketrec: given up after 0\.3 s.*status 503.*told to fail",
    ):
        api.client(retry_seconds=0.3).versions(MODEL)
    assert time.monotonic() - started < 15
    assert api.asked.count("listVersions") > 2


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (401, "status 401.*gcloud auth application-default login"),
        (403, "status 403.*gcloud auth.*role roles/aiplatform.user"),
        (400, "status 400.*told to fail$"),
    ],
)
def test_a_refusal_is_told_at_once_with_the_way_out(api: VertexApi, code: int, says: str) -> None:
    api.faults = [Fault("listVersions", code, times=9)]
    with pytest.raises(RegistryError, match=rf"^{PARENT}/models/pocketrec: refused with {says}"):
        api.client().versions(MODEL)
    # A refused token is renewed, twice at most.
    assert api.asked.count("listVersions") == (3 if code == 401 else 1)


def test_missing_credentials_are_told_with_the_way_out(
    api: VertexApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), "p"))
    with pytest.raises(RegistryError, match=r"no credentials .*gcloud auth application-default"):
        api.client().versions(MODEL)
    monkeypatch.undo()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(RegistryError, match=r"no credentials .*none\.json"):
        api.client().versions(MODEL)


def test_an_endpoint_that_is_not_there_is_told_at_once(api: VertexApi) -> None:
    del api
    store = open_store("vertex://p-1/europe-west4?endpoint=http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(RegistryError, match=r"models/pocketrec: cannot be reached \(.*refused"):
        store.versions(MODEL)
    assert time.monotonic() - started < 30


def test_a_name_that_vertex_does_not_take_is_told(api: VertexApi) -> None:
    with pytest.raises(RegistryError, match=r"registry\.model_name 'Pocket\.Rec'.*lower case"):
        api.client().versions("Pocket.Rec")
    assert api.asked == []


def test_nothing_is_connected_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("google.auth.default", refuse)
    assert isinstance(open_store("vertex://p-1/europe-west4"), VertexStore)


def test_the_commands_work_on_it(
    api: VertexApi, add: Add, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for recall in ("0.210000", "0.220000"):
        add(encoder="cnn", recall_at_10=recall, bytes="6432", bundle_id=recall)
    place = ["--tracking-uri", api.uri, "--workspace", str(tmp_path / "workspace")]

    def run(*words: str) -> str:
        assert main(["registry", *words, *place]) == 0
        return capsys.readouterr().out

    assert run("promote", "1") == "version 1 is champion; there was none before\n"
    assert run("promote", "2") == "version 2 is champion; it was version 1\n"
    assert run("rollback") == "version 1 is champion; it was version 2\n"
    listed = run("list").splitlines()
    assert [line.split()[0] for line in listed[2:]] == ["2", "1"]
    assert "0.220000" in listed[2]
    assert "champion, default" in listed[3]
    shown = run("show")
    bundle = open_registry(Workspace.at(tmp_path / "workspace"), api.uri).bundle_path(
        VertexStore(api.client()).versions(MODEL)[0]
    )
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    assert f"{manifest['files']['int8.tflite']['sha256']}  int8.tflite" in shown
    assert " run " not in shown


def test_an_address_that_cannot_be_read_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registry", "list", "--tracking-uri", "vertex://p-1"]) == 2
    assert "'vertex://p-1' must look like vertex://PROJECT/REGION" in capsys.readouterr().err


def test_the_client_is_the_one_of_the_regions_endpoint() -> None:
    store = open_store("vertex://p-1/europe-west4")
    assert isinstance(store, VertexStore)
    client = store._client
    assert isinstance(client, VertexClient)
    assert client.address.endpoint == "europe-west4-aiplatform.googleapis.com"
