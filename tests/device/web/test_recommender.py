"""The web runtime's answers in a real browser, on models whose answers can be told by hand."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from components.tflite_converter import flatbuffer
from pocketrec_device.bundle import Movie
from tests.browser.chromium import browser
from tests.device import toy
from tools.web_page import RUNTIME, WASM_PATH, RefusedError, WebPage, web_page

__all__ = ["browser"]

NOON = 978_350_400
DAY = 86_400

RECOMMEND = """async (runtime, { folder, variant, history, request, wasmPath }) => {
    const bundle = await runtime.Bundle.load(runtime.httpFiles(folder), folder);
    const options = variant ? { wasmPath, variant } : { wasmPath };
    const recommender = await runtime.Recommender.create(bundle, options);
    try {
        return (await recommender.recommend(history, request)).recommendations;
    } finally {
        recommender.dispose();
    }
}"""


@pytest.fixture(scope="module")
def folders(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    events = tmp_path_factory.mktemp("events")
    return {
        "toy": toy_bundle,
        "gzipped": toy.gzipped_bundle(tmp_path_factory.mktemp("gzipped")),
        "events": toy.event_bundle(events),
        "strict": toy.event_bundle(tmp_path_factory.mktemp("strict"), min_rating=3.0),
    }


@pytest.fixture(scope="module")
def page(browser: Browser, folders: dict[str, Path]) -> Iterator[WebPage]:
    with web_page(browser, folders) as opened:
        yield opened


def recommend(
    page: WebPage, folder: str, history: list[int], variant: str | None = None, **request: Any
) -> Any:
    """Recommends for a history in the model's own numbers; an unknown movie is 0."""
    given = {
        "folder": f"/{folder}",
        "variant": variant,
        "history": [toy.raw_id(number) if number else 999_999 for number in history],
        "request": request,
        "wasmPath": WASM_PATH,
    }
    return page.call(RECOMMEND, given)


def numbers(page: WebPage, folder: str, history: list[int], **request: Any) -> list[int]:
    return [found["movie"]["id"] for found in recommend(page, folder, history, **request)]


def test_the_movies_after_the_last_one_come_best_first(page: WebPage) -> None:
    found = recommend(page, "toy", [1, 2], "float32", k=3)
    assert [(movie["movieId"], movie["title"], movie["score"]) for movie in found] == [
        (toy.raw_id(3), "Heat (1995)", -1.0),
        (toy.raw_id(4), toy.TITLES[3], -2.0),
        (toy.raw_id(5), toy.TITLES[4], -3.0),
    ]
    assert found[0]["movie"] == {
        "id": 3,
        "movieId": toy.raw_id(3),
        "title": "Heat (1995)",
        "genres": ["Action", "Crime"],
        "year": 2000,
        "count": 97,
    }


@pytest.mark.parametrize("variant", ["float32", "int8"])
def test_gzipped_models_answer_as_others(page: WebPage, variant: str) -> None:
    plain, gzipped = (recommend(page, name, [4, 9], variant, k=12) for name in ("toy", "gzipped"))
    assert len(plain) == 12
    assert gzipped == plain


def test_unknown_and_watched_movies_and_long_histories(page: WebPage) -> None:
    assert numbers(page, "toy", [0, 2, 0], k=2) == [3, 4]
    watched = [toy.raw_id(11), toy.raw_id(13), 999_999]
    assert numbers(page, "toy", [12, 10], k=3, watched=watched) == [14, 15, 16]
    # The model sees 21..30 and would offer 31..42 = 31..40, 1, 2.
    assert numbers(page, "toy", [1, 31, *range(21, 31)], k=12) == [*range(32, 41), 2]
    assert len(numbers(page, "toy", [2])) == 10


def test_ratings_and_times_reach_the_model(page: WebPage) -> None:
    assert numbers(page, "events", [3, 20], k=2) == [21, 22]
    assert numbers(page, "events", [3, 20], k=2, ratings=[5, 1.5]) == [19, 18]
    assert numbers(page, "events", [3, 0, 20], k=1, ratings=[1, 1, None]) == [21]
    times = [NOON, NOON + 60]
    # Without a moment it is now, much later.
    assert numbers(page, "events", [3, 20], k=2, times=times) == [31, 32]
    assert numbers(page, "events", [3, 20], k=2, times=times, now=NOON + DAY) == [21, 22]


def test_low_ratings_are_no_history_but_are_not_shown_again(page: WebPage) -> None:
    request: dict[str, Any] = {"ratings": [4, 2.5, None], "now": NOON, "k": 2}
    assert numbers(page, "strict", [20, 21, 30], **request) == [31, 32]
    assert numbers(page, "strict", [20, 21], ratings=[4, 2.5], k=2) == [22, 23]


@pytest.mark.parametrize(
    ("history", "request_", "message"),
    [
        ([0, 0], {}, "0 movie(s) that the model knows, of 2 given; it needs at least 1"),
        ([1], {"k": 0}, "k is 0; this model returns 1 to 12 movies"),
        ([1], {"k": 13}, "k is 13; this model returns 1 to 12 movies"),
        ([1], {"k": 1.5}, "k is 1.5; this model returns"),
        ([1], {"ratings": [9]}, "ratings[0] is 9; must be stars"),
        ([1, 2], {"times": [NOON, NOON - 1]}, "is before times[0]"),
        ([1], {"now": NOON * 1000}, "now is 978350400000; must be whole seconds"),
        ([1], {"user": {"mood": 1}}, "user['mood']: there is no such input"),
    ],
)
def test_an_impossible_request_is_refused(
    page: WebPage, history: list[int], request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        recommend(page, "toy", history, **request_)
    assert refused.value.name == "HistoryError"
    assert message in refused.value.message


def test_what_is_fetched_and_that_nothing_is_needed_later(
    browser: Browser, folders: dict[str, Path]
) -> None:
    with web_page(browser, folders) as page:
        page.call(
            """async (runtime, wasmPath) => {
                const bundle = await runtime.Bundle.load(runtime.httpFiles('/toy'));
                globalThis.loaded = await runtime.Recommender.create(bundle, { wasmPath });
            }""",
            WASM_PATH,
        )
        assert page.elsewhere == []
        assert set(page.requests) == {
            *("/", "/page.js", "/runtime/runtime.js"),
            *(f"{WASM_PATH}litert_wasm_internal.{kind}" for kind in ("js", "wasm")),
            *(f"/toy/{name}.json" for name in ("manifest", "vocabulary", "catalogue")),
            "/toy/int8.tflite",
        }
        page.page.context.set_offline(True)
        ask = "async (_, history) => (await loaded.recommend(history, { k: 1 })).recommendations"
        (found,) = page.call(ask, [toy.raw_id(2)])
        assert found["title"] == "Heat (1995)"
        with pytest.raises(RefusedError, match="no answer"):
            page.call("(runtime) => runtime.Bundle.load(runtime.httpFiles('/toy'))")


def changed(
    page: WebPage,
    folder: Path,
    change: Callable[[Any], object],
    **contents: bytes,
) -> str:
    """Serves a copy of the toy bundle with another manifest and variants; it is whole."""
    copy = Path(shutil.copytree(page.folders["toy"], folder / "copy"))
    manifest = json.loads((copy / "manifest.json").read_text())
    for variant, content in contents.items():
        (copy / f"{variant}.tflite").write_bytes(content)
        manifest["files"][f"{variant}.tflite"] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }
    change(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    page.folders[folder.name] = copy
    return folder.name


def nothing(_: Any) -> None:
    """Leaves the manifest as it is."""


def shorter_history(manifest: Any) -> None:
    manifest["history"]["length"] = 9
    manifest["signature"]["inputs"][0]["shape"] = [-1, 9]


def fewer_movies(manifest: Any) -> None:
    manifest["top_k"] = 11
    for output in manifest["signature"]["outputs"]:
        output["shape"] = [-1, 11]


def also_ratings(manifest: Any) -> None:
    manifest["signature"]["inputs"].append(
        {
            "name": "context_rating",
            "dtype": "float32",
            "shape": [-1, toy.LENGTH],
            "order": "oldest_first",
            "padding": {"value": 0, "like": "context_movie_id"},
            "unknown": 0,
        }
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shorter_history, "context_movie_id has shape [1, 10] for one history, the manifest"),
        (fewer_movies, "has shape [1, 12] for one history, the manifest promises [1, 11]"),
        (also_ratings, "has tensors ['context_movie_id'], the manifest promises ['context_movi"),
    ],
)
def test_a_model_that_is_not_the_manifests_is_refused(
    page: WebPage,
    tmp_path: Path,
    change: Callable[[Any], None],
    message: str,
) -> None:
    folder = changed(page, tmp_path, change)
    with pytest.raises(RefusedError) as refused:
        recommend(page, folder, [1])
    assert refused.value.name == "BundleError"
    assert message in refused.value.message
    # LiteRT goes on working.
    assert numbers(page, "toy", [2], k=1) == [3]


def test_a_model_of_ids_is_not_taken_for_one_of_ratings(page: WebPage, tmp_path: Path) -> None:
    model = (page.folders["events"] / "int8.tflite").read_bytes()
    folder = changed(page, tmp_path, nothing, int8=model)
    with pytest.raises(RefusedError, match=r"has tensors \[.*'request_timestamp'\], the manifest"):
        recommend(page, folder, [1])


@pytest.mark.parametrize("keep", [0, 20, 3000])
def test_a_file_that_is_no_model_is_refused(page: WebPage, tmp_path: Path, keep: int) -> None:
    model = (page.folders["toy"] / "int8.tflite").read_bytes()
    folder = changed(page, tmp_path, nothing, int8=model[:keep])
    with pytest.raises(RefusedError) as refused:
        recommend(page, folder, [1])
    assert refused.value.name == "BundleError"
    assert "variant 'int8' cannot be opened" in refused.value.message
    assert numbers(page, "toy", [2], k=1) == [3]


def test_a_damaged_model_is_refused(page: WebPage, tmp_path: Path) -> None:
    folder = changed(page, tmp_path, nothing)
    path = page.folders[folder] / "int8.tflite"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=r"int8\.tflite: sha256 is "):
        recommend(page, folder, [1])


def test_a_vocabulary_that_is_too_short_is_noticed(page: WebPage, tmp_path: Path) -> None:
    page.folders["short"] = toy.bundle(tmp_path, movies=toy.movies()[:5])
    with pytest.raises(RefusedError, match="model and vocabulary do not belong together"):
        recommend(page, "short", [3])


def test_a_variant_that_is_not_there_is_named(page: WebPage) -> None:
    with pytest.raises(RefusedError, match=r"no variant 'int4'; it has \['float32', 'int8'\]"):
        recommend(page, "toy", [1], "int4")


def test_a_model_with_state_is_refused(page: WebPage, tmp_path: Path) -> None:
    # LiteRT's fused LSTM keeps its state in variable tensors.
    parsed = flatbuffer.parse((page.folders["toy"] / "int8.tflite").read_bytes())
    (graph,) = parsed.subgraphs
    graph.tensors[graph.operators[0].outputs[0]].isVariable = True
    folder = changed(page, tmp_path, nothing, int8=flatbuffer.serialize(parsed))
    with pytest.raises(RefusedError) as refused:
        recommend(page, folder, [1])
    assert refused.value.name == "BundleError"
    assert "variant 'int8' cannot be opened (it keeps state" in refused.value.message
    assert numbers(page, "toy", [2], k=1) == [3]


def test_litert_that_is_not_served_is_an_error_of_its_own(
    browser: Browser, folders: dict[str, Path], tmp_path: Path
) -> None:
    # A script alone, without what it loads.
    shutil.copy(RUNTIME / "wasm" / "litert_wasm_internal.js", tmp_path)
    with web_page(browser, {**folders, "half": tmp_path}) as page:
        given = {"folder": "/toy", "history": [toy.raw_id(2)], "request": {"k": 1}}
        for path in ("/nowhere/", "/half/"):
            given["wasmPath"] = path
            with pytest.raises(RefusedError) as refused:
                page.call(RECOMMEND, given)
            assert refused.value.name == "WasmError"
            assert f"LiteRT cannot be loaded from '{path}' (" in refused.value.message
            assert "[object" not in refused.value.message
        # It may be tried again: here with the files for browsers without relaxed SIMD.
        given["wasmPath"] = f"{WASM_PATH}litert_wasm_compat_internal.js"
        (found,) = page.call(RECOMMEND, given)
        assert found["title"] == "Heat (1995)"


def test_a_disposed_recommender_says_so(page: WebPage) -> None:
    with pytest.raises(RefusedError, match="DeviceError: the recommender was disposed of"):
        page.call(
            """async (runtime, wasmPath) => {
                const bundle = await runtime.Bundle.load(runtime.httpFiles('/toy'));
                const recommender = await runtime.Recommender.create(bundle, { wasmPath });
                recommender.dispose();
                recommender.dispose();
                await recommender.recommend([bundle.movies[0].movieId]);
            }""",
            WASM_PATH,
        )


def test_an_encoded_row_can_be_ranked_and_none_of_another_length(page: WebPage) -> None:
    rank = """async (runtime, { wasmPath, row }) => {
        const bundle = await runtime.Bundle.load(runtime.httpFiles('/events'));
        const recommender = await runtime.Recommender.create(bundle, { wasmPath });
        const further = new Map([['context_rating', new Float32Array(10).fill(1)]]);
        const { ids, scores } = await recommender.rank(Int32Array.from(row), further);
        recommender.dispose();
        return [Array.from(ids), Array.from(scores)];
    }"""
    ids, scores = page.call(rank, {"wasmPath": WASM_PATH, "row": [0] * 9 + [20]})
    assert ids == [*range(19, 7, -1)]
    assert scores == [-float(step) for step in range(1, 13)]
    with pytest.raises(RefusedError, match=r"HistoryError: context_movie_id is int32 \[2\]"):
        page.call(rank, {"wasmPath": WASM_PATH, "row": [0, 20]})


WIDE = 2000
"""Movies, N and K of a model whose tensors are large."""


def wide_bundle(folder: Path) -> Path:
    import tensorflow as tf

    row = tf.TensorSpec([None, WIDE], tf.int32, "context_movie_id")

    class Nearest(tf.Module):
        @tf.function(input_signature=[row])
        def recommend(self, context_movie_id: tf.Tensor) -> dict[str, tf.Tensor]:
            last = tf.cast(context_movie_id[:, -1:], tf.float32)
            best, ids = tf.math.top_k(-tf.abs(tf.range(1.0, WIDE + 1.0) - last), k=WIDE)
            return {"top_prediction_ids": ids + 1, "top_prediction_scores": best}

    module = Nearest()
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(module, saved, signatures={"serving_default": module.recommend})
        model = tf.lite.TFLiteConverter.from_saved_model(saved).convert()
    movies = tuple(Movie(n, n, f"Film {n} (2000)", (), 2000, 1) for n in range(1, WIDE + 1))
    variants = {"int8": toy.source().conversion.variants["int8"]}
    conversion = toy.source().conversion.model_copy(
        update={"history_length": WIDE, "top_k": WIDE, "variants": variants}
    )
    return toy.bundle(folder, movies=movies, conversion=conversion, variants={"int8": model})


def test_litert_s_memory_does_not_grow(browser: Browser, tmp_path: Path) -> None:
    # Each inference needs 24 kB for tensors: kept, they would not fit into the whole heap.
    with web_page(browser, {"wide": wide_bundle(tmp_path)}) as page:
        before, after = page.call(
            """async (runtime, wasmPath) => {
                for (const name of ['instantiate', 'instantiateStreaming']) {
                    const original = WebAssembly[name];
                    WebAssembly[name] = async (...given) => {
                        const result = await original.apply(WebAssembly, given);
                        for (const value of Object.values((result.instance ?? result).exports)) {
                            if (value instanceof WebAssembly.Memory) globalThis.heap = value;
                        }
                        return result;
                    };
                }
                const bundle = await runtime.Bundle.load(runtime.httpFiles('/wide'));
                const recommender = await runtime.Recommender.create(bundle, { wasmPath });
                const before = heap.buffer.byteLength;
                for (let run = 0; run < 1000; run++) {
                    const { recommendations } = await recommender.recommend([1 + run], { k: 2 });
                    const first = recommendations[0].movieId;
                    if (Math.abs(first - (1 + run)) !== 1) throw new Error(`${run}: ${first}`);
                }
                recommender.dispose();
                return [before, heap.buffer.byteLength];
            }""",
            WASM_PATH,
        )
    assert after == before < 24_000 * 1000


def test_search_finds_by_words_in_the_browser_too(page: WebPage) -> None:
    found = page.call(
        """async (runtime) => {
            const bundle = await runtime.Bundle.load(runtime.httpFiles('/toy'));
            return new runtime.TitleSearch(bundle.movies).search('the matirx');
        }"""
    )
    assert [movie["title"] for movie in found] == ["Matrix, The (1999)"]


def test_padding_on_the_right(page: WebPage, tmp_path: Path) -> None:
    conversion = toy.source().conversion.model_copy(update={"padding": "right"})
    page.folders["right"] = toy.bundle(tmp_path, conversion=conversion)
    assert numbers(page, "right", [4, 5], k=2) == [6, 7]
