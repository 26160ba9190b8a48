from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from pipeline.demo.server import HOST, DemoServer
from pipeline.demo.site import Site, collect
from pipeline.errors import DemoError
from tests.device import toy
from tests.pipeline.demo import scene


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    return collect(scene.app(folder), toy.bundle(folder))


@pytest.fixture(scope="module")
def port(site: Site) -> Iterator[int]:
    with DemoServer(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        assert server.address == f"http://127.0.0.1:{server.server_address[1]}/"
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(
    port: int, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


@pytest.mark.parametrize(
    ("path", "file", "media_type", "caching"),
    [
        ("/", "index.html", "text/html; charset=utf-8", "no-cache"),
        ("/?from=somewhere", "index.html", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "index.html", "text/html; charset=utf-8", "no-cache"),
        ("/sw.js", "sw.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/bundle/manifest.json", "bundle/manifest.json", "application/json", "no-cache"),
        ("/bundle/int8%2Etflite", "bundle/int8.tflite", "application/octet-stream", "no-cache"),
        (
            "/manifest.webmanifest",
            "manifest.webmanifest",
            "application/manifest+json",
            "no-cache",
        ),
        ("/litert-1.0.0/one.wasm", "litert-1.0.0/one.wasm", "application/wasm", "immutable"),
        ("/assets/index-abc.js", "assets/index-abc.js", "text/javascript", "immutable"),
    ],
)
def test_files_come_with_their_type_and_how_long_they_last(
    port: int, site: Site, path: str, file: str, media_type: str, caching: str
) -> None:
    response, content = ask(port, path)
    assert response.status == 200
    assert content == site.files[file].content
    assert response.headers["Content-Type"].startswith(media_type)
    assert caching in response.headers["Cache-Control"]
    assert int(response.headers["Content-Length"]) == len(content)


@pytest.mark.parametrize("path", ["/", "/nowhere", "/litert-1.0.0/one.wasm"])
def test_every_answer_is_guarded(port: int, path: str) -> None:
    response, _ = ask(port, path)
    headers = response.headers
    assert headers["Content-Security-Policy"] == f"{scene.POLICY}; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Server"] == "PocketRec"


@pytest.mark.parametrize(
    "path",
    [
        "/bundle/",
        "/bundle",
        "/bundle/lineage.json",
        "/bundle/model_card.md",
        "/../pyproject.toml",
        "/bundle/../index.html",
        "/bundle/%2e%2e/index.html",
        "/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/index.html/",
        "/%00",
        "/%ff",
    ],
)
def test_nothing_else_can_be_reached(port: int, path: str) -> None:
    response, content = ask(port, path)
    assert (response.status, content) == (404, b"There is nothing here.\n")


def test_what_a_browser_has_already_is_not_sent_again(port: int) -> None:
    tag = ask(port, "/")[0].headers["ETag"]
    response, content = ask(port, "/", **{"If-None-Match": tag})
    assert (response.status, content) == (304, b"")
    assert response.headers["ETag"] == tag
    assert "Content-Length" not in response.headers
    assert ask(port, "/", **{"If-None-Match": '"another"'})[0].status == 200


def test_head_is_get_without_the_content_and_anything_else_is_refused(
    port: int, site: Site
) -> None:
    response, content = ask(port, "/", "HEAD")
    assert (response.status, content) == (200, b"")
    assert int(response.headers["Content-Length"]) == len(site.files["index.html"].content)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        response, _ = ask(port, "/", method)
        assert (response.status, response.headers["Connection"]) == (501, "close")
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_one_connection_serves_several_requests(port: int) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    for _ in range(2):
        for path in ("/", "/nowhere"):
            connection.request("GET", path)
            connection.getresponse().read()
    connection.close()


def test_it_listens_on_this_machine_alone(site: Site) -> None:
    with DemoServer(site, 0) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_a_port_that_cannot_be_had_is_a_message(site: Site) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(DemoError, match=rf"--port {number}: cannot listen there \(Address"):
            DemoServer(site, number)
    with pytest.raises(DemoError, match=r"--port 70000: cannot listen there \(no such port\)"):
        DemoServer(site, 70_000)
