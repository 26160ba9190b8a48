"""The Evaluator's configuration: metrics, slices, and the thresholds that are the gate.

Every threshold is a lower bound on the whole test split. NaN fails each of them, and so does a
metric that was not computed: what cannot be shown to be good is not blessed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import tensorflow_model_analysis as tfma

from modules.evaluation import metric_names, rank_features
from modules.evaluation.window_sums import RECALL_KS, REFERENCES
from pipeline.config.delivery import GateConfig

METRICS_MODULE = "modules.evaluation.metrics"
COVERAGE_MODULE = "modules.evaluation.coverage"
SLICE_FEATURES = (
    rank_features.POPULARITY_SEGMENT,
    rank_features.HISTORY_SEGMENT,
    rank_features.TARGET_GENRE,
    rank_features.TARGET_DECADE,
)

WINDOWS = "windows"
COVERAGE = "catalogue_coverage_at_10"
MARGIN_OVER_POPULARITY = "recall_margin_over_popularity_at_10"
CHANGE_FROM_BLESSED = "recall_change_from_blessed_at_10"

_VARIANT_METRICS = (
    ("VariantRecall", metric_names.recall_of),
    ("VariantRecallChange", metric_names.change_of_variant),
)


def build(config: GateConfig, *, source_hash: str, variants: Sequence[str] = ()) -> tfma.EvalConfig:
    """Returns the configuration of TFX's Evaluator for the gated `.tflite`.

    Further variants have metrics and no thresholds: one that is too bad is left out of the bundle
    and blocks nothing.

    Args:
        config: The gate's thresholds.
        variants: Those that were ranked beside the gated one and float32.
        source_hash: Of the evaluation's code, so that a change of it is evaluated again.
    """
    metrics = [
        _metric("WindowCount", WINDOWS, 1.0, source_hash=source_hash),
        *(
            _metric(
                "RecallAtK", f"recall_at_{k}", config.min_recall_at_10 if k == 10 else None, k=k
            )
            for k in RECALL_KS
        ),
        _metric("NdcgAtK", "ndcg_at_10"),
        _metric("MeanReciprocalRank", "mrr"),
        _metric("CatalogueCoverage", COVERAGE, config.min_catalogue_coverage),
        *(
            _metric("ReferenceRecall", metric_names.recall_of(name), reference=name)
            for name in REFERENCES
        ),
        _metric(
            "RecallMarginOverPopularity",
            MARGIN_OVER_POPULARITY,
            config.min_margin_over_popularity,
        ),
        _metric(
            "RecallChange",
            CHANGE_FROM_BLESSED,
            -config.max_drop_from_blessed,
            reference="blessed",
            optional=True,
        ),
        _metric(
            "RecallChange",
            metric_names.CHANGE_FROM_FLOAT32,
            -config.max_drop_from_float32,
            reference="float32",
        ),
        *(
            _metric(class_name, name_of(variant), variant=variant)
            for variant in variants
            for class_name, name_of in _VARIANT_METRICS
        ),
    ]
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(model_type="tf_lite", signature_name="serving_default")],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[name]) for name in SLICE_FEATURES),
        ],
    )


def judged_variants(config: tfma.EvalConfig) -> tuple[str, ...]:
    """Returns the further variants that a configuration has metrics of."""
    settings = (
        json.loads(metric.config) for spec in config.metrics_specs for metric in spec.metrics
    )
    return tuple(dict.fromkeys(one["variant"] for one in settings if "variant" in one))


def _metric(class_name: str, name: str, at_least: float | None = None, **settings: Any) -> Any:
    metric = tfma.MetricConfig(
        class_name=class_name,
        module=COVERAGE_MODULE if class_name == "CatalogueCoverage" else METRICS_MODULE,
        config=json.dumps({"name": name, **settings}, sort_keys=True),
    )
    if at_least is not None:
        # A plain `threshold` would be checked on every slice, small ones too.
        metric.per_slice_thresholds.append(
            tfma.PerSliceMetricThreshold(
                slicing_specs=[tfma.SlicingSpec()],
                threshold=tfma.MetricThreshold(
                    value_threshold=tfma.GenericValueThreshold(lower_bound={"value": at_least})
                ),
            )
        )
    return metric
