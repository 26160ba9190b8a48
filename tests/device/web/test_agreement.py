"""Both runtimes give the same answers: the same random requests to each."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pocketrec_device import Bundle
from tests.browser.chromium import browser
from tests.device import toy
from tools.web_agreement import (
    FLOAT_NOISE,
    STEP_NOISE,
    Answer,
    agreement,
    compare,
    main,
    random_requests,
)

__all__ = ["browser"]

REAL_BUNDLE = "POCKETREC_BUNDLE"


@pytest.mark.parametrize("kind", ["ids", "events"])
def test_random_requests_have_one_answer(browser: Browser, tmp_path: Path, kind: str) -> None:
    conversion = toy.source().conversion.model_copy(update={"min_history": 2, "min_rating": 2.0})
    if kind == "ids":
        folder = toy.bundle(tmp_path, conversion=conversion)
    else:
        folder = toy.event_bundle(tmp_path, min_history=2, min_rating=2.0, padding="right")
    bundle = Bundle.load(folder)
    requests = random_requests(bundle, 300, seed=5)
    lengths = [len(request.history) for request in requests]
    assert (min(lengths), max(lengths)) == (1, 2 * toy.LENGTH)
    variants = agreement(browser, bundle, requests, ["float32", "int8"])["variants"]
    for report in variants.values():
        assert report["histories"] == 300
        assert report["disagreeing"] == []
        assert report["identical"] == 300
        assert report["beyond_float_noise"] == 0
        # Short histories, unknown movies and low ratings leave too little now and then.
        assert 5 < report["refused"] < 100


def answer(*movies: tuple[int, float]) -> Answer:
    return Answer(list(movies))


LIST = answer((7, 10.0), (3, 9.0), (5, 8.95), (2, 4.0))


@pytest.mark.parametrize(
    ("other", "noise", "agrees", "identical", "difference"),
    [
        (LIST, 0.0, True, True, 0.0),
        (answer((7, 10.05), (3, 9.0), (5, 8.95), (2, 4.0)), 0.01, True, True, 0.005),
        (answer((7, 10.05), (3, 9.0), (5, 8.95), (2, 4.0)), 0.001, False, True, 0.005),
        # Two places are swapped, within the noise and beyond it.
        (answer((7, 10.0), (5, 8.98), (3, 8.97), (2, 4.0)), 0.01, True, False, 0.003),
        (answer((3, 10.0), (7, 9.0), (5, 8.95), (2, 4.0)), 0.01, False, False, 0.1),
        # Another movie at the end, and one further up.
        (answer((7, 10.0), (3, 9.0), (5, 8.95), (8, 4.02)), 0.01, True, False, 0.0),
        (answer((7, 10.0), (3, 9.0), (8, 8.95), (5, 8.9)), 0.01, False, False, 0.005),
        # The model's own list ends a movie earlier, as a watched one may be in its place; and two.
        (answer((7, 10.0), (3, 9.0), (5, 8.95)), 0.01, True, False, 0.0),
        (answer((7, 10.0), (3, 9.0)), 0.01, False, False, 0.0),
        (answer((7, 10.0), (3, 9.0), (5, 8.95), (2, 4.0), (8, 4.0)), 0.0, True, False, 0.0),
        (Answer(refused="too short"), 1.0, False, False, math.inf),
        (answer(), 1.0, False, False, math.inf),
    ],
)
def test_what_counts_as_agreement(
    other: Answer, noise: float, agrees: bool, identical: bool, difference: float
) -> None:
    for pair in ((LIST, other), (other, LIST)):
        compared = compare(*pair, noise)
        assert (compared.agrees, compared.identical) == (agrees, identical)
        assert compared.difference == pytest.approx(difference, abs=1e-4)


def test_refusals_must_be_for_the_same_reason() -> None:
    refused = Answer(refused="too short")
    assert compare(refused, Answer(refused="too short"), 0.0).agrees
    assert not compare(refused, Answer(refused="k is 0"), 1.0).agrees


def test_a_bundle_that_cannot_be_compared_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "no bundle" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_bundle_has_one_answer_too(tmp_path: Path) -> None:
    if REAL_BUNDLE not in os.environ:
        pytest.skip(f"${REAL_BUNDLE} names no bundle")
    output = tmp_path / "agreement.json"
    assert main([os.environ[REAL_BUNDLE], "--histories", "1000", "--output", str(output)]) == 0
    variants = json.loads(output.read_text("utf-8"))["variants"]
    for name, report in variants.items():
        assert report["disagreeing"] == []
        assert report["noise"] == (STEP_NOISE if name == "int8" else FLOAT_NOISE)
        assert report["beyond_float_noise"] <= 100
        assert report["identical"] >= 900
