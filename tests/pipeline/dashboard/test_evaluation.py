"""The page's view of a real evaluation, made by TFX's Evaluator."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.evaluation import eval_config
from pipeline.config.delivery import GateConfig
from pipeline.dashboard.evaluation import read_evaluation
from pipeline.dashboard.readers import UnreadableError
from tests.modules.evaluation.gate_bench import World


def test_slices_thresholds_and_verdicts_in_reading_order(tmp_path: Path) -> None:
    world = World.make(tmp_path, users=40)
    good = world.model("good", world.scores())
    gate = GateConfig(min_recall_at_10=1.0, min_catalogue_coverage=0.0)
    config = eval_config.build(gate, source_hash="x")
    _, uri = world.evaluate(good, world.rank(good, gate=gate), config)
    found = read_evaluation(str(uri))
    names = list(found.slices)
    assert names[0] == "overall"
    segments = [name for name in names if name.startswith("popularity_segment")]
    order = [f"popularity_segment={segment}" for segment in ("head", "torso", "tail")]
    assert segments == [name for name in order if name in segments]
    assert len(segments) > 1
    recalls = [name for name in found.slices["overall"] if name.startswith("recall_at_")]
    plain = [name for name in recalls if name.count("_") == 2]
    assert plain == ["recall_at_1", "recall_at_5", "recall_at_10", "recall_at_50"]
    assert not found.blessed
    verdicts = {threshold.metric: threshold for threshold in found.thresholds}
    coverage, recall = verdicts["catalogue_coverage_at_10"], verdicts["recall_at_10"]
    assert (coverage.passed, coverage.bound, coverage.reason) == (True, "at least 0", "")
    assert coverage.value == found.slices["overall"]["catalogue_coverage_at_10"]
    assert (recall.passed, recall.bound) == (False, "at least 1")
    assert "must be at least 1" in recall.reason
    assert recall.value is not None
    assert recall.margin == recall.value - 1.0


def test_a_missing_evaluation_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"absent: no readable evaluation"):
        read_evaluation(str(tmp_path / "absent"))
