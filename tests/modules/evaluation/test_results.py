from __future__ import annotations

import math
from pathlib import Path

import pytest
import tensorflow_model_analysis as tfma

from modules.evaluation import eval_config
from modules.evaluation.results import Verdict, load_metrics, load_validation
from pipeline.config.delivery import GateConfig
from tests.modules.evaluation.gate_bench import World


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a good model that misses one floor, with a metric that nothing computes."""
    world = World.make(tmp_path_factory.mktemp("world"), users=60)
    good = world.model("good", world.scores())
    gate = GateConfig(min_recall_at_10=0.99)
    config = eval_config.build(gate, source_hash="x")
    bound = tfma.GenericValueThreshold(lower_bound={"value": 0.5})
    config.metrics_specs[0].thresholds["recall_at_11"].CopyFrom(
        tfma.MetricThreshold(value_threshold=bound)
    )
    blessed, found = world.evaluate(good, world.rank(good, gate=gate), config)
    assert not blessed
    return found


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
