from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import tensorflow_model_analysis as tfma

from modules.evaluation import eval_config
from modules.evaluation.ranking import MISS
from pipeline.config.delivery import GateConfig
from tests.modules.evaluation.gate_bench import compute

THRESHOLDS = {
    "windows": 1.0,
    "recall_at_10": 0.2,
    "catalogue_coverage_at_10": 0.03,
    "recall_margin_over_popularity_at_10": 0.02,
    "recall_change_from_blessed_at_10": -0.004,
    "recall_change_from_float32_at_10": -0.006,
}
CONFIG = GateConfig(
    min_recall_at_10=0.2,
    min_catalogue_coverage=0.03,
    min_margin_over_popularity=0.02,
    max_drop_from_blessed=0.004,
    max_drop_from_float32=0.006,
)


def window(
    model: int,
    popularity: int = MISS,
    recent: int = MISS,
    float32: int = MISS,
    blessed: int = 0,
    shown: tuple[int, ...] = (),
    **variants: int,
) -> dict[str, Any]:
    return {
        **{f"rank_variant_{name}": np.array([rank]) for name, rank in variants.items()},
        "rank_model": np.array([model]),
        "rank_popularity": np.array([popularity]),
        "rank_recent_popularity": np.array([recent]),
        "rank_float32": np.array([float32]),
        "rank_blessed": np.array([blessed]),
        "recommended_movie_id": np.array([*shown, *[0] * (10 - len(shown))]),
        "catalogue_size": np.array([8]),
    }


def metrics_of(windows: list[dict[str, Any]], *variants: str) -> dict[str, float]:
    config = eval_config.build(CONFIG, source_hash="x", variants=variants)
    instances = [
        tfma.metrics.metric_specs.metric_instance(m) for m in config.metrics_specs[0].metrics
    ]
    found = compute(instances, windows)
    return {key.name: value for key, value in found.items() if not key.name.startswith("_")}


def test_every_metric_by_hand() -> None:
    found = metrics_of(
        [
            window(1, popularity=1, recent=10, float32=1, blessed=11, shown=(1, 2)),
            window(4, popularity=11, recent=10, float32=1, blessed=MISS, shown=(2, 3)),
            window(11, popularity=5, recent=10, float32=10, blessed=1, shown=(2,)),
            window(MISS, popularity=50, recent=50, float32=2, blessed=2),
        ]
    )
    assert found == pytest.approx(
        {
            "windows": 4,
            "recall_at_1": 0.25,
            "recall_at_5": 0.5,
            "recall_at_10": 0.5,
            "recall_at_50": 0.75,
            "ndcg_at_10": (1 + 1 / math.log2(5)) / 4,
            "mrr": (1 + 1 / 4 + 1 / 11) / 4,
            "catalogue_coverage_at_10": 3 / 8,
            "recall_at_10_popularity": 0.5,
            "recall_at_10_recent_popularity": 0.75,
            "recall_at_10_float32": 1.0,
            "recall_at_10_blessed": 0.5,
            "recall_margin_over_popularity_at_10": -0.25,
            "recall_change_from_blessed_at_10": 0.0,
            "recall_change_from_float32_at_10": -0.5,
        }
    )


def test_without_a_blessed_model_the_change_is_zero() -> None:
    found = metrics_of([window(1), window(20)])
    assert found["recall_change_from_blessed_at_10"] == 0
    assert "recall_at_10_blessed" not in found


def test_a_blessed_model_that_ranked_a_part_of_the_windows_gives_nan() -> None:
    found = metrics_of([window(1, blessed=1), window(1, blessed=0)])
    assert math.isnan(found["recall_change_from_blessed_at_10"])


def test_a_missing_reference_gives_nan() -> None:
    found = metrics_of([window(1, popularity=0), window(1)])
    assert math.isnan(found["recall_margin_over_popularity_at_10"])
    found = metrics_of([window(1, float32=0)])
    assert math.isnan(found["recall_change_from_float32_at_10"])


def test_without_windows_everything_is_nan() -> None:
    found = metrics_of([])
    assert found.pop("windows") == 0
    assert all(math.isnan(value) for value in found.values())


def test_further_variants_are_measured_beside_the_gated_one() -> None:
    windows = [
        window(1, float32=1, int4=10, float16=1),
        window(1, float32=2, int4=11, float16=10),
        window(1, float32=10, int4=MISS, float16=11),
        window(MISS, float32=11, int4=1, float16=3),
    ]
    found = metrics_of(windows, "int4", "float16")
    assert found["recall_at_10"] == 0.75
    assert found["recall_at_10_float32"] == 0.75
    assert found["recall_at_10_int4"] == 0.5
    assert found["recall_change_of_int4_from_float32_at_10"] == -0.25
    assert found["recall_at_10_float16"] == 0.75
    assert found["recall_change_of_float16_from_float32_at_10"] == 0
    assert {*found} - {*metrics_of(windows)} == {
        "recall_at_10_int4",
        "recall_at_10_float16",
        "recall_change_of_int4_from_float32_at_10",
        "recall_change_of_float16_from_float32_at_10",
    }


def test_a_variant_that_was_not_made_has_metrics_without_a_value() -> None:
    found = metrics_of([window(1, float32=1, int4=0), window(1, float32=1, int4=0)], "int4")
    assert math.isnan(found["recall_at_10_int4"])
    assert math.isnan(found["recall_change_of_int4_from_float32_at_10"])
    assert found["recall_change_from_float32_at_10"] == 0


def test_further_variants_have_no_thresholds_and_are_found_again() -> None:
    config = eval_config.build(CONFIG, source_hash="x", variants=("int4", "float16"))
    thresholds = tfma.metrics.metric_specs.metric_thresholds_from_metrics_specs(
        config.metrics_specs, config
    )
    assert {key.name for key in thresholds} == {*THRESHOLDS}
    assert eval_config.judged_variants(config) == ("int4", "float16")
    assert eval_config.judged_variants(eval_config.build(CONFIG, source_hash="x")) == ()


def test_thresholds_are_lower_bounds_on_the_whole_split() -> None:
    config = eval_config.build(CONFIG, source_hash="x")
    thresholds = tfma.metrics.metric_specs.metric_thresholds_from_metrics_specs(
        config.metrics_specs, config
    )
    found = {}
    for key, ((slicing, threshold),) in thresholds.items():
        assert slicing == tfma.SlicingSpec()
        assert not threshold.HasField("upper_bound")
        found[key.name] = threshold.lower_bound.value
    assert found == THRESHOLDS


def test_changed_code_changes_the_configuration() -> None:
    one, two = (eval_config.build(CONFIG, source_hash=text) for text in ("one", "two"))
    assert one != two
    assert one == eval_config.build(CONFIG, source_hash="one")


def test_no_metric_is_hidden_by_one_of_tfma() -> None:
    config = eval_config.build(CONFIG, source_hash="x", variants=("int4",))
    for metric in config.metrics_specs[0].metrics:
        instance = tfma.metrics.metric_specs.metric_instance(metric)
        assert type(instance).__module__ == metric.module
        assert instance.name == json.loads(metric.config)["name"]
