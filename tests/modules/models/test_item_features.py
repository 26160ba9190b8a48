from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from components.tflite_converter import worker
from modules.catalogue import CatalogueEntry
from modules.models import serving
from modules.models.history import Context
from modules.models.item_features import ItemFeatures, build_item_features
from modules.models.recommender import Recommender
from pipeline.config.model import ItemFeaturesConfig, ModelConfig
from pipeline.errors import ConfigError

BOTH = ItemFeaturesConfig(genres=True, year=True)

# Vocabulary ids 1 to 6; movie 70 is not in the catalogue, movie 99 not in the vocabulary.
MOVIE_IDS = [30, 10, 20, 70, 40, 50]
CATALOGUE = {
    10: CatalogueEntry("Ten (1995)", ("Comedy", "Drama"), 1995),
    20: CatalogueEntry("Twenty (1999)", ("Drama",), 1999),
    30: CatalogueEntry("Thirty (2000)", (), 2000),
    40: CatalogueEntry("Forty", ("Action", "Comedy", "Drama", "War"), None),
    50: CatalogueEntry("Fifty (1994)", ("War", "War"), 1994),
    99: CatalogueEntry("Ninety-nine (1950)", ("Western",), 1950),
}
NAMES = (
    "genres Action", "genres Comedy", "genres Drama", "genres War",
    "year 1990-1994", "year 1995-1999", "year 2000-2004",
)  # fmt: skip
VALUES = [
    [0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0.5, 0.5, 0, 0, 1, 0],
    [0, 0, 1, 0, 0, 1, 0],
    [0, 0, 0, 0, 0, 0, 0],
    [0.25, 0.25, 0.25, 0.25, 0, 0, 0],
    [0, 0, 0, 1, 1, 0, 0],
]


def test_the_catalogue_lines_up_with_the_vocabulary() -> None:
    features = build_item_features(BOTH, MOVIE_IDS, CATALOGUE)
    assert features is not None
    assert features.names == NAMES
    assert features.values.dtype == np.float32
    np.testing.assert_array_equal(features.values, np.array(VALUES, np.float32))


@pytest.mark.parametrize(("genres", "year", "columns"), [(True, False, 4), (False, True, 3)])
def test_each_feature_comes_alone_too(genres: bool, year: bool, columns: int) -> None:
    features = build_item_features(
        ItemFeaturesConfig(genres=genres, year=year), MOVIE_IDS, CATALOGUE
    )
    assert features is not None
    assert len(features.names) == columns
    kept = slice(0, 4) if genres else slice(4, 7)
    np.testing.assert_array_equal(features.values, np.array(VALUES, np.float32)[:, kept])


def test_nothing_is_built_where_nothing_is_asked_for() -> None:
    assert build_item_features(ItemFeaturesConfig(), MOVIE_IDS, CATALOGUE) is None


@pytest.mark.parametrize("key", ["genres", "year"])
def test_a_feature_that_no_movie_has_is_refused(key: str) -> None:
    bare = {30: CatalogueEntry("Thirty", (), None)}
    with pytest.raises(ConfigError, match=rf"model\.item_features\.{key}: .*{key} to false"):
        build_item_features(ItemFeaturesConfig.model_validate({key: True}), MOVIE_IDS, bare)


def test_the_digest_follows_names_and_values() -> None:
    values = np.array(VALUES, np.float32)
    base = ItemFeatures(NAMES, values).digest()
    assert ItemFeatures(NAMES, values.copy()).digest() == base
    assert ItemFeatures(NAMES[::-1], values).digest() != base
    assert ItemFeatures(NAMES, values + 1).digest() != base


MOVIES, LENGTH, DIM, TOP_K = 60, 5, 8, 12
COLUMNS = 5


def features_of(movies: int = MOVIES) -> ItemFeatures:
    values = np.random.default_rng(2).integers(0, 2, (movies + 1, COLUMNS)).astype(np.float32)
    values[0] = 0
    return ItemFeatures(tuple(f"genres {i}" for i in range(COLUMNS)), values)


def make_model(*, with_features: bool = True, **settings: Any) -> Recommender:
    """A model whose every weight is random: zeros at the start would hide mistakes."""
    keras.utils.set_random_seed(5)
    config = ModelConfig.model_validate(
        {
            "encoder": {"name": "cnn", "layers": 1},
            "dim": DIM,
            "item_features": {"genres": with_features},
            **settings,
        }
    )
    model = Recommender(
        config,
        history_length=LENGTH,
        movies=MOVIES,
        item_features=features_of() if with_features else None,
    )
    random = np.random.default_rng(6)
    for weight in model.trainable_variables:
        if weight.name not in ("items", "labels"):
            weight.assign(random.normal(0, 0.4, weight.shape))
    return model


def weight_of(model: Recommender, name: str) -> keras.Variable:
    return next(weight for weight in model.trainable_variables if weight.name == name)


def by_hand(model: Recommender, table: str) -> npt.NDArray[np.float32]:
    """A table movie by movie, its features' vectors added one after the other."""
    rows = weight_of(model, table).numpy().copy()
    vectors = weight_of(model, f"{table}_features").numpy()
    for movie, values in enumerate(features_of().values):
        for value, vector in zip(values, vectors, strict=True):
            rows[movie] += value * vector
        if model.config.scoring == "cosine":
            rows[movie] /= np.sqrt((rows[movie] ** 2).sum() + 1e-6)
    return rows


@pytest.mark.parametrize("scoring", ["dot", "cosine"])
@pytest.mark.parametrize("tied", [True, False])
def test_features_are_added_to_both_tables(scoring: str, tied: bool) -> None:
    model = make_model(scoring=scoring, tied=tied)
    labels = by_hand(model, "items" if tied else "labels")
    np.testing.assert_allclose(model.input_table.numpy(), by_hand(model, "items"), atol=1e-6)
    np.testing.assert_allclose(model.scoring_table().numpy(), labels, atol=1e-6)
    np.testing.assert_array_equal(model.input_table.numpy()[0], 0)
    np.testing.assert_array_equal(model.scoring_table().numpy()[0], 0)


def test_a_new_model_is_the_one_without_features() -> None:
    keras.utils.set_random_seed(5)
    config = ModelConfig(item_features=BOTH)
    model = Recommender(config, history_length=2, movies=MOVIES, item_features=features_of())
    keras.utils.set_random_seed(5)
    plain = Recommender(ModelConfig(), history_length=2, movies=MOVIES)
    np.testing.assert_array_equal(model.input_table.numpy(), plain.input_table.numpy())
    assert model.count_params() - plain.count_params() == COLUMNS * config.dim


def test_features_learn_from_the_histories_and_from_the_targets() -> None:
    model = make_model(tied=False)
    vectors = [weight_of(model, f"{table}_features").value for table in ("items", "labels")]
    with tf.GradientTape() as tape:
        context = model(Context(tf.constant([[0, 0, 3, 4, 5]])))
        loss = tf.reduce_sum(tf.matmul(context[:, -1], model.scoring_table(), transpose_b=True))
    for gradient in tape.gradient(loss, vectors):
        assert np.abs(gradient).max() > 1e-3


def served(folder: Path, model: Recommender) -> dict[str, bytes]:
    """Content of the float32 and the int8 file."""
    serving.export(model, str(folder / "model"), top_k=TOP_K)
    for variant in ("float32", "int8"):
        worker.main([str(folder / "model"), variant, str(folder / variant)])
    return {variant: (folder / variant).read_bytes() for variant in ("float32", "int8")}


def test_folding_into_the_served_table_is_exact(tmp_path: Path) -> None:
    model = make_model(scoring="cosine")
    plain = make_model(scoring="cosine", with_features=False)
    # The encoders' weights are equal; the tables of the plain one hold what was added by hand.
    for weight in plain.trainable_variables:
        weight.assign(next(w for w in model.trainable_variables if w.path == weight.path))
    weight_of(plain, "items").assign(by_hand(model, "items"))

    histories = np.array([[0, 0, 3, 40, 7], [1, 2, 3, 4, 5], [0, 0, 0, 0, 9]], np.int32)
    scores = model(Context(histories)).numpy()[:, -1] @ by_hand(model, "items").T
    scores[:, 0] = -np.inf
    np.put_along_axis(scores, histories, -np.inf, axis=1)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :TOP_K]

    files, plain_files = served(tmp_path / "a", model), served(tmp_path / "b", plain)
    interpreter = tf.lite.Interpreter(model_content=files["float32"])
    runner = interpreter.get_signature_runner("serving_default")
    answers = runner(context_movie_id=histories)
    assert answers["top_prediction_ids"].tolist() == expected.tolist()
    np.testing.assert_allclose(
        answers["top_prediction_scores"],
        np.take_along_axis(scores, expected, axis=1),
        rtol=1e-5,
        atol=1e-5,
    )
    assert {name: len(content) for name, content in files.items()} == {
        name: len(content) for name, content in plain_files.items()
    }


def test_features_must_be_those_that_are_asked_for() -> None:
    config = ModelConfig(item_features=BOTH)
    with pytest.raises(ValueError, match=r"item_features is genres=True.*are None"):
        Recommender(config, history_length=2, movies=MOVIES)
    with pytest.raises(ValueError, match="are \\['genres 0'"):
        Recommender(ModelConfig(), history_length=2, movies=MOVIES, item_features=features_of())
    with pytest.raises(ValueError, match="features of 59 movies for a vocabulary of 60"):
        Recommender(config, history_length=2, movies=MOVIES, item_features=features_of(59))
