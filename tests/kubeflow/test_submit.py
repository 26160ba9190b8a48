from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from kubeflow.submission import read_submission
from pipeline.cli.main import main
from pipeline.errors import ConfigError

SPEC = {
    "pipelineInfo": {"name": "pocketrec-sample"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "tfx-1.16.0",
    "defaultPipelineRoot": "gs://bucket/root",
    "components": {"comp": {"executorLabel": "exec"}},
    "deploymentSpec": {
        "executors": {"exec": {"container": {"image": "i", "command": ["true"], "args": []}}}
    },
    "root": {
        "dag": {
            "tasks": {
                "step": {"taskInfo": {"name": "step"}, "componentRef": {"name": "comp"}},
            }
        },
        "inputDefinitions": {
            "parameters": {
                "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3},
                "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.5},
                "data": {"parameterType": "STRING", "defaultValue": "s3://b"},
            }
        },
    },
}


class Api:
    """A local server that answers as a backend would, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, Any, str | None]] = []
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                path = self.path.split("?")[0]
                sign = self.headers.get("Authorization")
                api.asked.append((self.command, path, body, sign))
                status, answer = api.answers.get(f"{self.command} {path}", (404, {"message": path}))
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            # The names that http.server looks for.
            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, *args: object) -> None:
                del args

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def bodies(self, call: str) -> list[Any]:
        return [body for verb, path, body, _ in self.asked if f"{verb} {path}" == call]


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.close()


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(json.dumps(SPEC))
    return path


@pytest.fixture
def kubeflow_api(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    # The client keeps a namespace in its user's home.
    monkeypatch.setenv("HOME", str(tmp_path))
    experiment = {"experiment_id": "e1", "display_name": "pocketrec"}
    api.answers = {
        "GET /apis/v2beta1/healthz": (200, {"multi_user": False}),
        "GET /apis/v2beta1/experiments": (200, {"experiments": [experiment]}),
        "POST /apis/v2beta1/runs": (200, {"run_id": "r7"}),
    }
    return api


def test_kubeflow_gets_the_spec_and_the_parameters(
    kubeflow_api: Api, compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    start = ["submit", str(compiled), "--target", "kubeflow", "--endpoint", kubeflow_api.url]
    options = ["--parameter", "epochs=5", "--parameter", "data=gs://x=y", "--no-cache"]
    assert main([*start, *options, "--token-file", str(token)]) == 0
    (run,) = kubeflow_api.bodies("POST /apis/v2beta1/runs")
    assert run["experiment_id"] == "e1"
    assert run["display_name"] == "pocketrec-sample"
    assert run["runtime_config"]["parameters"] == {"epochs": 5, "data": "gs://x=y"}
    assert run["pipeline_spec"]["pipelineInfo"]["name"] == "pocketrec-sample"
    (task,) = run["pipeline_spec"]["root"]["dag"]["tasks"].values()
    assert not task["cachingOptions"].get("enableCache", False)
    assert {sign for _, _, _, sign in kubeflow_api.asked} == {"Bearer secret"}
    said = capsys.readouterr().out
    assert "run r7" in said
    assert f"{kubeflow_api.url}/#/runs/details/r7" in said
    assert "secret" not in said


def test_kubeflow_gets_a_recurring_run(
    kubeflow_api: Api, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = "POST /apis/v2beta1/recurringruns"
    kubeflow_api.answers[call] = (200, {"recurring_run_id": "w3"})
    start = ["submit", str(compiled), "--target", "kubeflow", "--endpoint", kubeflow_api.url]
    assert main([*start, "--schedule", "0 3  * * 1", "--parameter", "epochs=5"]) == 0
    (run,) = kubeflow_api.bodies(call)
    assert run["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 1"}}
    assert (run["max_concurrency"], run["no_catchup"], run["mode"]) == (1, True, "ENABLE")
    assert run["experiment_id"] == "e1"
    assert run["runtime_config"]["parameters"] == {"epochs": 5}
    assert run["pipeline_spec"]["pipelineInfo"]["name"] == "pocketrec-sample"
    assert not kubeflow_api.bodies("POST /apis/v2beta1/runs")
    said = capsys.readouterr().out
    assert "pocketrec-sample: schedule w3" in said
    assert f"{kubeflow_api.url}/#/recurringrun/details/w3" in said


@pytest.mark.parametrize("cron", ["0 3 * *", "0 0 3 * * 1", "at three", "0 3 * * 1;x"])
def test_what_is_no_schedule_is_refused(
    compiled: Path, capsys: pytest.CaptureFixture[str], cron: str
) -> None:
    start = ["submit", str(compiled), "--target", "kubeflow", "--endpoint", "http://127.0.0.1:9"]
    assert main([*start, "--schedule", cron]) == 2
    assert f"--schedule {cron!r}: must be cron's five fields" in capsys.readouterr().err


def test_a_refusal_of_kubeflow_is_told_with_the_way_out(
    kubeflow_api: Api, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeflow_api.answers["POST /apis/v2beta1/runs"] = (401, {"message": "who are you?"})
    start = ["submit", str(compiled), "--target", "kubeflow", "--endpoint", kubeflow_api.url]
    assert main(start) == 2
    said = capsys.readouterr().err
    assert "refused with status 401: who are you?; give the sign-in's token" in said


def test_an_endpoint_that_is_not_there_is_named(
    compiled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "http://127.0.0.1:9")
    assert main(["submit", str(compiled), "--target", "kubeflow"]) == 2
    said = capsys.readouterr().err
    assert "http://127.0.0.1:9: cannot be reached" in said
    assert "kubectl port-forward" in said


@pytest.fixture
def vertex_api(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    # Signing in asks servers of Google's; what is left out is their answer alone.
    monkeypatch.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), "p"))
    api.answers = {
        JOBS: (200, {"name": "projects/1/locations/europe-west4/pipelineJobs/j1"}),
    }
    return api


JOBS = "POST /v1/projects/p/locations/europe-west4/pipelineJobs"
VERTEX = ["--target", "vertex", "--project", "p", "--region", "europe-west4"]


def test_vertex_gets_the_job_and_the_parameters(
    vertex_api: Api, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["submit", str(compiled), *VERTEX, "--endpoint", vertex_api.url]
    options = ["--parameter", "rate=0.25", "--service-account", "runner@p"]
    assert main([*start, *options]) == 0
    (job,) = vertex_api.bodies(JOBS)
    assert job["displayName"] == "pocketrec-sample"
    assert job["serviceAccount"] == "runner@p"
    assert job["runtimeConfig"]["parameterValues"] == {"rate": 0.25}
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/root"
    said = capsys.readouterr().out
    assert "pipelineJobs/j1" in said
    assert "locations/europe-west4/pipelines/runs/j1?project=p" in said


def test_vertex_gets_a_schedule(
    vertex_api: Api, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = JOBS.replace("pipelineJobs", "schedules")
    vertex_api.answers[call] = (200, {"name": "projects/1/locations/europe-west4/schedules/s9"})
    start = ["submit", str(compiled), *VERTEX, "--endpoint", vertex_api.url]
    assert main([*start, "--schedule", "0 3 * * 1", "--parameter", "rate=0.25"]) == 0
    (schedule,) = vertex_api.bodies(call)
    assert schedule["cron"] == "0 3 * * 1"
    assert schedule["maxConcurrentRunCount"] == "1"
    request = schedule["createPipelineJobRequest"]
    assert request["parent"] == "projects/p/locations/europe-west4"
    job = request["pipelineJob"]
    assert job["runtimeConfig"]["parameterValues"] == {"rate": 0.25}
    assert job["pipelineSpec"]["pipelineInfo"]["name"] == "pocketrec-sample"
    assert not vertex_api.bodies(JOBS)
    said = capsys.readouterr().out
    assert "schedule projects/1/locations/europe-west4/schedules/s9" in said
    assert "locations/europe-west4/pipelines/schedules/s9?project=p" in said


@pytest.mark.parametrize(
    ("status", "message"), [(403, "aiplatform.pipelineJobs.create denied"), (404, "no project p")]
)
def test_a_refusal_of_vertex_is_told(
    vertex_api: Api,
    compiled: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
    message: str,
) -> None:
    vertex_api.answers[JOBS] = (status, {"error": {"code": status, "message": message}})
    assert main(["submit", str(compiled), *VERTEX, "--endpoint", vertex_api.url]) == 2
    said = capsys.readouterr().err
    assert f"p in europe-west4: refused with status {status}" in said
    assert message in said


def test_missing_credentials_are_told_with_the_way_out(
    compiled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    assert main(["submit", str(compiled), *VERTEX]) == 2
    said = capsys.readouterr().err
    assert "p: no credentials" in said
    assert "gcloud auth application-default login" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--target", "kubeflow"], "needs --endpoint, the address"),
        (["--target", "vertex", "--region", "r"], "needs --project"),
        (["--target", "vertex", "--project", "p"], "needs --region"),
        (
            ["--target", "kubeflow", "--endpoint", "http://x", "--token-file", "none"],
            "--token-file none: cannot be read",
        ),
    ],
)
def test_what_a_target_needs_is_asked_for(
    compiled: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    says: str,
) -> None:
    for variable in ("KF_PIPELINES_ENDPOINT", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["submit", str(compiled), *options]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("epochs", "'epochs': must look like NAME=VALUE"),
        ("epoch=3", r"epoch: .*has no such parameter, there are: data, epochs, rate"),
        ("epochs=2.5", "epochs=2.5: must be a whole number"),
        ("epochs=true", "epochs=true: must be a whole number"),
        ("rate=fast", "rate=fast: must be a number"),
    ],
)
def test_values_are_checked_before_anything_is_sent(compiled: Path, value: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_submission(compiled, [value])


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), ("a: [", "not valid YAML"), ("a: 1", "not a compiled")],
)
def test_a_file_that_is_no_pipeline_is_refused(
    tmp_path: Path, content: str | None, says: str
) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=rf"x\.yaml: {says}"):
        read_submission(path, [])
