from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.demo.app import find_app
from pipeline.demo.site import Site, collect
from pipeline.errors import DemoError
from tests.device import toy
from tests.pipeline.demo import scene

BUNDLE_FILES = {
    "bundle/manifest.json",
    "bundle/vocabulary.json",
    "bundle/catalogue.json",
    "bundle/metrics.json",
    "bundle/float32.tflite",
    "bundle/int8.tflite",
}
APP_FILES = {
    "index.html",
    "sw.js",
    "assets/index-abc.js",
    "litert-1.0.0/one.wasm",
    "manifest.webmanifest",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return toy.bundle(tmp_path)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return scene.app(tmp_path)


def listed(site: Site) -> dict[str, object]:
    """What the service worker is told."""
    first, script = site.files["sw.js"].content.decode().split(";\n", 1)
    assert script == "start();\n"
    told: dict[str, object] = json.loads(first.removeprefix("self.POCKETREC_SITE = "))
    return told


def test_a_site_has_the_app_and_what_it_reads_of_the_bundle(app: Path, bundle: Path) -> None:
    site = collect(app, bundle)
    assert set(site.files) == APP_FILES | BUNDLE_FILES
    assert site.policy == scene.POLICY
    manifest = site.files["bundle/manifest.json"]
    assert manifest.content == (bundle / "manifest.json").read_bytes()
    assert manifest.sha256 == hashlib.sha256(manifest.content).hexdigest()
    assert {path for path, file in site.files.items() if file.is_fixed} == {
        "assets/index-abc.js",
        "litert-1.0.0/one.wasm",
    }


def test_the_service_worker_knows_every_file_but_itself(app: Path, bundle: Path) -> None:
    site = collect(app, bundle)
    digests = {
        "" if path == "index.html" else path: file.sha256
        for path, file in site.files.items()
        if path != "sw.js"
    }
    assert listed(site) == {"version": site.version, "liteRt": "litert-1.0.0/", "files": digests}


@pytest.mark.parametrize("changed", ["app", "bundle"])
def test_any_change_makes_another_version(
    app: Path, bundle: Path, tmp_path: Path, changed: str
) -> None:
    before = collect(app, bundle)
    assert collect(app, bundle).version == before.version
    if changed == "app":
        (app / "assets" / "index-abc.js").write_text("run(2);\n")
    else:
        bundle = toy.bundle(tmp_path / "other", model_name="another")
    after = collect(app, bundle)
    assert after.version != before.version
    assert after.files["sw.js"].content != before.files["sw.js"].content


def test_a_damaged_bundle_is_refused(app: Path, bundle: Path) -> None:
    (bundle / "int8.tflite").write_bytes(b"damaged")
    with pytest.raises(DemoError, match=r"int8\.tflite: sha256 is .* fetch the bundle again"):
        collect(app, bundle)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("index.html", "<p>no policy</p>", "index.html: has no Content Security Policy"),
        ("litert-1.0.0/one.wasm", None, "the built app has no LiteRT"),
    ],
)
def test_an_app_that_is_not_as_built_is_refused(
    app: Path, bundle: Path, name: str, text: str | None, message: str
) -> None:
    if text is None:
        (app / name).unlink()
    else:
        (app / name).write_text(text)
    with pytest.raises(DemoError, match=message):
        collect(app, bundle)


@pytest.mark.parametrize("missing", ["index.html", "sw.js"])
def test_an_app_that_is_not_built_says_how_to(tmp_path: Path, missing: str) -> None:
    dist = tmp_path / "device" / "web" / "demo"
    app = scene.app(dist)
    assert find_app(tmp_path) == app
    (app / missing).unlink()
    with pytest.raises(DemoError, match=rf"\(no {missing}\); run `make demo`"):
        find_app(tmp_path)
