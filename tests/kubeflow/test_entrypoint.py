from __future__ import annotations

import json
from typing import Any

import pytest

from kubeflow import mending
from kubeflow.entrypoint import prepared

INPUTS = {"artifacts": {"examples": {"artifactType": {"instanceSchema": "title: tfx.Examples"}}}}
OUTPUTS = {"artifacts": {"model": {"artifactType": {"schemaTitle": "tfx.Model"}}}}


def invocation(**artifact: Any) -> dict[str, Any]:
    return {
        "inputs": {"artifacts": {"examples": {"artifacts": [{"uri": "s3://b/1", **artifact}]}}},
        "outputs": {"artifacts": {"model": {"artifacts": [{"uri": "s3://b/2", "name": "n"}]}}},
    }


def test_an_artifact_without_a_type_gets_the_declared_one() -> None:
    mended = mending.mended(invocation(type={}), INPUTS, OUTPUTS)
    (examples,) = mended["inputs"]["artifacts"]["examples"]["artifacts"]
    assert examples["type"] == {"instanceSchema": "title: tfx.Examples"}
    (model,) = mended["outputs"]["artifacts"]["model"]["artifacts"]
    assert model["type"] == {"schemaTitle": "tfx.Model"}


def test_an_artifact_without_a_name_is_named_after_its_address() -> None:
    mended = mending.mended(invocation(name=""), INPUTS, OUTPUTS)
    assert mended["inputs"]["artifacts"]["examples"]["artifacts"][0]["name"] == "s3://b/1"
    assert mended["outputs"]["artifacts"]["model"]["artifacts"][0]["name"] == "n"


def test_what_vertex_sends_passes_unchanged() -> None:
    complete = invocation(name="projects/1/artifacts/2", type={"schemaTitle": "tfx.Examples"})
    complete["outputs"]["artifacts"]["model"]["artifacts"][0]["type"] = {"schemaTitle": "tfx.Model"}
    before = json.dumps(complete)
    assert mending.mended(complete, INPUTS, OUTPUTS) == complete
    assert json.dumps(complete) == before


def arguments(parameters: dict[str, Any], *further: str) -> list[str]:
    sent = {**invocation(), "inputs": {"parameterValues": parameters}}
    return [
        "--executor_class_path",
        "a.b.Executor",
        "--json_serialized_invocation_args",
        json.dumps(sent),
        "--tfx_module",
        "tfx.run",
        "--json_serialized_outputs_spec_args",
        json.dumps(OUTPUTS),
        *further,
    ]


def test_tfx_gets_its_own_arguments_with_the_values_of_the_run() -> None:
    told = json.dumps({"epochs": {"compiled": 3, "places": [["config", "epochs"]]}})
    module, rest = prepared(
        arguments(
            {"config": '{"epochs": 3}', "runtime_epochs": 7.0},
            "--runtime_places",
            told,
            "--runner=DirectRunner",
        )
    )
    assert module == "tfx.run"
    assert [rest[0], rest[1], rest[2], rest[4]] == [
        "--executor_class_path",
        "a.b.Executor",
        "--json_serialized_invocation_args",
        "--runner=DirectRunner",
    ]
    assert json.loads(rest[3])["inputs"]["parameterValues"] == {"config": '{"epochs": 7}'}


@pytest.mark.parametrize("missing", ["--tfx_module", "--json_serialized_invocation_args"])
def test_a_container_of_another_compiler_is_refused(missing: str) -> None:
    given = arguments({})
    place = given.index(missing)
    with pytest.raises(ValueError, match=f"{missing} is missing"):
        prepared(given[:place] + given[place + 2 :])
