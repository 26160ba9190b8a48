"""The look at a release before the cache is asked, as Vertex AI has it run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from components.movielens_example_gen.component import MovieLensExampleGen
from kubeflow import release_driver
from pipeline.config.data import DataConfig
from tests.components.movielens_example_gen.releases import write_release


def look(root: Path, dataset: str) -> dict[str, Any]:
    component = MovieLensExampleGen(dataset, DataConfig().model_dump_json(), "hash")
    strings = {k: v for k, v in component.exec_properties.items() if isinstance(v, str)}
    numbers = {k: v for k, v in component.exec_properties.items() if isinstance(v, int)}
    artifact = {
        "name": "projects/1/artifacts/2",
        "type": {"schemaTitle": "tfx.Examples"},
        "uri": f"{root}/examples",
    }
    output = root / "outputs" / "executor_output.json"
    invocation = {
        "inputs": {"parameterValues": {**strings, **numbers}},
        "outputs": {
            "artifacts": {"examples": {"artifacts": [artifact]}},
            "outputFile": str(output),
        },
    }
    declared = {
        **{name: {"parameterType": "STRING"} for name in strings},
        **{name: {"parameterType": "NUMBER_INTEGER"} for name in numbers},
    }
    words = {
        "--json_serialized_invocation_args": invocation,
        "--json_serialized_inputs_spec_args": {"parameters": declared},
    }
    flat = [word for name, value in words.items() for word in (name, json.dumps(value))]
    release_driver.main([*flat, "--runner=DirectRunner"])
    written: dict[str, Any] = json.loads(output.read_text())
    return written


def test_span_version_and_content_reach_the_cache_key(tmp_path: Path) -> None:
    pattern = f"{tmp_path}/r-{{SPAN}}/v{{VERSION}}"
    write_release(tmp_path / "r-1" / "v1", "1m")
    newest = write_release(tmp_path / "r-2" / "v3", "1m")

    first = look(tmp_path, pattern)

    values = first["parameterValues"]
    assert (values["span"], values["version"]) == (2, 3)
    [artifact] = first["artifacts"]["examples"]["artifacts"]
    assert artifact["metadata"]["custom:span"] == 2
    assert look(tmp_path, pattern) == first
    (newest / "ratings.dat").write_text("1::1::1::1\n")
    second = look(tmp_path, pattern)["parameterValues"]
    assert second["input_fingerprint"] != values["input_fingerprint"]


def test_a_plain_release_has_a_fingerprint_alone(tmp_path: Path) -> None:
    values = look(tmp_path, str(write_release(tmp_path / "ml", "csv")))["parameterValues"]
    assert values["span"] == 0
    assert "version" not in values
    assert values["input_fingerprint"].startswith("files:2,sha256:")
