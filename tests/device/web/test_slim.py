"""What `pocketrec slim` cuts runs in a browser, gzipped too, as it runs elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pipeline.slim.cut import cut
from pipeline.slim.folder import write
from pocketrec_device import Bundle
from tests.browser.chromium import browser
from tests.pipeline.slim import elastic_toy
from tests.pipeline.slim.elastic_toy import Toy
from tools.web_agreement import agreement, random_requests

__all__ = ["browser"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("elastic")
    toy: Toy = elastic_toy.make(folder, variants=("int8",))
    return Bundle.load(elastic_toy.bundle(toy, folder))


@pytest.mark.parametrize("gzip", [False, True])
def test_a_cut_file_gives_the_same_answers(
    browser: Browser, source: Bundle, tmp_path: Path, gzip: bool
) -> None:
    write(cut(source, 8 * 1024, gzip=gzip), tmp_path / "slim")
    slim = Bundle.load(tmp_path / "slim")
    (variant,) = slim.manifest.variants
    assert slim.manifest.variants[variant].endswith(".gz") == gzip
    requests = random_requests(slim, 100, seed=3)
    report = agreement(browser, slim, requests, [variant])["variants"][variant]
    assert report["histories"] == 100
    assert report["disagreeing"] == []
    assert report["identical"] >= 80
