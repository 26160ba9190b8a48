"""The built web runtime on a page in a real browser, for tests and measurements."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RUNTIME = Path(__file__).resolve().parents[1] / "device" / "web" / "runtime" / "dist"
WASM_PATH = "/runtime/wasm/"

_PAGE = b"""<!doctype html>
<meta charset="utf-8">
<title>PocketRec</title>
<link rel="icon" href="data:,">
<body><script type="module" src="/page.js"></script></body>
"""
_SCRIPT = b"""import * as runtime from '/runtime/runtime.js';
globalThis.pocketrec = runtime;
"""
_BUILT_IN = {"/": ("text/html", _PAGE), "/page.js": ("text/javascript", _SCRIPT)}
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}
# The strictest policy that LiteRT.js works under.
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval'"
)

# What is thrown in a page loses its class on the way here.
_CALL = """async (given) => {
    try {
        return { value: await (%s)(pocketrec, given) };
    } catch (error) {
        if (!(error instanceof pocketrec.DeviceError)) throw error;
        return { refused: error.name, message: error.message };
    }
}"""


class NotBuiltError(Exception):
    """The web runtime is not built; says how to build it."""


class RefusedError(Exception):
    """What the runtime refused in the browser.

    Attributes:
        name: The error's class there, "BundleError".
        message: Its message.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class WebPage:
    """A page that has loaded the runtime.

    Attributes:
        page: Playwright's page.
        folders: What is served beside the runtime, by the first part of its path; may be added to.
        requests: Paths of everything that the page has asked for, in order.
        elsewhere: Addresses that it has asked for on other servers.
    """

    def __init__(self, page: Page, address: str, folders: dict[str, Path]) -> None:
        self.page = page
        self.folders = folders
        self.requests: list[str] = []
        self.elsewhere: list[str] = []
        self._address = address
        page.on("request", lambda request: self._note(request.url))
        page.goto(f"{address}/")

    def call(self, function: str, given: object = None) -> Any:
        """Calls a function of the runtime's module and `given`, and returns its result.

        Args:
            function: JavaScript, `async (runtime, given) => ...`.
            given: Anything that JSON holds.

        Raises:
            RefusedError: The function threw an error of the runtime.
        """
        answer = self.page.evaluate(_CALL % function, given)
        if "refused" in answer:
            raise RefusedError(answer["refused"], answer["message"])
        return answer["value"]

    def _note(self, url: str) -> None:
        if url.startswith(f"{self._address}/"):
            self.requests.append(url.removeprefix(self._address))
        elif not url.startswith("data:"):
            self.elsewhere.append(url)


@contextlib.contextmanager
def web_page(browser: Browser, folders: Mapping[str, Path]) -> Iterator[WebPage]:
    """Opens a page with the built runtime and folders to read from.

    Args:
        browser: The browser.
        folders: See `WebPage`.

    Raises:
        NotBuiltError: The runtime is not built.
    """
    if not (RUNTIME / "runtime.js").is_file():
        raise NotBuiltError(f"{RUNTIME}: the web runtime is not built; run: make web")
    served = {"runtime": RUNTIME, **folders}
    with _served(served) as address:
        page = browser.new_page()
        try:
            yield WebPage(page, address, served)
        finally:
            page.close()


@contextlib.contextmanager
def _served(folders: Mapping[str, Path]) -> Iterator[str]:
    handler = functools.partial(_Handler, folders)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves the page and what lies in the folders, by exact path."""

    protocol_version = "HTTP/1.1"

    def __init__(self, folders: Mapping[str, Path], *rest: Any) -> None:
        self._folders = folders
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answers with a file, or with 404."""
        found = self._find(unquote(urlsplit(self.path).path))
        if found is None:
            self._answer(404, "text/plain", b"no such file")
        else:
            self._answer(200, *found)

    def log_message(self, *_: Any) -> None:
        """Keeps quiet."""

    def _find(self, path: str) -> tuple[str, bytes] | None:
        if path in _BUILT_IN:
            return _BUILT_IN[path]
        _, first, *rest = path.split("/")
        folder = self._folders.get(first)
        file = None if folder is None else folder.joinpath(*rest)
        if file is None or ".." in rest or not file.is_file():
            return None
        return _TYPES.get(file.suffix, "application/octet-stream"), file.read_bytes()

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.end_headers()
        self.wfile.write(content)
