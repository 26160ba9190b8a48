"""A server for one site, on this machine alone."""

from __future__ import annotations

import mimetypes
import sys
import urllib.parse
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any

from pipeline.demo.app import PAGE
from pipeline.demo.site import Site
from pipeline.errors import DemoError

HOST = "127.0.0.1"

_IDLE_SECONDS = 60
_YEAR_SECONDS = 365 * 24 * 3600
_TEXT = "text/plain; charset=utf-8"
# Of what the site holds; the machine's own table may lack them or say otherwise.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}


class DemoServer(ThreadingHTTPServer):
    """Serves a site from memory.

    Args:
        site: What to serve; there is nothing else that a path could reach.
        port: To listen at; 0 takes a free one.

    Raises:
        DemoError: The port is taken or may not be used.
    """

    daemon_threads = True

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no such port"
            raise DemoError(
                f"--port {port}: cannot listen there ({reason}); give another, or 0 for a free one"
            ) from None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tells of errors, but not of browsers that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """The page's URL."""
        return f"http://{HOST}:{self.server_address[1]}/"


def security_headers(policy: str) -> dict[str, str]:
    """Returns what every answer says: the page's policy, and what a page cannot say of itself."""
    return {
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        # Alone in its process, the page also gets a clock that is fine enough for an inference.
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: DemoServer

    def do_GET(self) -> None:
        """Answers with a file of the site."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answers as to GET, without the content."""
        self._answer(with_body=False)

    def send_error(
        self,
        code: int,
        message: str | None = None,
        explain: str | None = None,  # noqa: ARG002
    ) -> None:
        """Answers what is no GET and no HEAD, guarded as everything else."""
        # What such a request may have sent along is still to be read.
        self.close_connection = True
        text = f"{message or HTTPStatus(code).phrase}\n".encode()
        self._send(HTTPStatus(code), text, {"Connection": "close"}, with_body=True)

    def version_string(self) -> str:
        """Returns what answers say of the server."""
        return "PocketRec"

    def log_message(self, *_: object) -> None:
        """Says nothing: the terminal is the user's."""

    def _answer(self, *, with_body: bool) -> None:
        site = self.server.site
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).removeprefix("/") or PAGE
        file = site.files.get(path)
        if file is None:
            self._send(HTTPStatus.NOT_FOUND, b"There is nothing here.\n", {}, with_body=with_body)
            return
        lasting = f"public, max-age={_YEAR_SECONDS}, immutable"
        headers = {
            "ETag": f'"{file.sha256}"',
            "Cache-Control": lasting if file.is_fixed else "no-cache",
            "Content-Type": content_type(path),
        }
        if headers["ETag"] in self.headers.get("If-None-Match", ""):
            self._send(HTTPStatus.NOT_MODIFIED, None, headers, with_body=False)
        else:
            self._send(HTTPStatus.OK, file.content, headers, with_body=with_body)

    def _send(
        self,
        status: HTTPStatus,
        content: bytes | None,
        headers: dict[str, str],
        *,
        with_body: bool,
    ) -> None:
        self.send_response(status)
        told = {"Content-Type": _TEXT, **security_headers(self.server.site.policy), **headers}
        if content is not None:
            told["Content-Length"] = str(len(content))
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body and content is not None:
            self.wfile.write(content)


def content_type(path: str) -> str:
    """Returns the media type of a path of the site."""
    suffix = PurePosixPath(path).suffix.lower()
    guessed, _ = mimetypes.guess_type(path)
    return _TYPES.get(suffix) or guessed or "application/octet-stream"
