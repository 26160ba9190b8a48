"""A push to Vertex AI, whole, refused, or interrupted at any point and repeated.

The server is a local one that speaks the API; the files go into a file system in memory, and
onto the disk where they are written over, which that one does not know how to do.
"""

import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.rpc import status_pb2

from components.movielens_example_gen import storage
from components.registry_pusher.backends import open_pusher
from components.registry_pusher.push import Pushed
from components.registry_pusher.tags import registry_tags, run_metrics
from components.registry_pusher.vertex_push import VertexPusher, folder_name
from pipeline.errors import RegistryError
from pipeline.registry import object_storage
from pipeline.registry.registry import Registry
from pipeline.registry.training import training_source
from pipeline.registry.vertex_store import VertexStore
from pocketrec_device import Bundle, BundleError
from tests.components.registry_pusher.test_push import KilledError, interrupt
from tests.device import toy
from tests.pipeline.registry.vertex_place import MODEL, PARENT, Fault, Token, VertexApi, running

IMAGE = "registry.example/pocketrec:7"


class Place:
    """A registry, a bucket, and pushes to them."""

    def __init__(self, api: VertexApi, folder: Path) -> None:
        self.api = api
        self.root = f"ram://bucket/{uuid.uuid4().hex}"
        self.folder = folder

    def pusher(self, **patience: float) -> VertexPusher:
        return VertexPusher(
            self.api.client(**patience),
            artifact_root=self.root,
            container_image=IMAGE,
            model=MODEL,
        )

    def push(self, bundle: Path, *, training_dir: Path | None = None, **patience: float) -> Pushed:
        source = toy.source()
        tags, metrics = registry_tags(source, bundle), run_metrics(source)
        return self.pusher(**patience).push(
            bundle, tags=tags, metrics=metrics, training_dir=training_dir
        )

    def on_disk(self) -> None:
        self.root = (self.folder / "bucket").as_uri()

    def registry(self) -> Registry:
        downloads = self.folder / "downloads" / uuid.uuid4().hex
        return Registry(VertexStore(self.api.client()), MODEL, downloads)

    def assert_whole(self, *bundles: Path) -> None:
        """The versions are these bundles, in this order and whole; the last is champion."""
        registry = self.registry()
        versions = registry.versions()
        assert len(versions) == len(bundles)
        assert [version.aliases for version in versions] == [()] * (len(versions) - 1) + [
            ("champion", "default")
        ]
        for version, bundle in zip(versions, bundles, strict=True):
            arrived = registry.bundle_path(version)
            Bundle.load(arrived).verify()
            assert contents(arrived) == contents(bundle)
            assert version.tags["bundle_id"] == Bundle.load(bundle).manifest.bundle_id

    def assert_no_half_version(self) -> None:
        """Whatever version there is, it is whole."""
        registry = self.registry()
        for version in VertexStore(self.api.client()).versions(MODEL):
            Bundle.load(registry.bundle_path(version)).verify()
            assert version.tags["recall_at_10"] == "0.250000"


def contents(folder: Path) -> dict[Path, bytes]:
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Place]:
    # Signing in asks servers of Google's; what is left out is their answer alone.
    monkeypatch.setattr("google.auth.default", lambda **_: (Token(), "p"))
    with running() as api:
        yield Place(api, tmp_path)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.bundle(tmp_path_factory.mktemp("pushed"))


@pytest.fixture(scope="session")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    metrics = {"overall": {"recall_at_10": 0.3, "ndcg_at_10": 0.15}}
    return toy.bundle(tmp_path_factory.mktemp("pushed-too"), metrics=metrics, dataset="ml-1m")


def test_what_a_training_can_begin_with_lies_beside_the_bundle(
    place: Place, bundle: Path, tmp_path: Path
) -> None:
    """Of a version that is there already, too; and it is no part of what devices get."""
    training = tmp_path / "training"
    (training / "deep").mkdir(parents=True)
    (training / "deep" / "all.npz").write_bytes(b"weights")
    place.push(bundle)
    pushed = place.push(bundle, training_dir=training)
    assert pushed.version == 1
    place.assert_whole(bundle)
    assert not training_source(pushed.source).startswith(pushed.source)
    target = tmp_path / "fetched"
    VertexStore(place.api.client()).download(training_source(pushed.source), target)
    assert contents(target) == contents(training)


def test_a_push_makes_a_whole_version(place: Place, bundle: Path) -> None:
    pushed = place.push(bundle)
    assert (pushed.version, pushed.previous_champion, pushed.run_id) == (1, None, "")
    place.assert_whole(bundle)
    (version,) = place.registry().versions()
    bundle_id = Bundle.load(bundle).manifest.bundle_id
    assert version.tags == {
        "bundle_id": bundle_id,
        "bytes": str((bundle / "int8.tflite").stat().st_size),
        "dataset": "sample",
        "encoder": "lstm",
        "history_length": "10",
        "mlmd_model_id": "7",
        "movies": "40",
        "ndcg_at_10": "0.125000",
        "pipeline": "toy",
        "pipeline_run": "run-1",
        "recall_at_10": "0.250000",
        "variant": "int8",
    }
    (request,) = place.api.uploads
    assert (request.model_id, request.parent_model) == (MODEL, "")
    assert request.model.artifact_uri == pushed.source == version.source
    assert pushed.source.startswith(f"{place.root}/{MODEL}/{bundle_id}-")
    assert request.model.container_spec.image_uri == IMAGE
    assert request.model.version_description == (
        f"Bundle {bundle_id}: runs on devices, not behind an endpoint.\n"
        "Test windows: ndcg_at_10 0.125000, recall_at_10 0.250000."
    )


def test_repeating_a_push_changes_nothing(place: Place, bundle: Path) -> None:
    first = place.push(bundle)
    again = place.push(bundle)
    assert (again.version, again.source) == (first.version, first.source)
    assert len(place.api.uploads) == 1
    place.assert_whole(bundle)


def test_another_bundle_is_another_version(place: Place, bundle: Path, other_bundle: Path) -> None:
    place.push(bundle)
    second = place.push(other_bundle)
    assert (second.version, second.previous_champion) == (2, 1)
    assert place.api.uploads[1].parent_model == f"{PARENT}/models/{MODEL}"
    place.assert_whole(bundle, other_bundle)
    assert place.registry().rollback().version == 1


def test_the_first_version_pushed_again_is_champion_again(
    place: Place, bundle: Path, other_bundle: Path
) -> None:
    for pushed in (bundle, other_bundle, bundle):
        last = place.push(pushed)
    assert (last.version, last.previous_champion) == (1, 2)
    assert len(place.api.uploads) == 2


def test_a_damaged_bundle_is_not_pushed(place: Place, tmp_path: Path) -> None:
    damaged = toy.bundle(tmp_path)
    (damaged / "model_card.md").write_text("something else")
    with pytest.raises(BundleError, match=r"model_card\.md: sha256"):
        place.push(damaged)
    assert place.api.asked == []


def test_files_that_are_gone_are_put_back(place: Place, bundle: Path) -> None:
    from tensorflow.io import gfile

    place.on_disk()
    pushed = place.push(bundle)
    gfile.remove(f"{pushed.source}/int8.tflite")
    assert place.push(bundle).version == 1
    place.assert_whole(bundle)


def test_what_arrives_otherwise_than_it_was_sent_is_no_version(
    place: Place, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorflow.io import gfile

    def cut_off(source: str, target: str, overwrite: bool) -> None:
        del overwrite
        with gfile.GFile(target, "wb") as file:
            file.write(Path(source).read_bytes()[:100])

    monkeypatch.setattr(gfile, "copy", cut_off)
    with pytest.raises(RegistryError, match="not the bundle that was sent"):
        place.push(bundle)
    assert "upload" not in place.api.asked


UPLOAD_FAILURES = {
    "busy": Fault("upload", 503, times=2),
    "too many": Fault("upload", 429),
    "done, then an error": Fault("upload", 503, done=True),
    "done, then cut": Fault("upload", 0, done=True),
    "done, no answer in time": Fault("upload", 0, done=True, seconds=0.6),
    "not done, no answer in time": Fault("upload", 0, seconds=0.6),
    "busy while polled": Fault("operation", 503, times=2),
    "busy with the aliases": Fault("mergeVersionAliases", 503, done=True),
    "busy with the description": Fault("update", 503, done=True),
}


@pytest.mark.parametrize("upload_seconds", [0.0, 0.2])
@pytest.mark.parametrize("name", UPLOAD_FAILURES)
@pytest.mark.thorough
def test_a_failure_that_passes_leaves_one_version(
    place: Place, bundle: Path, name: str, upload_seconds: float
) -> None:
    fault = UPLOAD_FAILURES[name]
    place.api.faults = [Fault(**vars(fault))]
    place.api.upload_seconds = upload_seconds
    assert place.push(bundle, request_seconds=0.3).version == 1
    place.assert_whole(bundle)
    expected = 1 if fault.done or fault.call == "operation" else fault.times + 1
    assert place.api.asked.count("upload") == expected
    assert place.api.faults[0].times == 0


def test_an_upload_that_breaks_off_is_repeated(place: Place, bundle: Path) -> None:
    place.api.upload_error = status_pb2.Status(code=14, message="try again")
    assert place.push(bundle).version == 1
    assert len(place.api.uploads) == 2
    place.assert_whole(bundle)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (401, "status 401.*gcloud auth application-default login"),
        (403, "status 403.*role roles/aiplatform.user"),
        (400, "status 400.*told to fail"),
    ],
)
def test_a_refused_upload_is_no_version_and_tells_the_way_out(
    place: Place, bundle: Path, code: int, says: str
) -> None:
    place.api.faults = [Fault("upload", code, times=9)]
    with pytest.raises(RegistryError, match=rf"^{PARENT}/models/pocketrec: refused with {says}"):
        place.push(bundle)
    assert place.api.models == {}
    place.api.faults = []
    assert place.push(bundle).version == 1
    place.assert_whole(bundle)


def test_a_refused_operation_tells_why(place: Place, bundle: Path) -> None:
    place.api.upload_error = status_pb2.Status(code=3, message="the image cannot be pulled")
    with pytest.raises(RegistryError, match=r"models/pocketrec: .*the image cannot be pulled"):
        place.push(bundle)
    assert place.api.models == {}


def test_an_api_that_stays_busy_is_given_up(place: Place, bundle: Path) -> None:
    place.api.faults = [Fault("upload", 429, times=10_000)]
    with pytest.raises(RegistryError, match=r"given up after 0\.3 s.*status 429.*try again later"):
        place.push(bundle, retry_seconds=0.3)
    place.api.faults = []
    assert place.push(bundle).version == 1


def test_an_upload_that_takes_too_long_is_found_later(place: Place, bundle: Path) -> None:
    place.api.upload_seconds = 1000.0
    with pytest.raises(RegistryError, match=r"accepted, but not done after 0\.1 s"):
        place.push(bundle, upload_seconds=0.1)
    with pytest.raises(RegistryError, match=r"has been under way for more than 0\.1 s"):
        place.push(bundle, upload_seconds=0.1)
    place.api.finish_uploads()
    assert place.push(bundle).version == 1
    assert len(place.api.uploads) == 1
    place.assert_whole(bundle)


def test_a_model_that_another_push_makes_at_the_same_time_gets_both_versions(
    place: Place, bundle: Path, other_bundle: Path
) -> None:
    place.api.before["upload"] = lambda: place.push(other_bundle)
    pushed = place.push(bundle)
    assert (pushed.version, pushed.previous_champion) == (2, 1)
    # Refused with 409 first, as the model was there by then.
    assert [request.model_id for request in place.api.uploads] == [MODEL, MODEL, ""]
    place.assert_whole(other_bundle, bundle)


def test_two_pushes_of_one_bundle_that_meet_leave_one_version(
    place: Place, bundle: Path, other_bundle: Path
) -> None:
    place.push(other_bundle)
    place.api.before["upload"] = lambda: place.push(bundle)
    pushed = place.push(bundle)
    assert (pushed.version, pushed.previous_champion) == (2, 2)
    assert place.api.asked.count("deleteVersion") == 1
    place.assert_whole(other_bundle, bundle)


def test_a_double_that_another_push_deletes_at_once_is_no_error(
    place: Place, bundle: Path, other_bundle: Path
) -> None:
    place.push(other_bundle)

    def somebody_else_pushes() -> None:
        place.push(bundle)
        # Next this push asks for the version 3 that its upload has made.
        place.api.before["get"] = lambda: place.push(bundle)

    place.api.before["upload"] = somebody_else_pushes
    assert place.push(bundle).version == 2
    assert place.api.asked.count("deleteVersion") == 1
    place.assert_whole(other_bundle, bundle)


def test_a_version_that_somebody_deletes_at_once_is_told(
    place: Place, bundle: Path, other_bundle: Path
) -> None:
    place.push(other_bundle)

    def somebody_uploads() -> None:
        place.api.before["get"] = lambda: place.api.client().delete_version(MODEL, "2")

    place.api.before["upload"] = somebody_uploads
    with pytest.raises(RegistryError, match=r"refused with status 404: .*pocketrec@2"):
        place.push(bundle)
    place.assert_whole(other_bundle)


def test_a_double_that_has_a_name_is_left_alone(
    place: Place, bundle: Path, other_bundle: Path
) -> None:
    place.push(other_bundle)

    def somebody_names_the_double() -> None:
        place.api.models[MODEL].versions[3].version_aliases.append("golden")

    def somebody_else_pushes() -> None:
        place.push(bundle)
        # Next comes the look at the version that the upload has made.
        place.api.before["listVersions"] = somebody_names_the_double

    place.api.before["upload"] = somebody_else_pushes
    assert place.push(bundle).version == 2
    assert place.api.aliases() == {1: [], 2: ["champion", "default"], 3: ["golden"]}


def test_many_pushes_of_one_bundle_at_once_leave_one_version(place: Place, bundle: Path) -> None:
    place.api.upload_seconds = 0.1
    # Objects are written whole or not at all; neither disk nor memory does so.
    name = folder_name(bundle, Bundle.load(bundle).manifest.bundle_id)
    object_storage.copy_to(bundle, f"{place.root}/{MODEL}/{name}")
    versions: list[int] = []
    threads = [
        threading.Thread(target=lambda: versions.append(place.push(bundle).version))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert versions == [1, 1, 1, 1]
    place.assert_whole(bundle)


POINTS = [
    ("gfile", "copy", "before", 1),
    ("gfile", "copy", "after", 4),
    ("client", "upload_model", "before", 1),
    ("client", "upload_model", "after", 1),
    ("client", "update_model", "before", 1),
    ("client", "update_model", "after", 1),
    ("client", "merge_version_aliases", "after", 1),
]


def owner_of(name: str) -> Any:
    if name == "gfile":
        from tensorflow.io import gfile

        return gfile
    from google.cloud.aiplatform_v1 import ModelServiceClient

    return ModelServiceClient


@pytest.mark.parametrize(("owner", "name", "moment", "count"), POINTS)
def test_an_interrupted_push_is_finished_by_the_next(
    place: Place,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: str,
    name: str,
    moment: str,
    count: int,
) -> None:
    def kill() -> None:
        raise KilledError

    place.on_disk()
    place.api.upload_seconds = 0.1
    target = owner_of(owner)
    with monkeypatch.context() as patch:
        patch.setattr(target, name, interrupt(target, name, moment, count, kill))
        with pytest.raises(KilledError):
            place.push(bundle)
    place.assert_no_half_version()
    assert place.push(bundle).version == 1
    place.assert_whole(bundle)
    folders = {name.split("/")[1] for name in storage.list_files(place.root)}
    assert len(folders) == 1


CHILD = """
import os, signal, sys
from pathlib import Path
import google.auth
from components.registry_pusher.vertex_push import VertexPusher
from pipeline.registry.vertex_address import VertexAddress
from pipeline.registry.vertex_client import VertexClient
from tests.components.registry_pusher.test_push import interrupt
from tests.components.registry_pusher.test_vertex_push import IMAGE, owner_of
from tests.pipeline.registry.vertex_place import IMPATIENT, MODEL, Token
owner, name, moment, count, uri, root, bundle = sys.argv[1:]
google.auth.default = lambda **_: (Token(), "p")
target = owner_of(owner)
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
setattr(target, name, interrupt(target, name, moment, int(count), kill))
pusher = VertexPusher(
    VertexClient(VertexAddress.parse(uri), IMPATIENT),
    artifact_root=root, container_image=IMAGE, model=MODEL,
)
# Given tags keep the child from building the model again.
pusher.push(Path(bundle), tags={"recall_at_10": "0.250000"}, metrics={})
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("owner", "name", "moment", "count"), POINTS)
def test_a_killed_push_is_finished_by_the_next(
    place: Place, bundle: Path, owner: str, name: str, moment: str, count: int
) -> None:
    place.on_disk()
    place.api.upload_seconds = 0.1
    repository = str(Path(__file__).parents[3])
    child = subprocess.run(
        [
            *(sys.executable, "-c", f"import sys; sys.path.insert(0, {repository!r})\n{CHILD}"),
            *(owner, name, moment, str(count), place.api.uri, place.root, str(bundle)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    place.assert_no_half_version()
    assert place.push(bundle).version == 1
    place.assert_whole(bundle)


def test_the_champion_stays_until_the_new_version_is_whole(
    place: Place, bundle: Path, other_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.push(bundle)

    def kill() -> None:
        raise KilledError

    client = owner_of("client")
    for name, moment in (("upload_model", "before"), ("update_model", "before")):
        with monkeypatch.context() as patch:
            patch.setattr(client, name, interrupt(client, name, moment, 1, kill))
            with pytest.raises(KilledError):
                place.push(other_bundle)
        assert place.registry().find("champion").version == 1
        assert place.registry().find("default").version == 1
    place.push(other_bundle)
    place.assert_whole(bundle, other_bundle)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tracking_uri": "vertex://p-1"}, "'vertex://p-1' must look like vertex://PROJECT/REGION"),
        ({"artifact_root": "s3://bucket/x"}, r"'s3://bucket/x'.*must look like gs://BUCKET"),
        ({"artifact_root": "gs://"}, "must look like gs://BUCKET"),
        ({"container_image": ""}, r"name one of the Artifact Registry in registry\.container_ima"),
        ({"model": "Pocket"}, r"registry\.model_name 'Pocket'"),
    ],
)
def test_a_place_that_vertex_cannot_use_is_refused(change: dict[str, str], says: str) -> None:
    place = {
        "tracking_uri": "vertex://p-1/europe-west4",
        "artifact_root": "gs://bucket/registry",
        "container_image": IMAGE,
        "model": MODEL,
    }
    assert isinstance(open_pusher(**place), VertexPusher)
    with pytest.raises(RegistryError, match=says):
        open_pusher(**{**place, **change})


def test_a_bundle_at_another_root_is_found(place: Place, bundle: Path) -> None:
    first = place.push(bundle)
    place.root = f"ram://bucket/{uuid.uuid4().hex}"
    assert place.push(bundle).source == first.source
    with pytest.raises(object_storage.NothingThereError):
        object_storage.download(place.root, place.folder / "none")
