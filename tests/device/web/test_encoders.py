"""Every encoder that the pipeline trains runs in a browser, in every variant."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.device_latency import VARIANTS, convert_untrained
from components.registry_pusher.conversion import VariantReport
from pocketrec_device import Bundle
from pocketrec_device.bundle import Movie
from tests.browser.chromium import browser
from tests.device import toy
from tools.web_agreement import agreement, random_requests

__all__ = ["browser"]

MOVIES = 300
LENGTH = 16
TOP_K = 100


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "encoder", ["bow", "cnn", "gru", "hstu", "lru", "lstm", "mixer", "transformer"]
)
def test_an_encoder_gives_the_same_answers(browser: Browser, tmp_path: Path, encoder: str) -> None:
    models = convert_untrained(encoder, dim=16, length=LENGTH, movies=MOVIES)
    parity = toy.source().conversion.variants["int8"].parity
    conversion = toy.source().conversion.model_copy(
        update={
            "history_length": LENGTH,
            "top_k": TOP_K,
            "variants": {
                name: VariantReport(bytes=len(model), sha256="0" * 64, parity=parity)
                for name, model in models.items()
            },
        }
    )
    movies = tuple(Movie(n, n + 7, f"Film {n} (2000)", (), 2000, 1) for n in range(1, MOVIES + 1))
    folder = toy.bundle(tmp_path, conversion=conversion, variants=models, movies=movies)
    bundle = Bundle.load(folder)
    requests = random_requests(bundle, 100, seed=2)
    reports = agreement(browser, bundle, requests, VARIANTS)["variants"]
    for report in reports.values():
        assert report["disagreeing"] == []
        assert report["identical"] >= 80
