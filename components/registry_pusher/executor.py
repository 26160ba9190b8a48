"""Turns a blessed model's artifacts into a bundle and pushes it."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import logging
from tfx import types
from tfx.components.pusher import executor as pusher_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.registry_pusher.backends import open_pusher
from components.registry_pusher.bundle import BundleSource, write_bundle
from components.registry_pusher.catalogue import vocabulary_movies
from components.registry_pusher.conversion import read_conversion, read_movie_ids, read_variants
from components.registry_pusher.push import Pushed
from components.registry_pusher.shipping import left_out
from components.registry_pusher.tags import registry_tags, run_metrics
from components.tflite_converter.assets import read_assets
from modules import features
from modules.catalogue import read_catalogue
from modules.evaluation.results import Validation, load_metrics, load_validation
from modules.local_copy import local_copy
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.delivery import RegistryConfig
from pipeline.config.deployment import DeploymentConfig
from pipeline.config.root import Config, lay_over, validated
from pipeline.config.spans import has_spans
from pipeline.registry.training import TRAINING_PATH

BUNDLE_FOLDER = "bundle"

_COUNTS = (
    "release_format",
    "ratings_read",
    "ratings_kept",
    "rows_skipped",
    "users",
    "movies",
    "movies_listed",
    "timestamp_min",
    "timestamp_max",
    "train_events",
    "span",
    "spans",
)


class RegistryPusherExecutor(pusher_executor.Executor):
    """See `RegistryPusher`."""

    def Do(  # noqa: N802 - the name is TFX's
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed.

        Args:
            input_dict: See `RegistryPusherSpec`.
            output_dict: `pushed_model`.
            exec_properties: See `RegistryPusherSpec`.

        Raises:
            RegistryError: The artifacts are not what they say, or the registry refuses.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(output_dict["pushed_model"])
        evaluation = artifact_utils.get_single_instance(input_dict["evaluation"])
        validation = load_validation(evaluation.uri)
        # Two witnesses: the blessing itself, and the thresholds that it is made of.
        if not self.CheckBlessing(input_dict) or not validation.blessed:
            reason = not_pushed_reason(validation)
            logging.warning("NOT PUSHED: %s", reason)
            pushed_model.set_string_custom_property("not_pushed_reason", reason)
            self._MarkNotPushed(pushed_model)
            return
        config = RegistryConfig.model_validate_json(exec_properties["config"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        with (
            tempfile.TemporaryDirectory(prefix="pocketrec-push-") as scratch,
            local_copy(model.uri) as model_dir,
        ):
            source = self._collect(input_dict, exec_properties, validation, model_dir)
            bundle_dir = write_bundle(source, Path(scratch) / BUNDLE_FOLDER)
            pusher = open_pusher(
                tracking_uri=exec_properties["tracking_uri"],
                artifact_root=exec_properties["artifact_root"],
                container_image=exec_properties["container_image"],
                model=config.model_name,
            )
            tags = registry_tags(source, bundle_dir)
            training_dir = model_dir / TRAINING_PATH
            pushed = pusher.push(
                bundle_dir,
                tags=tags,
                metrics=run_metrics(source),
                training_dir=training_dir if training_dir.is_dir() else None,
            )
            io_utils.copy_dir(str(bundle_dir), f"{pushed_model.uri.rstrip('/')}/{BUNDLE_FOLDER}")
        self._mark(pushed_model, pushed, config.model_name, tags)

    def _mark(
        self, artifact: types.Artifact, pushed: Pushed, model: str, tags: Mapping[str, str]
    ) -> None:
        self._MarkPushed(
            artifact, pushed_destination=pushed.source, pushed_version=str(pushed.version)
        )
        artifact.set_int_custom_property("registry_version", pushed.version)
        artifact.set_string_custom_property("registry_model", model)
        if pushed.run_id:
            artifact.set_string_custom_property("registry_run_id", pushed.run_id)
        for name in ("encoder", "recall_at_10", "ndcg_at_10", "bytes"):
            artifact.set_string_custom_property(name, tags[name])
        logging.info("PUSHED: %s version %d, now champion", model, pushed.version)

    def _collect(
        self,
        input_dict: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
        validation: Validation,
        model_dir: Path,
    ) -> BundleSource:
        artifacts = {
            name: artifact_utils.get_single_instance(list(listed))
            for name, listed in input_dict.items()
        }
        conversion = read_conversion(model_dir)
        movie_ids, counts = read_vocabulary(vocabulary_path(artifacts["transform_graph"].uri))
        catalogue = read_catalogue(
            artifact_utils.get_split_uri([artifacts["examples"]], features.SPLIT_CATALOGUE)
        )
        settings = json.loads(exec_properties["pipeline_config"])
        # What the model was trained with, whoever chose it.
        lay_over(settings, conversion.hyperparameters, "the tuner's values")
        config = public_config(validated(Config, settings, "pipeline_config"))
        metrics = _without_nan(load_metrics(artifacts["evaluation"].uri))
        unfit = left_out(conversion, metrics, config.gate)
        for name, reason in unfit.items():
            logging.warning("LEFT OUT: variant %s: %s", name, reason)
        return BundleSource(
            conversion=conversion,
            variants={
                name: content
                for name, content in read_variants(model_dir, conversion).items()
                if name not in unfit
            },
            left_out=unfit,
            movies=vocabulary_movies(
                read_movie_ids(model_dir), movie_ids.tolist(), counts.tolist(), catalogue
            ),
            metrics=metrics,
            gate=[_check(verdict) for verdict in validation.verdicts],
            lineage=self._lineage(artifacts, exec_properties),
            config=config,
            dataset=_base_name(exec_properties["dataset"]),
            data_counts=counts_of(artifacts["examples"]),
            model_name=RegistryConfig.model_validate_json(exec_properties["config"]).model_name,
            assets=read_assets(model_dir),
        )

    def _lineage(
        self, artifacts: Mapping[str, types.Artifact], exec_properties: Mapping[str, Any]
    ) -> dict[str, Any]:
        context = self._context
        pipeline_info = context.pipeline_info if context else None
        return {
            "pipeline": pipeline_info.id if pipeline_info else None,
            "pipeline_run": context.pipeline_run_id if context else None,
            "pusher_source_hash": exec_properties["source_hash"],
            "artifacts": {
                name: {"mlmd_id": artifact.id, "type": artifact.type_name}
                for name, artifact in sorted(artifacts.items())
            },
        }


def not_pushed_reason(validation: Validation) -> str:
    """Returns why a model is not pushed, in one paragraph."""
    if validation.reasons:
        return "; ".join(validation.reasons)
    return "the Evaluator did not bless the model"


def public_config(config: Config) -> Config:
    """Returns the configuration without what concerns the place of the run alone.

    A bundle travels to devices: no paths, and no address that may hold a password.
    """
    return config.model_copy(
        update={
            "dataset": _base_name(config.dataset),
            "deployment": DeploymentConfig(),
            "registry": config.registry.model_copy(
                update={"tracking_uri": None, "artifact_root": None, "container_image": None}
            ),
        }
    )


def _check(verdict: Any) -> dict[str, Any]:
    bounds = [
        f"{sign} {bound:.4g}"
        for sign, bound in ((">=", verdict.lower_bound), ("<=", verdict.upper_bound))
        if bound is not None
    ]
    return {
        "metric": verdict.metric,
        "slice": verdict.slice,
        "value": _number(verdict.value),
        "threshold": ", ".join(bounds),
        "verdict": "passed" if verdict.passed else "failed",
    }


def _without_nan(
    metrics: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, float | None]]:
    return {
        name: {metric: _number(value) for metric, value in values.items()}
        for name, values in metrics.items()
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def counts_of(examples: types.Artifact) -> dict[str, int | float | str]:
    """Returns what ingestion counted, from the properties of its artifact.

    Kubeflow hands on every property as JSON, whose numbers are all doubles.
    """
    counts: dict[str, int | float | str] = {}
    for name in _COUNTS:
        if not examples.has_custom_property(name):
            continue
        value = examples.get_json_value_custom_property(name)
        if value is None:
            value = examples.get_custom_property(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        counts[name] = value
    return counts


def _base_name(dataset: str) -> str:
    parts = dataset.rstrip("/").split("/")
    # Of a pattern of spans, all that differs from span to span.
    first = next((at for at, part in enumerate(parts) if has_spans(part)), -1)
    return "/".join(parts[first:])
