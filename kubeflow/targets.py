"""Where a compiled pipeline runs: addresses that its steps can reach; imports no TFX."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from pipeline.config.root import Config
from pipeline.errors import ConfigError
from pipeline.naming import pipeline_name
from pipeline.registry import vertex_address

Target = Literal["kubeflow", "vertex"]
TARGETS: tuple[Target, ...] = ("kubeflow", "vertex")

DEFAULT_IMAGE = "pocketrec:0.1.0"
IMAGE_HOME = "/opt/pocketrec"
"""Where the container image holds a checkout of the project, installed in its Python."""
CHECKPOINT_ROOT = f"{IMAGE_HOME}/checkpoints"
"""A file system, as checkpoints need one: a volume mounted there outlives the container."""

# What a cluster with a stock Kubeflow Pipelines has: its own object store, reached as S3; and
# MLflow under its usual service name. Vertex AI has neither, so there both must be given.
_DEFAULT_ROOTS: Mapping[Target, str] = {"kubeflow": "s3://mlpipeline/pocketrec"}
_DEFAULT_TRACKING: Mapping[Target, str] = {"kubeflow": "http://mlflow:5000"}
_ROOT_SCHEMES: Mapping[Target, tuple[str, ...]] = {
    "kubeflow": ("s3", "gs"),
    "vertex": ("gs",),
}
_LOCAL_TRACKING = ("", "file", "sqlite")


@dataclasses.dataclass(frozen=True)
class Settings:
    """One deployment of the pipeline.

    Attributes:
        name: The pipeline's name: lower case letters, digits and dashes.
        image: Container image of every step.
        pipeline_root: Object storage URI that the steps read and write; no slash at the end.
        input_base: URI of the release, or its path inside the image.
        tracking_uri: The model registry: an MLflow server, or `vertex://PROJECT/REGION`.
        registry_artifacts: URI of the folder in which a new registry keeps the bundles.
        schema_file: Path of the schema inside the image.
    """

    name: str
    image: str
    pipeline_root: str
    input_base: str
    tracking_uri: str
    registry_artifacts: str
    schema_file: str = f"{IMAGE_HOME}/schema/schema.pbtxt"


def settings(
    config: Config,
    target: Target,
    *,
    image: str | None = None,
    pipeline_root: str | None = None,
    tracking_uri: str | None = None,
) -> Settings:
    """Chooses and checks the addresses of a deployment.

    Args:
        config: All settings of the pipeline. A release's name as `dataset` means the folder of that
            name under `PIPELINE_ROOT/data`.
        target: The backend.
        image: Container image; default `DEFAULT_IMAGE`.
        pipeline_root: Default on Kubeflow: the bucket of its own object store.
        tracking_uri: Default: the configuration's; on Kubeflow then `http://mlflow:5000`.

    Raises:
        ConfigError: An address is missing, or the steps could not reach it.
    """
    root = _pipeline_root(target, pipeline_root)
    chosen = Settings(
        name=pipeline_name(config),
        image=image or DEFAULT_IMAGE,
        pipeline_root=root,
        input_base=_input_base(config.dataset, root),
        tracking_uri=_tracking_uri(target, tracking_uri or config.registry.tracking_uri),
        registry_artifacts=config.registry.artifact_root or f"{root}/registry",
    )
    if vertex_address.is_vertex(chosen.tracking_uri):
        try:
            vertex_address.check_place(
                chosen.tracking_uri,
                model=config.registry.model_name,
                artifact_root=chosen.registry_artifacts,
                container_image=config.registry.container_image or chosen.image,
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None
    return chosen


def _pipeline_root(target: Target, given: str | None) -> str:
    schemes = _ROOT_SCHEMES[target]
    allowed = " or ".join(f"{scheme}://BUCKET/FOLDER" for scheme in schemes)
    root = given or _DEFAULT_ROOTS.get(target)
    if root is None:
        raise ConfigError(
            f"--target {target} needs --pipeline-root {allowed}: where its steps read and write"
        )
    parts = urlsplit(root)
    if parts.scheme not in schemes or not parts.netloc:
        raise ConfigError(
            f"--pipeline-root {root!r}: the steps of a {target} run share object storage, "
            f"so it must look like {allowed}"
        )
    return root.rstrip("/")


def _tracking_uri(target: Target, given: str | None) -> str:
    uri = given or _DEFAULT_TRACKING.get(target)
    if uri is None:
        raise ConfigError(
            f"--target {target} needs --tracking-uri, which keeps the models: "
            f"{vertex_address.LOOKS_LIKE} for Vertex AI's own registry, or an MLflow server "
            "(or registry.tracking_uri in the configuration)"
        )
    if urlsplit(uri).scheme in _LOCAL_TRACKING:
        raise ConfigError(
            f"--tracking-uri {uri!r}: lies on a container's own disk, which is gone with the step; "
            "name an MLflow server, e.g. http://mlflow:5000"
        )
    return uri


def _input_base(dataset: str, root: str) -> str:
    if "://" in dataset or dataset.startswith("/"):
        return dataset
    if "/" in dataset or dataset.startswith((".", "~")):
        raise ConfigError(
            f"--dataset {dataset!r}: a path of this machine, which the cluster does not see; "
            "give a URI, an absolute path inside the image, or a release's name "
            f"(then it is {root}/data/NAME)"
        )
    return f"{root}/data/{dataset}"
