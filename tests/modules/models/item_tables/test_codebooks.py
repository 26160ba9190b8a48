"""Codebooks: rows and scores by hand, what learns, what a device computes, how they begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from threadpoolctl import threadpool_limits

from modules.models.item_tables.base import TableSpec
from modules.models.item_tables.clustering import clustered
from modules.models.item_tables.codebooks import CodebooksTable
from modules.models.item_tables.coding import decoded, encoded
from pipeline.config.item_table import CodebooksTableConfig
from pipeline.errors import ConfigError

KINDS: list[dict[str, Any]] = [
    {"books": 3, "codes": 20},
    {"books": 4, "codes": 16},
    {"books": 2, "codes": 5, "bits": 4},
    {"books": 3, "codes": 20, "composition": "additive"},
    {"books": 2, "codes": 16, "composition": "additive"},
    {"books": 1, "codes": 20, "assignment": "teacher"},
]


def make_table(
    *, movies: int = 60, width: int = 12, unit_length: bool = False, **config: Any
) -> CodebooksTable:
    keras.utils.set_random_seed(4)
    return CodebooksTable(
        CodebooksTableConfig.model_validate({"name": "codebooks", "bits": None, **config}),
        TableSpec("items", movies, width, initial_std=0.02, unit_length=unit_length),
    )


def normal(*shape: int, seed: int = 1) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_product_by_hand() -> None:
    table = make_table(movies=3, width=4, books=2, codes=2)
    queries, centroids = table.trainable_variables
    centroids.assign([[[1, 0], [0, 1]], [[2, 2], [-2, -2]]])
    queries.assign([[0, 0, 0, 0], [0.9, 0.2, 1, 1], [0.2, 0.9, -1, 0], [0.6, 0.1, -3, -1]])
    assert table.codes()[1:].tolist() == [[0, 0], [1, 1], [0, 1]]
    expected = [[0, 0, 0, 0], [1, 0, 2, 2], [0, 1, -2, -2], [1, 0, -2, -2]]
    np.testing.assert_array_equal(table.rows().numpy(), expected)


def test_a_sum_by_hand() -> None:
    table = make_table(movies=3, width=2, books=2, codes=2, composition="additive")
    queries, centroids = table.trainable_variables
    centroids.assign([[[4, 0], [0, 4]], [[1, 1], [-1, -1]]])
    # What is left over of the second is (-2, -1), of the third (1, .5).
    queries.assign([[0, 0], [5, 2], [2, -1], [1, 4.5]])
    assert table.codes()[1:].tolist() == [[0, 0], [0, 1], [1, 0]]
    np.testing.assert_array_equal(table.rows().numpy(), [[0, 0], [5, 1], [3, -1], [1, 5]])


def test_of_equally_near_centroids_the_first_is_taken() -> None:
    book = tf.constant([[[3.0], [1.0], [-1.0], [1.0]]])
    assert encoded(tf.constant([[0.0], [1.0], [2.0]]), book, "product").numpy().tolist() == [
        [1],
        [1],
        [0],
    ]


def test_scores_move_queries_and_the_distance_draws_both_together() -> None:
    table = make_table(movies=3, width=4, books=2, codes=2)
    queries, centroids = table.trainable_variables
    centroids.assign([[[1, 0], [0, 1]], [[2, 2], [-2, -2]]])
    queries.assign([[0, 0, 0, 0], [0.9, 0.2, 1, 1], [0.2, 0.9, -1, 0], [0.6, 0.1, -3, -1]])
    wanted = normal(4, 4)
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_sum(table.rows() * wanted)
        apart = table.regularisation()
        assert apart is not None
    given = [queries.value, centroids.value]
    to_queries, to_centroids = tape.gradient(loss, given)
    np.testing.assert_allclose(to_queries.numpy()[1:], wanted[1:], rtol=1e-6)
    np.testing.assert_array_equal(to_queries.numpy()[0], 0)
    assert to_centroids is None
    # Squared distances of the first movie: .01 + .04 and 1 + 1; and so on.
    assert float(apart) == pytest.approx((2.05 + 5.05 + 2.17) / 3)
    to_queries, to_centroids = tape.gradient(apart, given)
    # Twice what centroids are ahead of their queries, the mean over three movies.
    ahead = np.array([[0.1, -0.2, 1, 1], [-0.2, 0.1, -1, -2], [0.4, -0.1, 1, -1]])
    np.testing.assert_allclose(to_queries.numpy()[1:], -ahead * 2 / 3, rtol=1e-5)
    sums = np.array([[[0.5, -0.3], [-0.2, 0.1]], [[1, 1], [0, -3]]])
    np.testing.assert_allclose(tf.convert_to_tensor(to_centroids), sums * 2 / 3, rtol=1e-5)


def test_codes_that_stay_need_no_queries_to_follow() -> None:
    table = make_table(books=1, codes=20, assignment="teacher")
    table.begin_from(normal(61, 12))
    assert table.regularisation() is None
    (centroids,) = table.trainable_variables
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(table.rows() * normal(61, 12))
    moved = tf.convert_to_tensor(tape.gradient(loss, centroids.value)).numpy()
    expected = np.zeros((20, 12))
    np.add.at(expected, table.codes()[1:, 0], normal(61, 12)[1:])
    np.testing.assert_allclose(moved[0], expected, rtol=1e-4, atol=1e-5)


def test_with_cosines_queries_are_compared_at_length_one() -> None:
    table = make_table(books=3, codes=20, unit_length=True)
    codes = table.codes()[1:]
    queries = table.trainable_variables[0]
    queries.assign(queries.numpy() * np.linspace(1, 50, 61)[:, np.newaxis])
    np.testing.assert_array_equal(table.codes()[1:], codes)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(table.rows() * normal(61, 12))
    along = tf.reduce_sum(tape.gradient(loss, queries.value) * queries.value, axis=1)
    np.testing.assert_allclose(along.numpy(), 0, atol=1e-4)


@pytest.mark.parametrize("composition", ["product", "additive"])
def test_codes_follow_what_the_loss_wants(composition: Any) -> None:
    table = make_table(books=3, codes=16, composition=composition)
    # Rows of which no sixteen parts are equal.
    target = normal(61, 12)
    weights = table.trainable_variables
    before, optimizer = table.codes()[1:], keras.optimizers.Adam(0.05)

    @tf.function(jit_compile=True)
    def update() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(table.rows() - target)[1:])
            all_ = 100 * loss + table.regularisation()
        optimizer.apply(tape.gradient(all_, [weight.value for weight in weights]), weights)
        return loss

    optimizer.build(weights)
    losses = [float(update()) for _ in range(150)]
    codes = table.codes()[1:]
    assert np.mean(codes != before) > 0.5
    # With the codes of the beginning, the centroids of the end are far from it.
    stayed = decoded(before, weights[1], composition).numpy() - target[1:]
    assert losses[-1] < 0.6 * float(np.mean(np.square(stayed))), losses[-1]
    assert losses[-1] < 0.6 * losses[0]
    used = [len(np.unique(codes[:, book])) for book in range(3)]
    assert min(used) >= 12, used


@pytest.mark.parametrize("unit_length", [False, True])
@pytest.mark.parametrize("config", KINDS, ids=repr)
def test_a_device_reads_the_same_rows_and_scores(config: dict[str, Any], unit_length: bool) -> None:
    table = make_table(**config, unit_length=unit_length)
    rows, served = table.rows().numpy(), table.serve()
    ids = np.array([[1, 5, 60], [2, 9, 7]], np.int32)
    np.testing.assert_allclose(served.look_up(tf.constant(ids)).numpy(), rows[ids], atol=1e-6)
    context = normal(3, 12)
    scores = served.scores(tf.constant(context)).numpy()
    assert scores.shape == (3, 61)
    np.testing.assert_allclose(scores[:, 1:], context @ rows[1:].T, atol=1e-5)


@pytest.mark.parametrize("config", [KINDS[0], KINDS[1], KINDS[3]], ids=repr)
def test_litert_computes_them_without_a_table(config: dict[str, Any], tmp_path: Path) -> None:
    movies = 8000
    table = make_table(movies=movies, **config)
    served, rows = table.serve(), table.rows().numpy()

    @tf.function(
        input_signature=[tf.TensorSpec([None, 3], tf.int32), tf.TensorSpec([None, 12], tf.float32)]
    )
    def both(ids: tf.Tensor, context: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"found": served.look_up(ids), "scores": served.scores(context)}

    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=both)
    content = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert()
    packed = config["codes"] <= 16 and config["books"] % 2 == 0
    codes = (movies + 1) * config["books"] // (2 if packed else 1)
    # Codes are there once and as bytes: again, or as numbers of four bytes, they would not fit.
    centroids = table.trainable_variables[1].numpy().nbytes
    assert codes + centroids < len(content) < 2 * codes + centroids < rows.nbytes / 5

    ids, context = np.array([[1, 5, 8000]], np.int32), normal(1, 12)
    answers = Interpreter(model_content=content).get_signature_runner()(ids=ids, context=context)
    np.testing.assert_allclose(answers["found"], rows[ids], atol=1e-6)
    np.testing.assert_allclose(answers["scores"][:, 1:], context @ rows[1:].T, atol=1e-5)


def test_the_same_seed_gives_the_same_codes() -> None:
    first, second = (make_table(books=3, codes=20) for _ in range(2))
    np.testing.assert_array_equal(first.codes(), second.codes())
    np.testing.assert_array_equal(first.rows(), second.rows())


@pytest.mark.parametrize("composition", ["product", "additive"])
def test_k_means_is_the_same_on_any_number_of_threads(composition: Any) -> None:
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(clustered(normal(2000, 8), composition, books=2, codes=32, iterations=9))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("composition", ["product", "additive"])
def test_clusters_are_found(composition: Any) -> None:
    # Rows that two codebooks of three can make exactly.
    books = [normal(2, 3, 4), normal(2, 3, 8, seed=2) * [[[9]], [[1]]]]
    book = books[composition == "additive"].astype(np.float32)
    planted = np.stack(np.meshgrid(np.arange(3), np.arange(3)), axis=-1).reshape(-1, 2)
    planted = np.repeat(planted, 5, axis=0).astype(np.int32)
    rows = decoded(planted, book, composition).numpy()
    codes, centroids = clustered(rows, composition, books=2, codes=3, iterations=50)
    np.testing.assert_allclose(
        decoded(codes.astype(np.int32), centroids, composition), rows, atol=1e-5
    )
    same = encoded(rows, centroids, composition)
    np.testing.assert_allclose(decoded(same, centroids, composition), rows, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "unit_length", "of_length_one"),
    [
        (KINDS[0], False, False),
        (KINDS[3], False, False),
        (KINDS[0], True, True),
        (KINDS[3], True, True),
        (KINDS[5], True, False),
    ],
)
def test_a_table_begins_with_its_teachers_rows(
    config: dict[str, Any], unit_length: bool, of_length_one: bool
) -> None:
    # Ten kinds of movies.
    teacher = np.concatenate([np.ones((1, 12)), np.repeat(normal(10, 12), 6, axis=0)])
    table = make_table(unit_length=unit_length, **{**config, "codes": 10})
    table.begin_from(teacher.astype(np.float32))
    expected = teacher[1:]
    if of_length_one:
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    rows = table.rows().numpy()
    np.testing.assert_allclose(rows[1:], expected, atol=1e-4)
    np.testing.assert_array_equal(rows[0], 0)


def test_codes_of_a_teacher_stay() -> None:
    table = make_table(books=3, codes=20, assignment="teacher")
    assert [weight.shape for weight in table.trainable_variables] == [(3, 20, 4)]
    assert [weight.shape for weight in table.non_trainable_variables] == [(61, 3)]
    assert table.row_weights == table.non_trainable_variables
    table.begin_from(normal(61, 12))
    codes = table.codes()
    table.trainable_variables[0].assign(normal(3, 20, 4))
    np.testing.assert_array_equal(table.codes(), codes)


def test_learned_codes_need_no_teacher_and_others_do() -> None:
    table = make_table(books=3, codes=20)
    rows = table.rows().numpy()
    table.begin_from(None)
    np.testing.assert_array_equal(table.rows().numpy(), rows)
    assert table.row_weights == [table.trainable_variables[0]]
    with pytest.raises(ConfigError, match=r"assignment is teacher, .* set assignment to learned"):
        make_table(books=3, codes=20, assignment="teacher").begin_from(None)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"books": 5, "codes": 4}, "rows 12 wide do not split into 5 parts"),
        ({"books": 3, "codes": 61}, "61 centroids a codebook for 60 movies; at most 60"),
    ],
)
def test_tables_that_cannot_be_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_table(**config)


@pytest.mark.parametrize("config", [{"codes": 257}, {"codes": 1}, {"books": 0}])
def test_impossible_settings_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="should be"):
        CodebooksTableConfig.model_validate({"name": "codebooks", **config})
