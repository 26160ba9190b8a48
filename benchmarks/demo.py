"""Measures the browser demo: what is loaded, how soon it answers, and what an answer takes.

    .venv/bin/python -m benchmarks.demo --bundle workspace/.../bundle

Everything is measured in the app itself, in a headless Chromium, served by `pocketrec demo`'s own
server: the first recommendation of visitors who were never there but whose browser keeps a history
of one movie, and then every inference while movies are tapped.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from benchmarks.results import write_result
from pipeline.demo.app import find_app
from pipeline.demo.site import LITERT_PREFIX, Site, collect
from pocketrec_device import Bundle
from tools import chromium
from tools.pictures.demo import READY, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_FIRST_CARD = """
new MutationObserver((_, observer) => {
    if (document.querySelector('.card')) {
        globalThis.firstCard = performance.now();
        observer.disconnect();
    }
}).observe(document, { childList: true, subtree: true });
"""
# Lists of up to 40 movies: after that, from the start again.
_TAP = """async (taps) => {
    const name = 'pocketrec answer';
    const click = (selector, place) => {
        const all = document.querySelectorAll(selector);
        all[place % all.length].click();
    };
    performance.clearMeasures(name);
    for (let tap = 0; tap < taps; tap += 1) {
        if (Number(document.querySelector('.count')?.textContent ?? 0) >= 40) {
            click('.row-heading .text-button', 0);
            await new Promise(requestAnimationFrame);
        }
        click(document.querySelector('.pick') ? '.pick' : '.chip', tap);
        while (performance.getEntriesByName(name).length <= tap) {
            await new Promise((done) => setTimeout(done));
        }
        await new Promise(requestAnimationFrame);
    }
    return performance.getEntriesByName(name).map(({ detail }) => detail.milliseconds);
}"""


def sizes(files: Iterable[bytes]) -> dict[str, int]:
    """Returns the bytes of some files, as they are and as a server may compress them."""
    contents = list(files)
    return {
        "bytes": sum(len(content) for content in contents),
        "gzip_bytes": sum(len(gzip.compress(content, 9, mtime=0)) for content in contents),
    }


def parts(site: Site, variant_file: str) -> list[dict[str, Any]]:
    """Returns what a visit loads before the first answer.

    Args:
        site: The app and a bundle.
        variant_file: The default variant's file in the bundle.
    """
    content = {path: file.content for path, file in site.files.items()}
    litert = {
        PurePosixPath(path).suffix: data
        for path, data in content.items()
        if path.startswith(LITERT_PREFIX) and "compat" not in path
    }
    groups = {
        "JavaScript of the app, runtime and service worker": [
            data
            for path, data in content.items()
            if path.endswith(".js") and not path.startswith(LITERT_PREFIX)
        ],
        "page and style": [
            data for path, data in content.items() if path.endswith((".html", ".css"))
        ],
        "LiteRT, WebAssembly": [litert[".wasm"]],
        "LiteRT, its loader": [litert[".js"]],
        "the model": [content[f"bundle/{variant_file}"]],
        "catalogue, vocabulary, manifest, metrics": [
            data
            for path, data in content.items()
            if path.startswith("bundle/") and path.endswith(".json")
        ],
    }
    return [{"what": what, **sizes(files)} for what, files in groups.items()]


def first_recommendation(browser: Browser, address: str, bundle: Bundle) -> float:
    """Returns the seconds from a first visit's start to the first recommendation on the page."""
    movie = bundle.movies[0]
    entries = [{"movieId": movie.movie_id, "title": movie.title, "stars": None}]
    kept = json.dumps(json.dumps({"version": 1, "entries": entries}))
    context = browser.new_context()
    try:
        page = context.new_page()
        page.add_init_script(f"localStorage.setItem('pocketrec.history', {kept}); {_FIRST_CARD}")
        page.goto(address)
        page.wait_for_selector(".card")
        return float(page.evaluate("firstCard")) / 1000
    finally:
        context.close()


def inferences(page: Page, variant: str, taps: int) -> list[float]:
    """Returns the milliseconds of each inference of a variant while movies are tapped."""
    page.get_by_role("radio", name=variant).check()
    page.wait_for_selector(f".variant:has(:checked):has-text('{variant}')")
    milliseconds: list[float] = page.evaluate(_TAP, taps)
    return milliseconds


def summarized(milliseconds: Sequence[float]) -> dict[str, float]:
    """Returns the 50th and the 95th percentile."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49], 3), "p95_ms": round(cuts[94], 3)}


def measure(folder: Path, visits: int, taps: int) -> dict[str, Any]:
    """Measures one bundle.

    Args:
        folder: The bundle's.
        visits: Visits of somebody who was never there.
        taps: Taps of each variant.
    """
    bundle = Bundle.load(folder)
    variants = bundle.manifest.variants
    site = collect(find_app(), folder)
    load_average = os.getloadavg()[0]
    with served(site) as address, chromium.browser() as browser:
        first = [first_recommendation(browser, address, bundle) for _ in range(visits)]
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector(READY)
        rows = []
        for variant in sorted(variants, key=lambda name: len(bundle.model(name))):
            found = inferences(page, variant, taps)
            rows.append(
                {"variant": variant, "bytes": len(bundle.model(variant)), **summarized(found)}
            )
        version = browser.version
    return {
        "browser": f"Chromium {version}",
        "dataset": bundle.manifest.data.get("dataset"),
        "movies": len(bundle.movies),
        "history_length": bundle.manifest.history_length,
        "load_average": round(load_average, 2),
        "visits": visits,
        "taps": taps,
        "first_recommendation_seconds": round(statistics.median(first), 3),
        "slowest_first_recommendation_seconds": round(max(first), 3),
        "parts": parts(site, variants[bundle.manifest.default_variant]),
        "rows": rows,
    }


def main() -> None:
    """Measures what the command line names, prints a table and writes the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="its folder")
    parser.add_argument("--visits", type=int, default=5, help="first visits (default: 5)")
    parser.add_argument("--taps", type=int, default=500, help="of each variant (default: 500)")
    parser.add_argument("--name", default="demo", help="of the result's file")
    arguments = parser.parse_args()
    result = measure(arguments.bundle, arguments.visits, arguments.taps)
    print(tabulate(result["parts"], headers="keys"))
    print(tabulate(result["rows"], headers="keys"))
    print(
        f"first recommendation after {result['first_recommendation_seconds']} s; load average "
        f"{result['load_average']}; written to {write_result(arguments.name, result)}"
    )


if __name__ == "__main__":
    main()
