from __future__ import annotations

import math
from pathlib import Path

import pytest
import tensorflow_model_analysis as tfma

from modules.evaluation import eval_config
from modules.evaluation.results import Verdict, load_metrics, load_validation
from pipeline.config.delivery import GateConfig
from tests.modules.evaluation.gate_bench import World, read_ranked, table_model


@pytest.fixture(scope="module")
def ranked_and_evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Of a good model that misses one floor, with a metric that nothing computes.

    Its int4 variant forgot every successor.
    """
    world = World.make(tmp_path_factory.mktemp("world"), users=60)
    forgetful = table_model(world.scores(forgotten=1.0), world.length)
    good = world.model("good", world.scores(), further={"int4": forgetful})
    gate = GateConfig(min_recall_at_10=0.99)
    config = eval_config.build(gate, source_hash="x", variants=["int4"])
    bound = tfma.GenericValueThreshold(lower_bound={"value": 0.5})
    config.metrics_specs[0].thresholds["recall_at_11"].CopyFrom(
        tfma.MetricThreshold(value_threshold=bound)
    )
    ranked = world.rank(good, gate=gate, variants=["int4"])
    blessed, found = world.evaluate(good, ranked, config)
    assert not blessed
    return ranked.uri, found


@pytest.fixture(scope="module")
def evaluation(ranked_and_evaluated: tuple[str, Path]) -> Path:
    return ranked_and_evaluated[1]


def test_a_further_variant_is_measured_on_every_slice(
    ranked_and_evaluated: tuple[str, Path],
) -> None:
    examples, evaluation = ranked_and_evaluated
    found = load_metrics(str(evaluation))
    windows = read_ranked(examples)
    for name in ("overall", "popularity_segment=head", "popularity_segment=tail"):
        of_slice = [
            window
            for window in windows
            if name == "overall"
            or window["popularity_segment"].bytes_list.value[0].decode() == name.split("=")[1]
        ]
        recall = {
            variant: sum(window[f"rank_{variant}"].int64_list.value[0] <= 10 for window in of_slice)
            / len(of_slice)
            for variant in ("float32", "variant_int4")
        }
        assert found[name]["recall_at_10_int4"] == pytest.approx(recall["variant_int4"])
        assert found[name]["recall_change_of_int4_from_float32_at_10"] == pytest.approx(
            recall["variant_int4"] - recall["float32"]
        )
        assert found[name]["recall_change_from_float32_at_10"] == 0
        assert recall["variant_int4"] < recall["float32"] - 0.2


def test_metrics_by_slice(evaluation: Path) -> None:
    found = load_metrics(str(evaluation))
    slices = list(found)
    assert slices[0] == "overall"
    assert slices[1:] == sorted(slices[1:])
    assert {"history_segment=1-9", "popularity_segment=head"} <= set(slices)
    assert found["overall"]["windows"] == 60
    segments = [name for name in slices if name.startswith("popularity_segment=")]
    assert sum(found[name]["windows"] for name in segments) == 60
    # Every movie of this world is a drama, so the slice is everything; the even ones have no year.
    assert found["target_genre=Drama"] == found["overall"]
    even = found["target_genre=Comedy"]
    assert 0 < even["windows"] < 60
    assert even == found["target_decade=unknown"]
    assert found["target_decade=1990s"]["windows"] == 60 - even["windows"]
    weighted = sum(found[name]["recall_at_10"] * found[name]["windows"] for name in segments)
    assert weighted / 60 == pytest.approx(found["overall"]["recall_at_10"])
    assert not [name for name in found["overall"] if name.startswith("_")]


def test_validation_tells_every_threshold_and_why(evaluation: Path) -> None:
    validation = load_validation(str(evaluation))
    assert not validation.blessed
    verdicts = {verdict.metric: verdict for verdict in validation.verdicts}
    assert len(verdicts) == 7
    assert {name for name, verdict in verdicts.items() if not verdict.passed} == {
        "recall_at_10",
        "recall_at_11",
    }
    recall = verdicts["recall_at_10"]
    assert recall.lower_bound == 0.99
    assert recall.value == load_metrics(str(evaluation))["overall"]["recall_at_10"]
    assert verdicts["recall_at_11"].value is None
    missing, low = validation.reasons
    assert missing == "recall_at_11 was not computed, but must be at least 0.5"
    assert low.startswith("recall_at_10 (share of test windows")
    assert low.endswith("but must be at least 0.99")


def test_reason_of_a_value_that_is_no_number() -> None:
    verdict = Verdict("mrr", "history_segment=1-9", 0.1, None, math.nan, passed=False)
    assert verdict.reason == "mrr is nan on history_segment=1-9, but must be at least 0.1"


def test_reason_of_a_passed_threshold_with_two_bounds() -> None:
    verdict = Verdict("mrr", "overall", 0.1, 0.9, 0.25, passed=True)
    assert verdict.reason == "mrr is 0.25, required at least 0.1 and at most 0.9"
