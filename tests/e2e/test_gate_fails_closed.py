"""Models that must not ship, and one that must: what the gate says of each.

The models are real `.tflite` files in the real interpreter, the ranks come from the component's
executor. Every case is judged by the Evaluator's metrics and TFMA's validator. A good model and a
missing metric go through TFX's Evaluator always, the other cases, whose Beam pipelines take seconds
each, in the slow suite.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow_model_analysis as tfma

from modules.evaluation import eval_config
from pipeline.config.delivery import GateConfig
from pipeline.errors import GateError
from tests.modules.evaluation.gate_bench import World, table_model

FLOOR = "recall_at_10"
COVERAGE = "catalogue_coverage_at_10"
MARGIN = "recall_margin_over_popularity_at_10"
FROM_BLESSED = "recall_change_from_blessed_at_10"
FROM_FLOAT32 = "recall_change_from_float32_at_10"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.make(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def good(world: World) -> Path:
    return world.model("good", world.scores())


@dataclasses.dataclass(frozen=True)
class Case:
    """A model that must not ship.

    Attributes:
        make: Writes it.
        failures: The thresholds that it fails.
    """

    make: Callable[[World, str], Path]
    failures: list[str]


def _shuffled_targets(world: World, name: str) -> Path:
    """Trained on pairs whose targets were shuffled: all that is left is popularity."""
    rng = np.random.default_rng(5)
    pairs = np.array([p for walk in world.histories for p in itertools.pairwise(walk[:-2])])
    table = rng.random((world.movies + 1, world.movies + 1)).astype(np.float32) / 10
    np.add.at(table, (pairs[:, 0], rng.permutation(pairs[:, 1])), 1)
    table[:, 0] = -1e9
    return world.model(name, table)


def _nan_weights(world: World, name: str) -> Path:
    return world.model(name, np.full_like(world.scores(), np.nan))


def _some_nan_weights(world: World, name: str) -> Path:
    table = world.scores()
    table[1::2] = np.nan
    return world.model(name, table)


def _constant_scores(world: World, name: str) -> Path:
    return world.model(name, np.full_like(world.scores(), 0.25))


def _vocabulary_off_by_one(world: World, name: str) -> Path:
    """Answers with the place in the vocabulary file, counted from 0."""
    return world.model(name, np.roll(world.scores(), -1, axis=1).astype(np.float32))


def _broken_quantization(world: World, name: str) -> Path:
    """The rows of every other movie got another movie's codes; float32 is as good as ever."""
    table = world.scores()
    table[2::2] = np.roll(table[2::2], 1, axis=0)
    return world.model(name, table, float32=table_model(world.scores(), world.length))


def _worse_than_blessed(world: World, name: str) -> Path:
    """Far better than popularity, its int8 as good as its float32, and yet a step back."""
    return world.model(name, world.scores(forgotten=0.2))


CASES = {
    "shuffled targets": Case(_shuffled_targets, [MARGIN, FROM_BLESSED]),
    "NaN weights": Case(_nan_weights, [COVERAGE, MARGIN, FROM_BLESSED]),
    "some NaN weights": Case(_some_nan_weights, [FROM_BLESSED]),
    "constant scores": Case(_constant_scores, [MARGIN, FROM_BLESSED]),
    "vocabulary off by one": Case(_vocabulary_off_by_one, [MARGIN, FROM_BLESSED]),
    "broken quantization": Case(_broken_quantization, [FROM_BLESSED, FROM_FLOAT32]),
    "worse than the blessed model": Case(_worse_than_blessed, [FROM_BLESSED]),
}


@pytest.mark.parametrize("name", CASES)
def test_not_blessed(world: World, good: Path, name: str) -> None:
    candidate = CASES[name].make(world, f"{name}, fast")
    assert world.failures(candidate, blessed=good) == CASES[name].failures


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_not_blessed_by_the_evaluator(world: World, good: Path, name: str) -> None:
    candidate = CASES[name].make(world, f"{name}, evaluator")
    assert world.failures(candidate, blessed=good, evaluator=True) == CASES[name].failures


def test_a_good_model_is_blessed_by_the_evaluator(world: World, good: Path) -> None:
    assert world.failures(good, evaluator=True) == []


def test_a_missing_metric_is_not_blessed_by_the_evaluator(world: World, good: Path) -> None:
    config = eval_config.build(GateConfig(), source_hash="x")
    bound = tfma.GenericValueThreshold(lower_bound={"value": 0.0})
    config.metrics_specs[0].thresholds["recall_at_11"].CopyFrom(
        tfma.MetricThreshold(value_threshold=bound)
    )
    assert world.failures(good, config=config, evaluator=True) == ["recall_at_11"]


@pytest.mark.parametrize("gone", ["RecallMarginOverPopularity", "CatalogueCoverage", "WindowCount"])
def test_a_metric_without_a_value_is_not_blessed(
    world: World, good: Path, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = eval_config.build(GateConfig(), source_hash="x")
    (metric,) = [m for m in config.metrics_specs[0].metrics if m.class_name == gone]
    name = tfma.metrics.metric_specs.metric_instance(metric).name
    monkeypatch.setattr(f"{metric.module}.{gone}.computations", lambda *_, **__: [])
    assert world.failures(good, config=config) == [name]


def test_an_improvement_is_blessed_against_the_blessed_model(world: World, good: Path) -> None:
    worse = world.model("blessed before", world.scores(forgotten=0.2))
    assert world.failures(good, blessed=worse) == []


def test_the_same_model_in_another_vocabulary_is_no_worse(world: World, good: Path) -> None:
    """The blessed model orders its movies otherwise, and takes a shorter history."""
    order = np.random.default_rng(3).permutation(world.movies)
    source = np.concatenate([[0], order + 1])
    blessed = world.model("reordered", world.scores(), movie_ids=world.movie_ids[order])
    (blessed / "conversion.json").write_text('{"history": {"length": 3, "min_rating": 0.0}}')
    tflite = table_model(world.scores()[np.ix_(source, source)], length=3)
    (blessed / "Format-Serving" / "tflite").write_bytes(tflite)
    exact = GateConfig(max_drop_from_blessed=0.0)
    assert world.failures(good, blessed=blessed, gate=exact) == []
    # It is compared in earnest: read by the candidate's vocabulary it would be beaten by far.
    half = world.model("half", world.scores(forgotten=0.05))
    assert world.failures(half, blessed=blessed, gate=exact) == [FROM_BLESSED]


def test_a_floor_under_the_recall(world: World, good: Path) -> None:
    assert world.failures(good, gate=GateConfig(min_recall_at_10=0.99)) == [FLOOR]


def test_a_shifted_vocabulary_file_stops_the_run(world: World) -> None:
    shifted = np.roll(world.movie_ids, 1)
    candidate = world.model("shifted", world.scores(), movie_ids=shifted)
    with pytest.raises(GateError, match="first difference in line 1"):
        world.failures(candidate)


def test_a_gated_file_that_would_not_ship_stops_the_run(world: World) -> None:
    candidate = world.model("swapped", world.scores())
    (candidate / "variants" / "int8.tflite").write_bytes(b"another")
    (candidate / "variants" / "float32.tflite").write_bytes(b"another")
    with pytest.raises(GateError, match="none of the variants that would ship"):
        world.failures(candidate)


@pytest.mark.parametrize("damage", ["gone", "no model", "no report"])
def test_an_unreadable_blessed_model_stops_the_run(
    world: World, good: Path, damage: str, tmp_path: Path
) -> None:
    blessed = tmp_path / "blessed"
    if damage != "gone":
        blessed = world.model(f"blessed, {damage}", world.scores())
    if damage == "no model":
        (blessed / "Format-Serving" / "tflite").write_bytes(b"not a model")
    if damage == "no report":
        (blessed / "conversion.json").write_text("{}")
    with pytest.raises(GateError, match=r"--set gate\.ignore_blessed=true"):
        world.failures(good, blessed=blessed)
    assert world.failures(good, blessed=blessed, gate=GateConfig(ignore_blessed=True)) == []
