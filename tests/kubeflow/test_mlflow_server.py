"""The MLflow server as the manifests start it, with PostgreSQL and S3 behind it.

Its image is executed in a clean root (see `tests/kubeflow/clean_root.py`). The server then runs as
its user with the very commands, variables and writable folders of the manifests, in a network where
the services have the names and ports of the cluster. PostgreSQL is this machine's, S3 is moto's.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.device import toy
from tests.kubeflow import clean_root, dockerfile, manifests
from tests.kubeflow import network as networks
from tests.kubeflow.manifests import PROJECT
from tests.kubeflow.network import Network
from tests.kubeflow.test_image import MLFLOW
from tests.kubeflow.test_manifests import SECRETS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NAMES = ("mlflow", "mlflow.kubeflow", "mlflow-postgres", "minio-service", "elsewhere")
CLIENT = """
import boto3
client = boto3.client("s3", endpoint_url="http://minio-service:9000", region_name="us-east-1",
                      aws_access_key_id="key", aws_secret_access_key="secret")
"""
STORE = f"""
import sys
from moto.server import ThreadedMotoServer
ThreadedMotoServer(ip_address="127.0.0.1", port=9000, verbose=False).start()
{CLIENT}
client.create_bucket(Bucket="mlpipeline")
print("ready", flush=True)
sys.stdin.read()
"""
OBJECTS = f"""{CLIENT}
for item in client.list_objects_v2(Bucket="mlpipeline").get("Contents", []):
    print(item["Key"])
"""
PUSH = """
import json, sys
from pathlib import Path
from components.registry_pusher.push import Pusher
from pipeline.registry.client_store import ClientStore
from pocketrec_device.bundle import Bundle
uri, folder, downloads = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
pusher = Pusher(tracking_uri=uri, artifact_root="", model="pocketrec")
pushed = pusher.push(folder, tags={"gate": "passed"}, metrics={"recall_at_10": 0.5})
(version,) = ClientStore(uri).versions("pocketrec")
ClientStore(uri).download(version.source, downloads)
back = Bundle.load(downloads)
back.verify()
print(json.dumps([pushed.version, version.tags["gate"], back.manifest.bundle_id]))
"""
ASK = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Host": sys.argv[2]})
try:
    print(urllib.request.urlopen(request, timeout=30).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    lacking = [tool for tool in ("initdb", "postgres", "setpriv") if not shutil.which(tool)]
    missing = clean_root.missing_means() or networks.missing_means() or ", ".join(lacking)
    if missing:
        pytest.skip(f"cannot run here: {missing}")
    made = Network(NAMES, tmp_path_factory.mktemp("network"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def database(network: Network) -> Iterator[None]:
    """PostgreSQL with the user, password and database of its manifest."""
    container = manifests.container("mlflow-postgres", "postgres")
    told = manifests.environment(container, SECRETS)
    # PostgreSQL does not run as root, and pytest's folders are for root alone.
    with tempfile.TemporaryDirectory() as folder:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        secret = Path(folder, "password")
        secret.write_text(told["POSTGRES_PASSWORD"], encoding="utf-8")
        os.chown(secret, nobody.pw_uid, nobody.pw_gid)
        names = ["--username", told["POSTGRES_USER"], "--pwfile", str(secret)]
        made = [*user, "initdb", f"--pgdata={folder}/data", "--auth=scram-sha-256", *names]
        subprocess.run(made, check=True, capture_output=True, cwd="/")
        options = ["-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses=127.0.0.1"]
        server = subprocess.Popen(
            network.words([*user, "postgres", *options]), stderr=subprocess.DEVNULL, text=True
        )
        try:
            # The manifest's probe looks for a socket in the image's folder.
            probe = container["readinessProbe"]["exec"]["command"]
            network.wait_for(probe, server, variables={"PGHOST": folder})
            login = {"PGHOST": folder, "PGPASSWORD": told["POSTGRES_PASSWORD"]}
            create = ["createdb", "--username", told["POSTGRES_USER"], told["POSTGRES_DB"]]
            done = network.run(create, variables=login)
            assert done.returncode == 0, done.stderr
            yield
        finally:
            networks.end(server)


@pytest.fixture(scope="module")
def store(network: Network) -> Iterator[None]:
    """An S3 server with the bucket of Kubeflow Pipelines."""
    server = subprocess.Popen(
        network.words([sys.executable, "-c", STORE]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=PROJECT,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    yield
    networks.end(server)


def _is_server(process: psutil.Process) -> bool:
    # None of a process that has ended and not been waited for.
    return (process.info["cmdline"] or [])[1:3] == ["/opt/venv/bin/mlflow", "server"]


@pytest.fixture(scope="module")
def image(network: Network, python_root: Path) -> clean_root.Image:
    del network
    return clean_root.build(dockerfile.read(MLFLOW), MLFLOW.parent, python_root, "mlflow")


def words(image: clean_root.Image, name: str) -> list[str]:
    """Returns the words that start a container of the Deployment."""
    container = manifests.container("mlflow", name)
    writable = [mount["mountPath"] for mount in container["volumeMounts"]]
    command = [*container["command"], *container.get("args", [])]
    return image.words(command, manifests.environment(container, SECRETS), writable)


@pytest.fixture(scope="module")
def uri(
    network: Network,
    database: None,
    store: None,
    image: clean_root.Image,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The server's address, as compiled pipelines have it."""
    del database, store
    # Twice: a pod that starts again finds the tables there.
    for _ in range(2):
        done = network.run(words(image, "tables"))
        assert done.returncode == 0, done.stderr[-4000:]
    log = tmp_path_factory.mktemp("mlflow") / "log"
    with log.open("w", encoding="utf-8") as file:
        server = subprocess.Popen(
            network.words(words(image, "mlflow")), stdout=file, stderr=file, text=True
        )
    health = "import urllib.request as r; r.urlopen('http://mlflow:5000/health', timeout=5)"
    try:
        network.wait_for([sys.executable, "-c", health], server)
        yield "http://mlflow:5000"
    except AssertionError:
        print(log.read_text(encoding="utf-8")[-6000:])
        raise
    finally:
        networks.end(server)


def test_a_bundle_goes_through_the_server_into_the_bucket_and_comes_back(
    network: Network, uri: str, tmp_path: Path
) -> None:
    bundle = toy.bundle(tmp_path / "bundle")
    # As from outside of the cluster: the client finds the server, and not the store behind it.
    said = network.python(PUSH, uri, str(bundle), str(tmp_path / "back"), names=["mlflow"])
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    assert json.loads(said.splitlines()[-1]) == [1, "passed", manifest["bundle_id"]]
    keys = network.python(OBJECTS).split()
    files = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    assert {key.partition("/artifacts/bundle/")[2] for key in keys} == files
    # experiment 0 is MLflow's own, ours is the next one.
    assert all(key.startswith("mlflow/1/") for key in keys)


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/api/2.0/mlflow/experiments/get?experiment_id=0", "mlflow:5000", "200"),
        ("/api/2.0/mlflow/experiments/get?experiment_id=0", "mlflow.kubeflow:5000", "200"),
        ("/api/2.0/mlflow/experiments/get?experiment_id=0", "localhost:5000", "200"),
        # A page that leads a browser here by a name of its own is refused.
        ("/api/2.0/mlflow/experiments/get?experiment_id=0", "elsewhere:5000", "403"),
        # Kubelets ask by the pod's address.
        ("/health", "10.244.0.17:5000", "200"),
    ],
)
def test_it_answers_to_its_own_names(
    network: Network, uri: str, path: str, host: str, status: str
) -> None:
    assert network.python(ASK, uri + path, host).strip() == status


def test_the_health_check_of_the_image_passes(
    network: Network, uri: str, image: clean_root.Image
) -> None:
    del uri
    check = dockerfile.read(MLFLOW)[-1].last("HEALTHCHECK")
    done = network.run(image.words(check.words[1:]))
    assert done.returncode == 0, done.stderr


def test_the_server_stays_within_its_memory(uri: str) -> None:
    del uri
    limit = manifests.container("mlflow", "mlflow")["resources"]["limits"]["memory"]
    assert limit.endswith("Gi")
    server = [p for p in psutil.process_iter(["cmdline"]) if _is_server(p)]
    processes = {child for p in server for child in (p, *p.children(recursive=True))}
    used = sum(p.memory_full_info().pss for p in processes)
    assert processes
    assert used < 0.75 * float(limit.removesuffix("Gi")) * 2**30


def test_runs_are_kept_in_postgresql(network: Network, uri: str, image: clean_root.Image) -> None:
    del uri
    query = (
        "import os, sqlalchemy as s; e = s.create_engine(os.environ['MLFLOW_BACKEND_STORE_URI']); "
        "print(e.dialect.name, e.connect().execute(s.text('select count(*) from runs')).scalar())"
    )
    told = manifests.environment(manifests.container("mlflow", "mlflow"), SECRETS)
    done = network.run(image.words(["python", "-c", query], told))
    assert done.stdout.split() == ["postgresql", "1"], done.stderr
