"""The emitted assets, used exactly as TensorFlow's Android recommendation app uses them.

The app is Java; what it does is played here step by step: reading the files, filling the input,
the interpreter's rules about shapes, and filtering the output.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from components.registry_pusher.android import without_batch
from pipeline.errors import RegistryError
from pocketrec_device import Bundle, Recommender
from tests.device import toy


class JavaInterpreter:
    """`org.tensorflow.lite.Interpreter` as far as the app uses it."""

    def __init__(self, model: bytes) -> None:
        self._interpreter = Interpreter(model_content=model, num_threads=1)

    def run(self, inputs: list[Any], outputs: dict[int, Any]) -> None:
        """`runForMultipleInputsOutputs`: arrays in, arrays filled."""
        details = self._interpreter.get_input_details()
        assert len(inputs) <= len(details)
        for value, detail in zip(inputs, details, strict=False):
            assert value.dtype == detail["dtype"], "type is incompatible"
            if tuple(detail["shape"]) != value.shape:
                self._interpreter.resize_tensor_input(detail["index"], value.shape)
        self._interpreter.allocate_tensors()
        for value, detail in zip(inputs, details, strict=False):
            self._interpreter.set_tensor(detail["index"], value)
        self._interpreter.invoke()
        details = self._interpreter.get_output_details()
        for index, filled in outputs.items():
            value = self._interpreter.get_tensor(details[index]["index"])
            assert value.dtype == filled.dtype, "type is incompatible"
            assert value.shape == filled.shape, "cannot copy to a Java object of another shape"
            filled[:] = value


class App:
    """`RecommendationClient` with its `Config` and `FileUtil`."""

    DEFAULTS = {  # noqa: RUF012
        "genreList": None,
        "pad": 0,
        "unknownGenre": 0,
        "outputIdsIndex": 0,
        "outputScoresIndex": 1,
        "favoriteListSize": 100,
    }

    def __init__(self, assets: Path) -> None:
        self.config = {**self.DEFAULTS, **json.loads((assets / "config.json").read_text("utf-8"))}
        self.is_valid = self._validate()
        self._interpreter = JavaInterpreter((assets / self.config["model"]).read_bytes())
        listed = json.loads((assets / self.config["movieList"]).read_text("utf-8"))
        self.movies = listed[: self.config["favoriteListSize"]]
        self.candidates = {int(item["id"]): item for item in listed}

    def recommend(self, selected: list[dict[str, Any]]) -> list[tuple[int, str, float]]:
        inputs = []
        for feature in sorted(self.config["inputs"], key=lambda feature: feature["index"]):
            assert feature["name"] == "movieFeature", "invalid feature"
            ids = np.full(feature["inputLength"], self.config["pad"], np.int32)
            for place, item in enumerate(selected[: len(ids)]):
                ids[place] = item["id"]
            inputs.append(ids)
        length = self.config["outputLength"]
        ids, confidences = np.zeros(length, np.int32), np.zeros(length, np.float32)
        self._interpreter.run(
            inputs,
            {self.config["outputIdsIndex"]: ids, self.config["outputScoresIndex"]: confidences},
        )
        results: list[tuple[int, str, float]] = []
        for number, confidence in zip(ids.tolist(), confidences.tolist(), strict=True):
            if len(results) >= self.config["topK"]:
                break
            candidate = self.candidates.get(number)
            if candidate is None or candidate in selected:
                continue
            results.append((number, candidate["title"], confidence))
        return results

    def _validate(self) -> bool:
        inputs = [feature["name"] for feature in self.config["inputs"]]
        uses_genres = self.config["genreList"] is not None
        return bool(inputs) and uses_genres == ("genreFeature" in inputs)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.bundle(tmp_path_factory.mktemp("android"))


@pytest.fixture(scope="module")
def app(bundle: Path) -> App:
    return App(bundle / "android")


def test_the_config_is_valid_for_the_app(app: App, bundle: Path) -> None:
    assert app.is_valid
    assert app.config["inputs"] == [{"name": "movieFeature", "index": 0, "inputLength": 10}]
    assert app.config["outputLength"] == toy.TOP_K
    assert app.config["topK"] == 10
    assert {app.config["outputIdsIndex"], app.config["outputScoresIndex"]} == {0, 1}
    assert (bundle / "android" / app.config["model"]).name == "recommendation_lstm_i10o12.tflite"


def test_movies_are_listed_most_popular_first_with_the_models_ids(app: App) -> None:
    assert app.movies[0] == {
        "id": 1,
        "title": "Toy Story (1995)",
        "genres": ["Animation", "Comedy"],
        "count": 99,
    }
    counts = [item["count"] for item in app.movies]
    assert counts == sorted(counts, reverse=True)
    assert sorted(app.candidates) == list(range(1, toy.MOVIES + 1))


def test_genres_stand_behind_the_unknown_one(bundle: Path) -> None:
    # Action stands at three of the movies, the others at one each; Drama, too.
    assert (bundle / "android" / "movie_genre_vocab.txt").read_text() == (
        "UNK\nAction\nAnimation\nComedy\nCrime\nDrama\n"
    )


def test_the_app_recommends_what_follows_the_selected_movies(app: App) -> None:
    selected = [app.candidates[7], app.candidates[12], app.candidates[10]]
    numbers = [number for number, _, _ in app.recommend(selected)]
    # After 10 come 11, 12 (selected), 13, ...; the selection is padded at the end.
    assert numbers == [11, *range(13, 22)]


def test_the_app_takes_the_first_n_of_a_long_selection(app: App) -> None:
    selected = [app.candidates[number] for number in range(20, 35)]
    # The model sees 20..29 and returns 30..41; the app drops 30..34, which were selected.
    assert [number for number, _, _ in app.recommend(selected)] == [*range(35, 41), 1]


@pytest.mark.parametrize("history", [[3], [8, 2, 30], list(range(5, 15))])
def test_app_and_python_runtime_agree(app: App, bundle: Path, history: list[int]) -> None:
    runtime = Recommender(Bundle.load(bundle))
    expected = runtime.recommend([toy.raw_id(number) for number in history], k=10)
    found = app.recommend([app.candidates[number] for number in history])
    assert [title for _, title, _ in found] == [movie.title for movie in expected]
    assert [score for _, _, score in found] == [movie.score for movie in expected]


def test_the_gated_weights_are_what_the_app_gets(bundle: Path) -> None:
    # Two reshapes and their shapes come on top, a table does not.
    single = (bundle / "android" / "recommendation_lstm_i10o12.tflite").stat().st_size
    assert single < (bundle / "int8.tflite").stat().st_size + 1024


def test_a_batched_model_would_not_do_for_the_app(bundle: Path) -> None:
    java = JavaInterpreter((bundle / "int8.tflite").read_bytes())
    ids, scores = np.zeros(toy.TOP_K, np.int32), np.zeros(toy.TOP_K, np.float32)
    with pytest.raises((AssertionError, RuntimeError, ValueError)):
        java.run([np.zeros(toy.LENGTH, np.int32)], {0: scores, 1: ids})


def test_a_model_without_the_contracts_signature_is_refused(bundle: Path) -> None:
    single = (bundle / "android" / "recommendation_lstm_i10o12.tflite").read_bytes()
    renamed = single.replace(b"context_movie_id", b"context_movie_xx")
    with pytest.raises(RegistryError, match="context_movie_xx"):
        without_batch(renamed, history_length=10, top_k=12)
