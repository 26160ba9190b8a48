"""The real Transform executor on in-memory Beam, and its output as the later stages read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx import v1 as tfx
from tfx.components.transform import executor
from tfx.types import artifact_utils
from tfx_bsl.public import tfxio

import schema
from modules import features
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.history import HistoryConfig

SCHEMA_FILE = Path(schema.__file__).parent / "schema.pbtxt"

# Usable training events (2 stars and more): movie 100 three times, 9 and 10 twice each, 2 and 5
# once. Movie 7 is rated 1 star only, movie 77 is watched in test alone.
TRAIN = [
    (1, [10, 9, 100, 7], [5, 5, 5, 1]),
    (2, [9, 100], [4, 3]),
    (3, [100, 10, 2, 5], [2, 5, 4, 3]),
]
EVAL = [(1, [10, 9, 100, 7, 2], [5, 5, 5, 1, 4]), (2, [9, 100, 5], [4, 3, 5])]
# Attributes that some users have: a gender, an age in years, an occupation.
ATTRIBUTES = {
    1: ("F", 17, "programmer"),
    2: (None, 56, "engineer"),
}
TEST = [(1, [10, 9, 100, 7, 2, 77], [5, 5, 5, 1, 4, 5]), (2, [9, 100, 5, 10], [4, 3, 5, 5])]
HISTORY = HistoryConfig(length=3, stride=2, min_rating=2.0, min_movie_count=2)


def _example(user_id: int, movie_ids: list[int], ratings: list[int], held_out: int) -> bytes:
    integers = {
        features.USER_ID: [user_id],
        features.MOVIE_ID: movie_ids,
        features.TIMESTAMP: [1000 + i for i in range(len(movie_ids))],
        features.FIRST_TARGET: [len(movie_ids) - 1 if held_out else 0],
        features.HELD_OUT: [held_out],
    }
    gender, age, occupation = ATTRIBUTES.get(user_id, (None, None, None))
    if age is not None:
        integers[features.USER_AGE] = [age]
    example = tf.train.Example()
    for name, word in ((features.USER_GENDER, gender), (features.USER_OCCUPATION, occupation)):
        if word is not None:
            example.features.feature[name].bytes_list.value.append(word.encode())
    for name, values in integers.items():
        example.features.feature[name].int64_list.value.extend(values)
    example.features.feature[features.RATING].float_list.value.extend(ratings)
    return bytes(example.SerializeToString())


def _artifact(kind: type, path: Path, splits: list[str] | None = None) -> tfx.dsl.Artifact:
    artifact = kind()
    artifact.uri = str(path)
    path.mkdir(parents=True)
    if splits:
        artifact.split_names = artifact_utils.encode_split_names(splits)
    return artifact


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Runs Transform as the pipeline does; returns `transform_graph` and transformed examples."""
    root = tmp_path_factory.mktemp("transform")
    kinds = tfx.types.standard_artifacts
    examples = _artifact(kinds.Examples, root / "examples", ["train", "eval", "test"])
    for split, timelines in (("train", TRAIN), ("eval", EVAL), ("test", TEST)):
        folder = root / "examples" / f"Split-{split}"
        folder.mkdir()
        with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), "GZIP") as out:
            for user_id, movie_ids, ratings in timelines:
                out.write(_example(user_id, movie_ids, ratings, int(split != "train")))
    schema_artifact = _artifact(kinds.Schema, root / "schema")
    (root / "schema" / "schema.pbtxt").write_bytes(SCHEMA_FILE.read_bytes())

    executor.Executor(executor.Executor.Context(tmp_dir=str(root / "tmp"), unique_id="1")).Do(
        {"examples": [examples], "schema": [schema_artifact]},
        {
            "transform_graph": [_artifact(kinds.TransformGraph, root / "graph")],
            "transformed_examples": [_artifact(kinds.Examples, root / "windows")],
        },
        {
            "preprocessing_fn": "modules.preprocessing.preprocessing_fn",
            "splits_config": json.dumps(
                {"analyze": ["train"], "transform": ["train", "eval", "test"]}
            ),
            "custom_config": json.dumps({"history": HISTORY.model_dump_json()}),
            "disable_statistics": 1,
        },
    )
    return root / "graph", root / "windows"


def _rows(transformed: tuple[Path, Path], split: str) -> Iterator[dict[str, list[float]]]:
    """Windows parsed by the schema that Transform wrote, as the Trainer does."""
    graph, windows = transformed
    spec = tft.TFTransformOutput(str(graph)).transformed_feature_spec()
    files = sorted(str(file) for file in (windows / f"Split-{split}").glob("*.gz"))
    for record in tf.data.TFRecordDataset(files, "GZIP"):
        parsed = tf.io.parse_single_example(record, spec)
        yield {
            name: (tf.sparse.to_dense(v) if isinstance(v, tf.SparseTensor) else v).numpy().tolist()
            for name, v in parsed.items()
        }


def test_vocabulary_counts_usable_training_events(transformed: tuple[Path, Path]) -> None:
    graph, _ = transformed

    movie_ids, counts = read_vocabulary(vocabulary_path(str(graph)))

    # 9 and 10 tie: ascending movie id. 2 and 5 are below min_movie_count.
    assert movie_ids.tolist() == [100, 9, 10]
    assert counts.tolist() == [3, 2, 2]
    output = tft.TFTransformOutput(str(graph))
    assert output.vocabulary_size_by_name(features.MOVIE_VOCABULARY) == 3


def test_train_windows(transformed: tuple[Path, Path]) -> None:
    rows = {row[features.USER_ID][0]: row for row in _rows(transformed, "train")}

    # Vocabulary ids: 100 -> 1, 9 -> 2, 10 -> 3.
    assert rows[1][features.CONTEXT_MOVIE_ID] == [0, 3, 2]
    assert rows[1][features.TARGET_MOVIE_ID] == [0, 2, 1]
    assert rows[1][features.TARGET_RATING] == [0, 5, 5]
    assert rows[2][features.CONTEXT_MOVIE_ID] == [0, 0, 2]
    assert rows[3][features.TARGET_MOVIE_ID] == [0, 0, 3]
    assert all(row[features.SEEN_MOVIE_ID] == [] for row in rows.values())


def test_held_out_windows(transformed: tuple[Path, Path]) -> None:
    [first, second] = sorted(_rows(transformed, "test"), key=lambda row: row[features.USER_ID])

    # Movie 77 is unknown: the row stays, as a miss.
    assert first[features.CONTEXT_MOVIE_ID] == [3, 2, 1]
    assert first[features.TARGET_MOVIE_ID] == [0, 0, 0]
    assert first[features.TARGET_TIMESTAMP] == [1005]
    assert second[features.CONTEXT_MOVIE_ID] == [0, 2, 1]
    assert second[features.TARGET_MOVIE_ID] == [0, 0, 3]
    assert second[features.HISTORY_LENGTH] == [2]
    assert second[features.SEEN_MOVIE_ID] == [2, 1]
    assert second[features.HELD_OUT] == [1]


def test_attributes_of_users_are_categories_in_each_of_their_windows(
    transformed: tuple[Path, Path],
) -> None:
    names = ("user_gender_id", "user_age_id", "user_occupation_id")
    for split, users in (("train", {1, 2, 3}), ("test", {1, 2})):
        found = {
            (row[features.USER_ID][0], *(row[name][0] for name in names))
            for row in _rows(transformed, split)
        }
        # Under 18 is the first group, 56 and more the last; "engineer" alone is no category.
        expected = {(1, 1, 1, 13), (2, 0, 7, 0), (3, 0, 0, 0)}
        assert found == {row for row in expected if row[0] in users}


def test_record_batches_read_back_as_the_evaluator_reads_them(
    transformed: tuple[Path, Path],
) -> None:
    graph, windows = transformed
    source = tfxio.TFExampleRecord(
        str(windows / "Split-test" / "*.gz"),
        ["test"],
        schema=tft.TFTransformOutput(str(graph)).transformed_metadata.schema,
    )
    options = tfxio.RecordBatchesOptions(
        batch_size=10, num_epochs=1, shuffle=False, drop_final_batch=False
    )

    [batch] = [batch.to_pydict() for batch in source.RecordBatches(options)]

    columns = zip(batch[features.USER_ID], batch[features.SEEN_MOVIE_ID], strict=True)
    seen = {user: movies for [user], movies in columns}
    assert seen == {1: [3, 2, 1], 2: [2, 1]}


def test_materialised_types_and_shapes(transformed: tuple[Path, Path]) -> None:
    graph, _ = transformed
    spec = tft.TFTransformOutput(str(graph)).transformed_feature_spec()

    integers = (features.CONTEXT_MOVIE_ID, features.CONTEXT_TIMESTAMP, features.TARGET_MOVIE_ID)
    for name in integers:
        assert spec[name] == tf.io.FixedLenFeature([3], tf.int64)
    for name in (features.CONTEXT_RATING, features.TARGET_RATING):
        assert spec[name] == tf.io.FixedLenFeature([3], tf.float32)
    assert spec[features.SEEN_MOVIE_ID] == tf.io.VarLenFeature(tf.int64)
    for name in (features.USER_ID, "user_gender_id", "user_age_id", "user_occupation_id"):
        assert spec[name] == tf.io.FixedLenFeature([1], tf.int64)
