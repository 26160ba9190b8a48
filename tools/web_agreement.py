"""Compares the two device runtimes: the same requests to Python's and, in a browser, to LiteRT.js.

    .venv/bin/python -m tools.web_agreement BUNDLE --histories 1000 --output agreement.json

Both run the same file, but not the same kernels: the sums of a matrix product are added up in
another order. Float scores differ in the last digits by that. Of int8, activations are quantized
while the model runs, and one that lies on the border between two steps of its scale may fall on the
other side: most requests have the same scores to the last digits, a few all over by a step's size.

With scores that differ by at most a noise e, two answers agree where

- a movie of both lists has scores that differ by at most e, and
- a movie of one list alone lies at its end: there another movie has taken its place. The scores of
  the last places differ by at most e too, so it is at most 2 e above the end of its own list, and
  at most e above the end of the other one.

Movies may thus change places where their scores are closer than the noise, and nowhere else.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.text_file import write_text
from pocketrec_device import Bundle, DeviceError, Recommender
from pocketrec_device.manifest import USER_INPUTS
from tools import chromium
from tools.web_page import WASM_PATH, NotBuiltError, RefusedError, WebPage, web_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START = 978_300_000
"""The first time of all histories, seconds since 1970 UTC."""

# As a share of the list's largest score, whatever its sign. Seen on MovieLens 1M with 1,000
# requests: 6e-7 for float variants, 0.026 for int8, of which 97% of the requests had float noise.
FLOAT_NOISE = 1e-5
STEP_NOISE = 0.05

_ASK = """async (runtime, { folder, wasmPath, variant, requests }) => {
    const bundle = await runtime.Bundle.load(runtime.httpFiles(folder), folder);
    const recommender = await runtime.Recommender.create(bundle, { wasmPath, variant });
    const answers = [];
    for (const { history, ...request } of requests) {
        try {
            const { recommendations, milliseconds } = await recommender.recommend(history, request);
            answers.push({
                movies: recommendations.map(({ movieId, score }) => [movieId, score]),
                milliseconds,
            });
        } catch (error) {
            if (!(error instanceof runtime.HistoryError)) throw error;
            answers.push({ refused: error.message });
        }
    }
    recommender.dispose();
    return answers;
}"""


@dataclasses.dataclass(frozen=True)
class Request:
    """One request, as both runtimes take it.

    Attributes:
        history: Movie ids, oldest first, some of them unknown to the model.
        watched: More movie ids.
        ratings: Stars of each movie of the history, some not known.
        times: Seconds since 1970 UTC, likewise.
        now: The moment to recommend for.
        user: What is known of the user, numbers of categories by input name.
        k: Movies wanted.
    """

    history: list[int]
    watched: list[int]
    ratings: list[float | None]
    times: list[int | None]
    now: int
    user: dict[str, int]
    k: int


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a runtime made of a request: movies, or a refusal.

    Attributes:
        movies: Movie ids with scores, best first.
        refused: The message, empty where there are movies.
        milliseconds: Of the inference, where it was measured.
    """

    movies: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    refused: str = ""
    milliseconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How two answers relate.

    Attributes:
        difference: The largest difference of a movie's scores, as a share of the largest score;
            infinite where the answers cannot be compared.
        agrees: The answers are the same up to the noise.
        identical: They hold the same movies in the same order.
    """

    difference: float
    agrees: bool
    identical: bool


def random_requests(bundle: Bundle, count: int, seed: int) -> list[Request]:
    """Draws requests.

    Histories have 1 to 2 N movies, the popular ones more often, one in twenty unknown to the
    model. One rating or time in ten is not known, and one attribute of a user in three.
    """
    random = np.random.default_rng(seed)
    manifest = bundle.manifest
    raw = np.array([movie.movie_id for movie in bundle.movies])
    unknown = int(raw.max()) + 1
    # The vocabulary falls by popularity, about as Zipf's law has it.
    weights = 1.0 / np.arange(1, len(raw) + 1)
    weights /= weights.sum()
    longest = min(2 * manifest.history_length, len(raw) // 2)
    return [_random_request(random, bundle, raw, weights, longest, unknown) for _ in range(count)]


def _random_request(
    random: np.random.Generator,
    bundle: Bundle,
    raw: np.ndarray[Any, np.dtype[np.int64]],
    weights: np.ndarray[Any, np.dtype[np.float64]],
    longest: int,
    unknown: int,
) -> Request:
    length = int(random.integers(1, longest, endpoint=True))
    history = random.choice(raw, length, replace=False, p=weights)
    history = np.where(random.random(length) < 0.05, unknown, history)
    times = START + np.sort(random.integers(0, 30_000_000, length))
    stars = random.integers(1, 10, length, endpoint=True) / 2
    told = random.random((2, length)) >= 0.1
    watched = random.choice(raw, int(random.integers(0, len(raw) // 4)), replace=False, p=weights)
    manifest = bundle.manifest
    return Request(
        history=history.tolist(),
        watched=watched.tolist(),
        ratings=[float(s) if known else None for s, known in zip(stars, told[0], strict=True)],
        times=[int(t) if known else None for t, known in zip(times, told[1], strict=True)],
        now=int(times[-1] + random.integers(0, 1_000_000)),
        user={
            name: int(random.integers(1, len(manifest.categories[name]), endpoint=True))
            for name in USER_INPUTS
            if name in manifest.categories and random.random() >= 1 / 3
        },
        k=int(random.integers(1, manifest.top_k, endpoint=True)),
    )


def ask_python(recommender: Recommender, requests: Sequence[Request]) -> list[Answer]:
    """Returns the Python runtime's answers."""
    answers = []
    for request in requests:
        asked = dataclasses.asdict(request)
        try:
            found = recommender.recommend(asked.pop("history"), **asked)
        except DeviceError as error:
            answers.append(Answer(refused=str(error)))
        else:
            answers.append(Answer([(movie.movie_id, movie.score) for movie in found]))
    return answers


def ask_web(page: WebPage, folder: str, variant: str, requests: Sequence[Request]) -> list[Answer]:
    """Returns the web runtime's answers, one inference after the other.

    Args:
        page: A page that serves the bundle.
        folder: Under which name it serves it.
        variant: Of the model.
        requests: To be answered.
    """
    asked = [dataclasses.asdict(request) for request in requests]
    given = {"folder": folder, "wasmPath": WASM_PATH, "variant": variant, "requests": asked}
    return [
        Answer(
            [(movie_id, score) for movie_id, score in answer.get("movies", [])],
            answer.get("refused", ""),
            answer.get("milliseconds"),
        )
        for answer in page.call(_ASK, given)
    ]


def compare(python: Answer, web: Answer, noise: float) -> Comparison:
    """Compares the answers to one request, see the module's text.

    Args:
        python: One answer.
        web: The other one.
        noise: By how much scores may differ, as a share of the largest one.
    """
    if python.refused or web.refused or not python.movies or not web.movies:
        same = python == dataclasses.replace(web, milliseconds=None)
        return Comparison(0.0 if same else math.inf, same, same)
    one, other = dict(python.movies), dict(web.movies)
    largest = max(map(abs, one.values()))
    allowed = noise * largest
    difference = max((abs(one[movie] - other[movie]) for movie in one if movie in other), default=0)
    agrees = (
        difference <= allowed
        and _ends_alike(one, other, allowed)
        and _ends_alike(other, one, allowed)
    )
    return Comparison(difference / largest, agrees, list(one) == list(other))


def _ends_alike(one: Mapping[int, float], other: Mapping[int, float], allowed: float) -> bool:
    highest = min(min(one.values()) + 2 * allowed, min(other.values()) + allowed)
    return all(score <= highest for movie, score in one.items() if movie not in other)


def report(python: Sequence[Answer], web: Sequence[Answer], noise: float) -> dict[str, Any]:
    """Returns what comparing the answers to all requests comes to."""
    comparisons = [compare(*pair, noise) for pair in zip(python, web, strict=True)]
    differences = np.array([comparison.difference for comparison in comparisons])
    times = [answer.milliseconds for answer in web if answer.milliseconds is not None]
    median, late = np.percentile(times, [50, 95]).tolist() if times else (None, None)
    return {
        "histories": len(comparisons),
        "identical": sum(comparison.identical for comparison in comparisons),
        "within_noise": sum(
            comparison.agrees and not comparison.identical for comparison in comparisons
        ),
        "disagreeing": [
            place for place, comparison in enumerate(comparisons) if not comparison.agrees
        ],
        "refused": sum(bool(answer.refused) for answer in python),
        "noise": noise,
        "beyond_float_noise": int(np.sum(differences > FLOAT_NOISE)),
        "largest_difference": float(differences.max()),
        "median_difference": float(np.median(differences)),
        "inference_ms": {"p50": median, "p95": late},
    }


def noise_of(variant: str) -> float:
    """Returns by how much scores of a variant may differ, as a share of the largest one."""
    return FLOAT_NOISE if variant.startswith("float") else STEP_NOISE


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares the runtimes on every variant of a bundle; returns 1 where they disagree."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.web_agreement", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--variants", nargs="+", help="by default all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file for the result")
    options = parser.parse_args(arguments)
    try:
        bundle = Bundle.load(options.bundle)
        with chromium.browser() as browser:
            result = agreement(
                browser,
                bundle,
                random_requests(bundle, options.histories, options.seed),
                options.variants or sorted(bundle.manifest.variants),
            )
    except (DeviceError, NotBuiltError, RefusedError, chromium.NoChromiumError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(result, indent=2))
    if options.output is not None:
        write_text(options.output, json.dumps(result, indent=2) + "\n")
    return 1 if any(variant["disagreeing"] for variant in result["variants"].values()) else 0


def agreement(
    browser: Browser, bundle: Bundle, requests: Sequence[Request], variants: Sequence[str]
) -> dict[str, Any]:
    """Asks both runtimes, and returns a report by variant."""
    reports = {}
    with web_page(browser, {"bundle": bundle.path}) as page:
        for variant in variants:
            python = ask_python(Recommender(bundle, variant), requests)
            web = ask_web(page, "/bundle", variant, requests)
            reports[variant] = report(python, web, noise_of(variant))
    return {
        "bundle_id": bundle.manifest.bundle_id,
        "encoder": bundle.manifest.raw.get("encoder"),
        "browser": f"{browser.browser_type.name} {browser.version}",
        "variants": reports,
    }


if __name__ == "__main__":
    sys.exit(main())
