"""Statistics and anomalies of TensorFlow Data Validation, through the gate."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.components.example_validator import executor as validator
from tfx.types import Artifact, artifact_utils, standard_artifacts
from tfx_bsl.coders import example_coder

import schema
from components.data_gate.checks import Problem, find_problems
from components.data_gate.executor import REPORT_FILE, Executor
from pipeline.config.spans import DriftConfig
from pipeline.errors import GateError

SCHEMA_FILE = Path(schema.__file__).parent / "schema.pbtxt"
SCHEMA = tfdv.load_schema_text(str(SCHEMA_FILE))

Values = Mapping[str, list[Any]]


def timeline(is_held_out: int = 0, /, **changes: list[Any]) -> dict[str, list[Any]]:
    """A clean timeline of three events; a change to [] takes the feature away."""
    clean: dict[str, list[Any]] = {
        "user_id": [1],
        "movie_id": [10, 20, 30],
        "rating": [0.5, 3.5, 5.0],
        "timestamp": [978300760, 978300761, 978300761],
        "first_target": [0],
        "held_out": [is_held_out],
    }
    return clean | changes


def statistics(examples: Sequence[Values]) -> statistics_pb2.DatasetFeatureStatisticsList:
    serialized = []
    for values in examples:
        example = tf.train.Example()
        for name, listed in values.items():
            if not listed:
                continue
            feature = example.features.feature[name]
            if isinstance(listed[0], float):
                feature.float_list.value.extend(listed)
            elif isinstance(listed[0], bytes):
                feature.bytes_list.value.extend(listed)
            else:
                feature.int64_list.value.extend(listed)
        serialized.append(example.SerializeToString())
    batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(serialized)
    return stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions())


CLEAN = {
    "train": [timeline(), timeline(user_gender=[b"F"], user_age=[25], user_occupation=[b"10"])],
    "eval": [timeline(1, first_target=[2])],
    "test": [timeline(1, first_target=[2])],
}


def judge(splits: Mapping[str, list[dict[str, list[Any]]]]) -> list[Problem]:
    found: dict[str, statistics_pb2.DatasetFeatureStatistics] = {}
    anomalies: dict[str, anomalies_pb2.Anomalies] = {}
    for split, examples in splits.items():
        listed = statistics(examples) if examples else _no_examples()
        found[split] = listed.datasets[0]
        anomalies[split] = tfdv.validate_statistics(listed, SCHEMA)
    return find_problems(found, anomalies, SCHEMA)


def _no_examples() -> statistics_pb2.DatasetFeatureStatisticsList:
    return statistics_pb2.DatasetFeatureStatisticsList(
        datasets=[statistics_pb2.DatasetFeatureStatistics()]
    )


def test_clean_timelines_pass_with_and_without_user_attributes() -> None:
    assert judge(CLEAN) == []


@pytest.mark.parametrize(
    ("change", "feature", "reason"),
    [
        (
            {"rating": [0.5, 3.5, 7.0]},
            "rating",
            "high value: 7.*FLOAT, at least 0.5 and at most 5.0",
        ),
        ({"rating": [0.0, 3.5, 5.0]}, "rating", "low values: 0<0.5"),
        ({"rating": [float("nan"), 3.5, 5.0]}, "rating", "NaN"),
        ({"rating": [1, 2, 3]}, "rating", "FLOAT"),
        ({"rating": []}, "rating", "completely missing"),
        ({"timestamp": [-1, 5, 6]}, "timestamp", "small value: -1.*at most 4102444799"),
        ({"timestamp": [978300760000] * 3}, "timestamp", "large value: 978300760000"),
        ({"movie_id": [-10, 20, 30]}, "movie_id", "small value: -10"),
        ({"held_out": [2]}, "held_out", "large value: 2"),
        ({"first_target": [0, 1]}, "first_target", "length 2.*not compatible"),
        ({"user_gender": [b"female"]}, "user_gender", "female"),
        ({"mood": [b"happy"]}, "mood", "(?i)new column|not in schema"),
    ],
)
def test_an_anomaly_is_named_with_split_feature_and_reason(
    change: dict[str, list[Any]], feature: str, reason: str
) -> None:
    problems = judge(CLEAN | {"train": [timeline(**change)]})

    assert {problem.split for problem in problems} == {"train"}
    [first, *_] = [problem for problem in problems if problem.feature == feature]
    assert re.search(reason, first.reason), first.reason
    assert first.remedy


def test_a_feature_that_some_timelines_lack_is_a_problem() -> None:
    [problem] = judge(CLEAN | {"train": [timeline(), timeline(first_target=[])]})
    assert (problem.split, problem.feature) == ("train", "first_target")


def test_a_missing_feature_and_a_new_one_have_their_own_ways_out() -> None:
    problems = {
        problem.feature: problem.remedy
        for problem in judge(CLEAN | {"eval": [timeline(1, rating=[], mood=[b"happy"])]})
    }

    assert "has the feature" in problems["rating"]
    assert "describe it in schema/schema.pbtxt" in problems["mood"]


@pytest.mark.parametrize("split", ["train", "eval", "test"])
def test_a_split_without_examples_is_a_problem(split: str) -> None:
    [problem] = judge(CLEAN | {split: []})
    assert (problem.split, problem.reason) == (split, "the split holds no examples")

    [problem] = judge({name: examples for name, examples in CLEAN.items() if name != split})
    assert (problem.split, problem.reason) == (split, "the split holds no examples")


def test_a_split_that_was_not_validated_is_a_problem() -> None:
    found = {split: statistics(examples).datasets[0] for split, examples in CLEAN.items()}

    problems = find_problems(found, {}, SCHEMA)

    assert [problem.reason for problem in problems] == ["the split was not validated"] * 3


def test_lists_of_different_lengths_are_a_problem() -> None:
    [problem] = judge(CLEAN | {"test": [timeline(1, timestamp=[978300760])]})
    assert problem.feature == "timestamp"
    assert "holds 1 values, while movie_id holds 3" in problem.reason


def test_mixed_up_splits_are_a_problem() -> None:
    [problem] = judge(CLEAN | {"train": [timeline(0), timeline(1)]})
    assert (problem.split, problem.feature) == ("train", "held_out")
    assert "ranges from 0 to 1, must be 0" in problem.reason


def run_gate(root: Path, splits: Mapping[str, Sequence[Values]]) -> Artifact:
    """Lays artifacts out as StatisticsGen does, validates with ExampleValidator, runs the gate."""

    def artifact(kind: type, name: str, listed: bool = True) -> Artifact:
        made = kind()
        made.uri = str(root / name)
        (root / name).mkdir(parents=True)
        if listed:
            made.split_names = artifact_utils.encode_split_names(list(splits))
        return made

    found = artifact(standard_artifacts.ExampleStatistics, "statistics")
    found.set_string_custom_property("tfx_version", "1.16.0")
    for split, examples in splits.items():
        folder = root / "statistics" / f"Split-{split}"
        folder.mkdir()
        (folder / "FeatureStats.pb").write_bytes(statistics(examples).SerializeToString())
    judged_by = artifact(standard_artifacts.Schema, "schema", listed=False)
    (root / "schema" / "schema.pbtxt").write_bytes(SCHEMA_FILE.read_bytes())
    anomalies = artifact(standard_artifacts.ExampleAnomalies, "anomalies")
    validator.Executor().Do(
        {"statistics": [found], "schema": [judged_by]},
        {"anomalies": [anomalies]},
        {"exclude_splits": '["span_newest", "span_before"]'},
    )
    report = artifact(standard_artifacts.ExampleAnomalies, "report", listed=False)
    Executor().Do(
        {"statistics": [found], "anomalies": [anomalies], "schema": [judged_by]},
        {"report": [report]},
        {"drift": DriftConfig().model_dump_json(), "source_hash": "0"},
    )
    return report


def test_executor_reports_a_passed_gate(tmp_path: Path) -> None:
    report = run_gate(tmp_path, CLEAN)

    content = json.loads((Path(report.uri) / REPORT_FILE).read_text())
    assert content == {
        "verdict": "passed",
        "examples": {"eval": 1, "test": 1, "train": 2},
        "drift": "not compared: the data set has no two spans",
    }
    assert report.get_string_custom_property("drift") == content["drift"]
    assert artifact_utils.decode_split_names(report.split_names) == ["eval", "test", "train"]


def test_executor_stops_the_run_and_names_every_problem(tmp_path: Path) -> None:
    bad = CLEAN | {"train": [timeline(rating=[1.0, 2.0, 7.0])], "eval": [timeline(1, mood=[1])]}

    with pytest.raises(GateError) as raised:
        run_gate(tmp_path, bad)

    message = str(raised.value)
    assert "2 problem(s)" in message
    assert "split 'train', feature 'rating'" in message
    assert "split 'eval', feature 'mood'" in message
    assert "Way out: " in message
    assert list((tmp_path / "report").iterdir()) == []
