from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx_bsl.coders import example_coder
from tfx_bsl.public import tfxio

from modules import features
from schema import renew


def _statistics(rating: float, **attributes: bytes) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of one timeline with two events."""
    example = tf.train.Example()
    feature = example.features.feature
    feature[features.MOVIE_ID].int64_list.value.extend([10, 20])
    feature[features.RATING].float_list.value.extend([3.0, rating])
    feature[features.TIMESTAMP].int64_list.value.extend([100, 200])
    for name in (features.USER_ID, features.FIRST_TARGET, features.HELD_OUT):
        feature[name].int64_list.value.append(0)
    for name, value in attributes.items():
        feature[name].bytes_list.value.append(value)
    batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch([example.SerializeToString()])
    return stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions())


def _artifact(folder: Path, splits: dict[str, statistics_pb2.DatasetFeatureStatisticsList]) -> Path:
    for split, statistics in splits.items():
        (folder / f"Split-{split}").mkdir(parents=True)
        (folder / f"Split-{split}" / "FeatureStats.pb").write_bytes(statistics.SerializeToString())
    return folder


def test_curated_schema_describes_the_timeline_features() -> None:
    schema = tfdv.load_schema_text(str(renew.CURATED))

    kinds = {feature.name: schema_pb2.FeatureType.Name(feature.type) for feature in schema.feature}
    assert kinds == {
        features.USER_ID: "INT",
        features.MOVIE_ID: "INT",
        features.RATING: "FLOAT",
        features.TIMESTAMP: "INT",
        features.FIRST_TARGET: "INT",
        features.HELD_OUT: "INT",
        features.USER_GENDER: "BYTES",
        features.USER_AGE: "INT",
        features.USER_OCCUPATION: "BYTES",
    }


def test_lists_reach_transform_ragged_and_single_values_dense() -> None:
    schema = tfdv.load_schema_text(str(renew.CURATED))

    specs = tfxio.TFExampleRecord("unused", ["test"], schema=schema).TensorAdapter().TypeSpecs()

    for name in (features.MOVIE_ID, features.RATING, features.TIMESTAMP):
        assert isinstance(specs[name], tf.RaggedTensorSpec)
    for name in (features.USER_ID, features.FIRST_TARGET, features.HELD_OUT):
        assert specs[name] == tf.TensorSpec([None, 1], tf.int64)


def test_renewing_by_data_that_fits_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statistics = _artifact(tmp_path / "statistics", {"train": _statistics(5.0)})
    output = tmp_path / "proposed.pbtxt"

    status = renew.main(["--statistics", str(statistics), "--output", str(output)])

    assert status == 0
    assert "no change" in capsys.readouterr().out
    assert tfdv.load_schema_text(str(output)) == tfdv.load_schema_text(str(renew.CURATED))


def test_renewing_loosens_what_new_data_contradicts_and_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = {"train": _statistics(10.0), "eval": _statistics(5.0, mood=b"happy")}
    statistics = _artifact(tmp_path / "statistics", new)
    output = tmp_path / "proposed.pbtxt"

    status = renew.main(["--statistics", str(statistics), "--output", str(output)])

    assert status == 0
    printed = capsys.readouterr().out
    assert '+  name: "mood"' in printed
    renewed = tfdv.load_schema_text(str(output))
    for split in new.values():
        assert not tfdv.validate_statistics(split, renewed).anomaly_info
    # The curated schema stands as it was: the proposal is a file of its own.
    assert tfdv.validate_statistics(
        new["train"], tfdv.load_schema_text(str(renew.CURATED))
    ).anomaly_info
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["proposed.pbtxt"]


def test_renewing_without_statistics_says_where_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = renew.main(["--statistics", str(tmp_path), "--output", str(tmp_path / "out.pbtxt")])

    assert status == 2
    assert "artifacts/statistics_gen/statistics" in capsys.readouterr().err
    assert not (tmp_path / "out.pbtxt").exists()
