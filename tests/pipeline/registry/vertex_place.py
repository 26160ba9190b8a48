"""A local server that speaks the REST API of Vertex AI's Model Registry, and fails when told to.

Requests are read with the API's own protocol buffers, and what they do not know is refused. State
follows the API's documentation: version ids rise and are not given again, an alias belongs to one
version and leaves it when it is given to another, one version is always the default, labels are
checked, lists come in pages, an upload is an operation that takes its time. Where the documentation
leaves a choice, the server takes the one that is harder to live with.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.auth.credentials import Credentials
from google.cloud.aiplatform_v1 import types
from google.longrunning import operations_pb2
from google.protobuf import field_mask_pb2, json_format
from google.rpc import status_pb2

from pipeline.registry.vertex_address import VertexAddress
from pipeline.registry.vertex_client import Patience, VertexClient

PROJECT, REGION, MODEL = "p-1", "europe-west4", "pocketrec"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
# As the API does, whatever name of the project was asked for.
_ANSWERED_PARENT = f"projects/123456789/locations/{REGION}"
TOKEN = "secret"

IMPATIENT = Patience(
    request_seconds=10, first_wait=0.01, longest_wait=0.05, retry_seconds=30, upload_seconds=30
)
"""For a server that answers at once."""

_OUTPUT_ONLY = ("version_id", "version_create_time", "create_time", "update_time", "etag")
_LABEL_KEY, _LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9-]")
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class Token(Credentials):
    """Credentials whose token does not change when it is renewed."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN

    def refresh(self, request: object) -> None:
        del request


class RefusedError(Exception):
    """An answer with an error status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclasses.dataclass
class Fault:
    """A failure that is still to come.

    Attributes:
        call: Name of the call that it befalls.
        code: Status of the answer; 0: the connection is cut instead, or slow.
        done: Whether the call takes effect all the same.
        seconds: Before the answer.
        times: How often.
    """

    call: str
    code: int = 0
    done: bool = False
    seconds: float = 0.0
    times: int = 1


@dataclasses.dataclass
class Upload:
    """An upload that the server has accepted."""

    name: str
    ready: float
    finish: Callable[[], Any]
    result: Any = None
    error: status_pb2.Status | None = None


class Registered:
    """A model: what its versions share, and the versions by id."""

    def __init__(self, display_name: str) -> None:
        self.display_name = display_name
        self.description = ""
        self.labels: dict[str, str] = {}
        self.edits = 0
        self.last_id = 0
        self.versions: dict[int, Any] = {}

    @property
    def etag(self) -> str:
        return f"etag-{self.edits}"


class VertexApi:
    """The server; also what the tests see of its state."""

    def __init__(self) -> None:
        self.models: dict[str, Registered] = {}
        self.faults: list[Fault] = []
        self.before: dict[str, Callable[[], object]] = {}
        """What else happens just before a call has its effect, once, by its name."""
        self.asked: list[str] = []
        self.uploads: list[Any] = []
        self.upload_seconds = 0.0
        self.upload_error: status_pb2.Status | None = None
        self.page_size = 2
        self._operations: dict[str, Upload] = {}
        self._lock = threading.Lock()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                signed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
                code, content = api.handle(self.command, self.path, body, signed=signed)
                if code == 0:
                    return
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(code)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            # The names that http.server looks for.
            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, *args: object) -> None:
                del args

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self.uri = f"vertex://{PROJECT}/{REGION}?endpoint={endpoint}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def client(self, **patience: float) -> VertexClient:
        chosen = dataclasses.replace(IMPATIENT, **patience)
        return VertexClient(VertexAddress.parse(self.uri), chosen)

    def finish_uploads(self) -> None:
        """Ends uploads that would take longer."""
        with self._lock:
            for upload in self._operations.values():
                upload.ready = 0.0

    def aliases(self, model: str = MODEL) -> dict[int, list[str]]:
        """Aliases by version."""
        with self._lock:
            self._work()
            versions = self.models[model].versions
            return {number: sorted(entry.version_aliases) for number, entry in versions.items()}

    def handle(self, verb: str, target: str, body: str, *, signed: bool) -> tuple[int, bytes]:
        """Returns status and content of the answer; status 0: the connection is cut."""
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        try:
            call, name = _call(verb, urllib.parse.unquote(url.path))
            query.pop("$alt", None)
            self.before.pop(call, lambda: None)()
            with self._lock:
                self.asked.append(call)
                fault = next((one for one in self.faults if one.call == call and one.times), None)
                if fault:
                    fault.times -= 1
                if not signed:
                    raise RefusedError(401, "the token is not valid")
                self._work()
                message = None
                if fault is None or fault.done:
                    message = getattr(self, f"_{call}")(name, query, body)
            if fault:
                time.sleep(fault.seconds)
                if fault.code:
                    raise RefusedError(fault.code, "told to fail")
                if not fault.seconds:
                    return 0, b""
            return 200, json_format.MessageToJson(message).encode()
        except RefusedError as refused:
            error = {
                "code": refused.code,
                "message": refused.message,
                "status": _STATUS[refused.code],
            }
            return refused.code, json.dumps({"error": error}).encode()

    def _work(self) -> None:
        for upload in self._operations.values():
            if upload.result is None and upload.error is None and time.monotonic() >= upload.ready:
                try:
                    upload.result = upload.finish()
                except RefusedError as refused:
                    upload.error = status_pb2.Status(code=6, message=refused.message)

    def _upload(self, parent: str, query: Mapping[str, str], body: str) -> Any:
        _no_more(query)
        asked = _parse(body, types.UploadModelRequest)
        self.uploads.append(asked)
        if parent != PARENT:
            raise RefusedError(404, f"{parent} does not exist")
        _check_model(asked.model)
        model_id = asked.model_id
        if asked.parent_model:
            if model_id:
                raise RefusedError(400, "model_id and parent_model exclude each other")
            model_id = asked.parent_model.removeprefix(f"{PARENT}/models/")
            self._registered(model_id)
        elif not _MODEL_ID.fullmatch(model_id):
            raise RefusedError(400, f"model_id {model_id!r} is not valid")
        elif model_id in self.models:
            raise RefusedError(409, f"model {model_id} already exists")
        name = f"{PARENT}/models/{model_id}/operations/{len(self._operations) + 1}"
        upload = Upload(
            name,
            time.monotonic() + self.upload_seconds,
            lambda: self._commit(model_id, asked.model, new=not asked.parent_model),
            error=self.upload_error,
        )
        self.upload_error = None
        self._operations[name] = upload
        return self._described(upload)

    def _commit(self, model_id: str, given: Any, *, new: bool) -> Any:
        if new and model_id in self.models:
            raise RefusedError(409, f"model {model_id} already exists")
        model = self.models.setdefault(model_id, Registered(given.display_name))
        # What the API makes of it is not documented.
        model.description = given.description
        model.edits += 1
        model.last_id += 1
        entry = types.Model.pb(types.Model())
        entry.CopyFrom(given)
        entry.ClearField("container_spec")  # input only
        if new:
            model.labels.update(given.labels)
        entry.version_id = str(model.last_id)
        entry.version_create_time.GetCurrentTime()
        if not model.versions:
            entry.version_aliases.append("default")
        model.versions[model.last_id] = entry
        answer = types.UploadModelResponse(
            model=f"{_ANSWERED_PARENT}/models/{model_id}", model_version_id=entry.version_id
        )
        return types.UploadModelResponse.pb(answer)

    def _get(self, name: str, query: Mapping[str, str], body: str) -> Any:
        _no_more(query)
        del body
        model_id, number = self._version(name)
        return self._shown(model_id, number, f"{_ANSWERED_PARENT}/models/{model_id}")

    def _listVersions(self, name: str, query: Mapping[str, str], body: str) -> Any:  # noqa: N802
        del body
        _no_more(query, "pageSize", "pageToken")
        model = self._registered(name.removeprefix(f"{PARENT}/models/"))
        model_id = name.rpartition("/")[2]
        numbers = sorted(model.versions)
        start = int(query.get("pageToken", "0"))
        size = min(int(query.get("pageSize", "100")), self.page_size)
        answer = types.ListModelVersionsResponse.pb(types.ListModelVersionsResponse())
        for number in numbers[start : start + size]:
            shown = f"{_ANSWERED_PARENT}/models/{model_id}@{number}"
            answer.models.append(self._shown(model_id, number, shown))
        if start + size < len(numbers):
            answer.next_page_token = str(start + size)
        return answer

    def _mergeVersionAliases(self, name: str, query: Mapping[str, str], body: str) -> Any:  # noqa: N802
        _no_more(query)
        asked = _parse(body, types.MergeVersionAliasesRequest)
        model_id, number = self._version(name)
        if not name.endswith(f"@{number}"):
            raise RefusedError(400, f"{name}: a version's id is needed")
        model = self.models[model_id]
        for alias in asked.version_aliases:
            if not _ALIAS.fullmatch(alias):
                raise RefusedError(400, f"alias {alias!r} is not valid")
            for entry in model.versions.values():
                if alias in entry.version_aliases:
                    entry.version_aliases.remove(alias)
            model.versions[number].version_aliases.append(alias)
        return self._shown(model_id, number, name)

    def _update(self, name: str, query: Mapping[str, str], body: str) -> Any:
        _no_more(query, "updateMask")
        mask = json_format.Parse(json.dumps(query["updateMask"]), field_mask_pb2.FieldMask())
        asked = _parse(body, types.Model)
        model = self._registered(name.removeprefix(f"{PARENT}/models/"))
        if asked.etag and asked.etag != model.etag:
            raise RefusedError(409, "the etag is not the present one")
        if list(mask.paths) != ["description"]:
            raise RefusedError(400, f"{list(mask.paths)}: of a model, the description can change")
        model.description = asked.description
        model.edits += 1
        return self._shown(name.rpartition("/")[2], self._version(name)[1], name)

    def _deleteVersion(self, name: str, query: Mapping[str, str], body: str) -> Any:  # noqa: N802
        _no_more(query)
        del body
        model_id, number = self._version(name)
        if "default" in self.models[model_id].versions[number].version_aliases:
            raise RefusedError(400, "the default version cannot be deleted")
        del self.models[model_id].versions[number]
        operation = operations_pb2.Operation(name=f"{PARENT}/models/{model_id}/operations/d")
        operation.metadata.Pack(types.DeleteOperationMetadata.pb(types.DeleteOperationMetadata()))
        operation.done = True
        operation.response.Pack(operations_pb2.google_dot_protobuf_dot_empty__pb2.Empty())
        return operation

    def _operation(self, name: str, query: Mapping[str, str], body: str) -> Any:
        _no_more(query)
        del body
        if name not in self._operations:
            raise RefusedError(404, f"{name} does not exist")
        return self._described(self._operations[name])

    def _listOperations(self, name: str, query: Mapping[str, str], body: str) -> Any:  # noqa: N802
        del body
        _no_more(query, "pageSize", "pageToken")
        mine = [one for key, one in self._operations.items() if key.startswith(f"{name}/")]
        if not mine and name.rpartition("/")[2] not in self.models:
            raise RefusedError(404, f"{name} does not exist")
        start = int(query.get("pageToken", "0"))
        shown = [self._described(one) for one in mine[start : start + self.page_size]]
        answer = operations_pb2.ListOperationsResponse(operations=shown)
        if start + self.page_size < len(mine):
            answer.next_page_token = str(start + self.page_size)
        return answer

    def _described(self, upload: Upload) -> Any:
        operation = operations_pb2.Operation(name=upload.name)
        metadata = types.UploadModelOperationMetadata.pb(types.UploadModelOperationMetadata())
        operation.metadata.Pack(metadata)
        if upload.error is not None:
            operation.done = True
            operation.error.CopyFrom(upload.error)
        elif upload.result is not None:
            operation.done = True
            operation.response.Pack(upload.result)
        return operation

    def _registered(self, model_id: str) -> Registered:
        if model_id not in self.models:
            raise RefusedError(404, f"model {model_id} does not exist")
        return self.models[model_id]

    def _version(self, name: str) -> tuple[str, int]:
        model_id, _, reference = name.removeprefix(f"{PARENT}/models/").partition("@")
        model = self._registered(model_id)
        for number, entry in model.versions.items():
            if str(number) == reference or (reference or "default") in entry.version_aliases:
                return model_id, number
        raise RefusedError(404, f"{name} does not exist")

    def _shown(self, model_id: str, number: int, name: str) -> Any:
        model = self.models[model_id]
        entry = types.Model.pb(types.Model())
        entry.CopyFrom(model.versions[number])
        entry.name, entry.display_name, entry.etag = name, model.display_name, model.etag
        entry.description = model.description
        entry.labels.update({**model.labels, **entry.labels})
        return entry


def _call(verb: str, path: str) -> tuple[str, str]:
    """Returns the name of a call and of the resource that it is about."""
    # The API answers for operations under either name; its generated client asks for the second.
    name = path.removeprefix("/v1/")
    if "/operations" in path:
        name = name.removeprefix("/ui/")
    for method, suffix, call in (
        ("POST", "/models:upload", "upload"),
        ("GET", ":listVersions", "listVersions"),
        ("POST", ":mergeVersionAliases", "mergeVersionAliases"),
        ("DELETE", ":deleteVersion", "deleteVersion"),
        ("GET", "/operations", "listOperations"),
    ):
        if verb == method and name.endswith(suffix):
            return call, name.removesuffix(suffix)
    if verb == "GET" and "/operations/" in name:
        return "operation", name
    if verb in ("GET", "PATCH") and re.fullmatch(rf"{PARENT}/models/[^/:]+", name):
        return ("get" if verb == "GET" else "update"), name
    raise RefusedError(404, f"{verb} {path}: there is no such call")


def _parse(body: str, kind: Any) -> Any:
    try:
        return json_format.Parse(body, kind.pb(kind()))
    except json_format.ParseError as error:
        raise RefusedError(400, str(error)) from None


def _no_more(query: Mapping[str, str], *known: str) -> None:
    unknown = set(query) - set(known)
    if unknown:
        raise RefusedError(400, f"unknown parameters {sorted(unknown)}")


def _check_model(model: Any) -> None:
    given = {field.name for field, _ in model.ListFields()}
    if given & set(_OUTPUT_ONLY):
        raise RefusedError(400, f"output only: {sorted(given & set(_OUTPUT_ONLY))}")
    if not 0 < len(model.display_name) <= 128:
        raise RefusedError(400, "display_name must have 1 to 128 characters")
    if model.artifact_uri and not model.container_spec.image_uri:
        raise RefusedError(400, "container_spec.image_uri is needed")
    if len(model.labels) > 64:
        raise RefusedError(400, "more than 64 labels")
    for key, value in model.labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise RefusedError(400, f"label {key!r}: {value!r} is not valid")


@contextlib.contextmanager
def running() -> Iterator[VertexApi]:
    """A server for the time of the block."""
    api = VertexApi()
    try:
        yield api
    finally:
        api.close()
