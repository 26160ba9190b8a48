"""The demo as a visitor gets it: a server that tells what it is asked for, and the page."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from pipeline.demo.server import HOST, DemoServer
from pipeline.demo.site import Site

READY = "Ready, also offline"


class NotingServer(DemoServer):
    """`pocketrec demo`'s own server; `asked` is what it was asked for."""

    def __init__(self, site: Site) -> None:
        super().__init__(site, 0)
        self.asked: list[str] = []


@contextlib.contextmanager
def served(site: Site) -> Iterator[NotingServer]:
    """Serves a site for as long as the block takes."""
    server = NotingServer(site)
    asked = server.asked

    class Noting(server.RequestHandlerClass):  # type: ignore[name-defined]
        def log_request(self, *_: object) -> None:
            asked.append(self.path)

    server.RequestHandlerClass = Noting
    with _running(server):
        yield server


@contextlib.contextmanager
def any_host(root: Path) -> Iterator[str]:
    """Serves a folder as a plain web server does, without a header of ours; yields its address."""

    class Quiet(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

    with _running(ThreadingHTTPServer((HOST, 0), partial(Quiet, directory=str(root)))) as port:
        yield f"http://{HOST}:{port}/"


@contextlib.contextmanager
def _running(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def opened(page: Page, address: str) -> Page:
    """Opens the page and waits until it says that it needs nothing more."""
    page.goto(address)
    expect(page.locator(".status")).to_have_text(READY, timeout=20_000)
    return page


def answering(page: Page, address: str) -> Page:
    """Opens the page and waits until the model answers, not for what is stored after that."""
    page.goto(address)
    expect(page.locator(".status")).to_contain_text("Ready", timeout=20_000)
    return page


def keep(page: Page, entries: Sequence[dict[str, Any]]) -> None:
    """Puts a history, oldest first, where the app keeps it; once, before the first visit."""
    kept = json.dumps(json.dumps({"version": 1, "entries": entries}))
    page.add_init_script(
        "if (!localStorage.seeded) { localStorage.seeded = 'yes'; "
        f"localStorage.setItem('pocketrec.history', {kept}); }}"
    )


def names(page: Page) -> list[str]:
    """The recommended titles as they are shown, best first."""
    return page.locator(".card-title").all_inner_texts()


def watched(page: Page) -> list[str]:
    """The history as it is shown: newest first, years last."""
    return page.locator(".entry-title").all_inner_texts()


def overflow(page: Page) -> int:
    """How far the page reaches beyond the window's right side, CSS pixels."""
    width: int = page.evaluate(
        "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width
