from __future__ import annotations

import pytest

from kubeflow import targets
from pipeline.config.root import Config, load_config
from pipeline.errors import ConfigError


def config(dataset: str = "ml-1m", tracking_uri: str | None = None) -> Config:
    registry = {"tracking_uri": tracking_uri}
    return Config.model_validate({"dataset": dataset, "registry": registry})


def test_kubeflow_has_defaults_inside_the_cluster() -> None:
    settings = targets.settings(config(), "kubeflow")
    assert settings.name == "pocketrec-ml-1m"
    assert settings.pipeline_root == "s3://mlpipeline/pocketrec"
    assert settings.input_base == "s3://mlpipeline/pocketrec/data/ml-1m"
    assert settings.tracking_uri == "http://mlflow:5000"


def test_what_is_given_wins_over_the_configuration_and_that_over_the_default() -> None:
    configured = config("s3://data/ML 25M.zip", tracking_uri="http://configured:1")
    settings = targets.settings(configured, "kubeflow", image="me/image:7")
    assert settings.tracking_uri == "http://configured:1"
    assert settings.input_base == "s3://data/ML 25M.zip"
    assert settings.name == "pocketrec-ml-25m"
    assert settings.image == "me/image:7"
    given = targets.settings(
        configured, "vertex", pipeline_root="gs://bucket/root/", tracking_uri="https://given"
    )
    assert given.tracking_uri == "https://given"
    assert given.pipeline_root == "gs://bucket/root"


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("vertex", {}, "needs --pipeline-root gs://BUCKET/FOLDER"),
        ("vertex", {"pipeline_root": "gs://b/r"}, "needs --tracking-uri.*vertex://PROJECT/REGION"),
        ("vertex", {"pipeline_root": "s3://b/r"}, "'s3://b/r'.*gs://BUCKET"),
        ("kubeflow", {"pipeline_root": "/tmp/root"}, "'/tmp/root'.*s3://BUCKET"),
        ("kubeflow", {"pipeline_root": "s3:///root"}, "must look like"),
        ("kubeflow", {"tracking_uri": "sqlite:///mlflow.db"}, "container's own disk"),
        ("kubeflow", {"tracking_uri": "/mlruns"}, "container's own disk"),
        (
            "vertex",
            {"pipeline_root": "gs://b/r", "tracking_uri": "vertex://Project"},
            "'vertex://Project' must look like vertex://PROJECT/REGION",
        ),
        (
            "kubeflow",
            {"tracking_uri": "vertex://p-1/europe-west4"},
            r"registry\.artifact_root 's3://mlpipeline/pocketrec/registry'.*gs://BUCKET/FOLDER",
        ),
    ],
)
def test_an_address_that_the_steps_cannot_reach_is_refused(
    target: targets.Target, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        targets.settings(config(), target, **options)


@pytest.mark.parametrize("dataset", ["../data/ml-1m", "./ml-1m", "~/ml-1m", "data/ml-1m"])
def test_a_path_of_this_machine_is_no_data_set_of_the_cluster(dataset: str) -> None:
    with pytest.raises(ConfigError, match="does not see"):
        targets.settings(config(dataset), "kubeflow")


def test_models_go_into_vertex_ais_own_registry() -> None:
    address = "vertex://p-1/europe-west4"
    settings = targets.settings(config(tracking_uri=address), "vertex", pipeline_root="gs://b/r/")
    assert settings.tracking_uri == address
    assert settings.registry_artifacts == "gs://b/r/registry"
    elsewhere = {"tracking_uri": address, "artifact_root": "gs://models/pocketrec"}
    configured = Config.model_validate({"dataset": "ml-1m", "registry": elsewhere})
    assert targets.settings(configured, "kubeflow").registry_artifacts == "gs://models/pocketrec"


def test_a_path_inside_the_image_is() -> None:
    assert targets.settings(config("/data/ml-1m"), "kubeflow").input_base == "/data/ml-1m"


def test_a_pattern_of_spans_travels_as_it_is() -> None:
    config = load_config(None, ["dataset=ratings-{SPAN}"])
    found = targets.settings(config, "kubeflow")
    assert found.input_base == "s3://mlpipeline/pocketrec/data/ratings-{SPAN}"
