from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeflow import compile as compiling
from kubeflow import targets, validate
from kubeflow.entrypoint import prepared
from kubeflow.runtime_parameters import containers_of
from pipeline.cli import compile as command
from pipeline.config.root import Config, load_config
from pipeline.config.select import load_selected
from pipeline.dashboard.collect import STEPS
from pipeline.errors import ConfigError, PocketRecError

RESOLVER = "latest_blessed_model"
VERTEX = {"pipeline_root": "gs://bucket/root", "tracking_uri": "vertex://p-1/europe-west4"}


@pytest.fixture(scope="module")
def kubeflow() -> compiling.Compiled:
    config = Config()
    settings = targets.settings(config, "kubeflow", image="me/image:7")
    return compiling.compile_pipeline(config, "kubeflow", settings)


@pytest.fixture(scope="module")
def vertex() -> compiling.Compiled:
    config = Config()
    return compiling.compile_pipeline(
        config, "vertex", targets.settings(config, "vertex", **VERTEX)
    )


def tasks(compiled: compiling.Compiled) -> dict[str, Any]:
    return dict(compiled.spec["root"]["dag"]["tasks"])


def test_it_holds_every_step_that_the_dashboard_knows(vertex: compiling.Compiled) -> None:
    # Kubeflow takes two queries for the blessed model: for the blessing, then for the model.
    split = {f"{RESOLVER}-model-blessing-resolver", f"{RESOLVER}-model-resolver"}
    assert set(tasks(vertex)) == set(STEPS) - {RESOLVER} | split
    assert set(vertex.resolver_tasks) == split


def test_names_suit_kubernetes_and_references_follow(kubeflow: compiling.Compiled) -> None:
    found = tasks(kubeflow)
    assert not [name for name in [*found, *kubeflow.spec["components"]] if "_" in name]
    # Nothing is learned from data that the gate refused; nothing is pushed before it is evaluated.
    assert "data-gate" in found["transform"]["dependentTasks"]
    assert "evaluator" in found["registry-pusher"]["dependentTasks"]
    blessed = found["reference-ranks"]["inputs"]["artifacts"]["blessed"]["taskOutputArtifact"]
    assert blessed["producerTask"] == "champion-model"


def test_open_source_kubeflow_gets_no_resolver(kubeflow: compiling.Compiled) -> None:
    assert kubeflow.resolver_tasks == ()
    assert {name.replace("-", "_") for name in tasks(kubeflow)} == set(STEPS) - {RESOLVER} | {
        "champion_model",
        "release_fingerprint",
    }


def test_a_champion_that_is_ignored_is_not_even_read() -> None:
    """A damaged one would stop the run at the step that fetches it."""
    config = load_config(None, ["gate.ignore_blessed=true"])
    settings = targets.settings(config, "kubeflow")
    found = tasks(compiling.compile_pipeline(config, "kubeflow", settings))
    assert "champion-model" not in found
    assert "blessed" not in found["reference-ranks"]["inputs"]["artifacts"]


def test_what_changes_unseen_is_never_served_from_the_cache(kubeflow: compiling.Compiled) -> None:
    """The registry's champion, and the files at an address; the rest is."""
    found = tasks(kubeflow)
    fresh = {n for n, task in found.items() if not task["cachingOptions"].get("enableCache")}
    assert fresh == {"champion-model", "release-fingerprint"}
    # A champion of before a long training may be none after it.
    assert "tflite-converter" in found["champion-model"]["dependentTasks"]
    look, read = found["release-fingerprint"], found["movielens-example-gen"]
    given = dict(read["inputs"]["parameters"])
    assert given.pop("runtime_release_fingerprint")["taskOutputParameter"] == {
        "producerTask": "release-fingerprint",
        "outputParameterKey": "fingerprint",
    }
    assert look["inputs"]["parameters"] == given


def test_vertex_looks_at_the_files_itself(vertex: compiling.Compiled) -> None:
    assert "release_fingerprint" not in tasks(vertex)


def test_the_trainer_gets_the_catalogue(vertex: compiling.Compiled) -> None:
    inputs = tasks(vertex)["trainer"]["inputs"]["artifacts"]
    assert inputs["catalogue"]["taskOutputArtifact"]["producerTask"] == "movielens_example_gen"
    assert inputs["examples"]["taskOutputArtifact"]["producerTask"] == "transform"


def test_every_step_runs_in_the_image_and_is_tried_again(kubeflow: compiling.Compiled) -> None:
    executors = kubeflow.spec["deploymentSpec"]["executors"]
    containers = [e["container"] for e in executors.values() if "container" in e]
    assert len(containers) == len(executors) == len(STEPS) + 1
    assert {container["image"] for container in containers} == {"me/image:7"}
    assert {container["resources"]["cpuLimit"] for container in containers} == {1.0}
    retried = [name for name, task in tasks(kubeflow).items() if "retryPolicy" in task]
    assert retried == list(tasks(kubeflow))


def test_addresses_reach_the_steps_that_use_them(vertex: compiling.Compiled) -> None:
    def setting(node_id: str, key: str) -> Any:
        return tasks(vertex)[node_id]["inputs"]["parameters"][key]["runtimeValue"]["constant"]

    assert setting("movielens_example_gen", "input_base") == "gs://bucket/root/data/sample"
    assert setting("registry_pusher", "tracking_uri") == "vertex://p-1/europe-west4"
    assert setting("registry_pusher", "artifact_root") == "gs://bucket/root/registry"
    assert setting("registry_pusher", "container_image") == targets.DEFAULT_IMAGE
    assert setting("schema_importer", "schema_file") == "/opt/pocketrec/schema/schema.pbtxt"
    assert vertex.job["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/root"
    assert vertex.spec["defaultPipelineRoot"] == "gs://bucket/root"
    schema = Path(__file__).parents[2] / "schema" / "schema.pbtxt"
    assert schema.is_file()


def test_a_runs_parameters_are_what_compiling_with_them_gives(
    kubeflow: compiling.Compiled,
) -> None:
    """Put in by the entrypoint, values make the settings that a compilation with them makes."""
    values = {"epochs": 5.0, "history_length": 30.0, "seed": 9.0, "min_recall_at_10": 0.0625}
    config = load_config(
        None,
        [
            "training.max_epochs=5",
            "history.length=30",
            "seed=9",
            "gate.min_recall_at_10=0.0625",
            "dataset=s3://new/release",
        ],
    )
    settings = targets.settings(config, "kubeflow", image="me/image:7")
    settings = dataclasses.replace(settings, name="pocketrec-sample")
    expected = tasks(compiling.compile_pipeline(config, "kubeflow", settings))
    given = kubeflow.spec["root"]["inputDefinitions"]["parameters"]
    run = {name: declared["defaultValue"] for name, declared in given.items()}
    run |= {**values, "data": "s3://new/release"}
    seen = set()
    for name, task in tasks(kubeflow).items():
        label = kubeflow.spec["components"][task["componentRef"]["name"]]["executorLabel"]
        executor = kubeflow.spec["deploymentSpec"]["executors"][label]
        sent = task.get("inputs", {}).get("parameters", {})
        properties = {
            key: run[value["componentInputParameter"]]
            if "componentInputParameter" in value
            else value["runtimeValue"]["constant"]
            for key, value in sent.items()
            if "taskOutputParameter" not in value
        }
        seen |= {key for key in properties if key.startswith("runtime_")}
        for container in containers_of(executor):
            invocation = json.dumps({"inputs": {"parameterValues": properties}})
            filled = [invocation if arg == "{{$}}" else arg for arg in container["args"]]
            _, rest = prepared(filled)
            place = rest.index("--json_serialized_invocation_args")
            actual = json.loads(rest[place + 1])["inputs"]["parameterValues"]
            wanted = expected[name]["inputs"]["parameters"]
            assert {key: decoded(value) for key, value in actual.items()} == {
                key: decoded(value["runtimeValue"]["constant"])
                for key, value in wanted.items()
                if "runtimeValue" in value
            }
    assert seen == {f"runtime_{name}" for name in given}


def decoded(value: Any) -> Any:
    """Reads JSON within JSON, as steps do."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return decoded(json.loads(value))
    if isinstance(value, dict):
        return {key: decoded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [decoded(inner) for inner in value]
    return value


def test_the_look_at_the_cache_sees_the_runs_parameters_too(vertex: compiling.Compiled) -> None:
    executors = vertex.spec["deploymentSpec"]["executors"]
    container = executors["movielens_example_gen_executor"]["container"]
    check = container["lifecycle"]["preCacheCheck"]
    assert check["command"] == container["command"] == list(compiling.ENTRYPOINT)
    modules = [one["args"][one["args"].index("--tfx_module") + 1] for one in (container, check)]
    assert modules[0].endswith("kubeflow_v2_run_executor")
    assert modules[1] == "kubeflow.release_driver"
    for one in (container, check):
        assert "data" in json.loads(one["args"][one["args"].index("--runtime_places") + 1])


def test_a_warm_start_gives_the_trainer_the_blessed_model() -> None:
    config = load_config(
        None, ["dataset=gs://bucket/ratings-{SPAN}", "training.warm_start.on_mismatch=fresh"]
    )
    where = targets.settings(config, "vertex", **VERTEX)
    found = tasks(compiling.compile_pipeline(config, "vertex", where))
    base = found["trainer"]["inputs"]["artifacts"]["base_model"]["taskOutputArtifact"]
    assert base["producerTask"] == "warm_start_model-model-resolver"
    custom = found["trainer"]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
    assert decoded(custom)["training"]["warm_start"] == {"on_mismatch": "fresh"}


@pytest.mark.parametrize(
    ("teacher", "cached"),
    [("registered: 3", True), ("registered: champion", False), ("folder: gs://b/m", False)],
)
@pytest.mark.parametrize("target", ["kubeflow", pytest.param("vertex", marks=pytest.mark.thorough)])
def test_teachers_that_were_trained_before_reach_the_trainer(
    target: targets.Target, teacher: str, cached: bool
) -> None:
    config = load_config(None, [f"training.distillation={{teachers: [{{}}, {{{teacher}}}]}}"])
    where = targets.settings(config, target, **(VERTEX if target == "vertex" else {}))
    found = tasks(compiling.compile_pipeline(config, target, where))
    step = "teacher-models" if target == "kubeflow" else "teacher_models"
    source = found["trainer"]["inputs"]["artifacts"]["teachers"]["taskOutputArtifact"]
    assert source == {"producerTask": step, "outputArtifactKey": "models"}
    # A version's number names one model for good; the champion and a folder's content change.
    assert bool(found[step]["cachingOptions"].get("enableCache")) is cached
    given = found[step]["inputs"]["parameters"]["teachers"]["runtimeValue"]["constant"]
    key, value = teacher.split(": ")
    [one] = decoded(given)
    assert one["place"] == 2
    assert str(one["teacher"][key]) == value


def test_nothing_of_this_machine_gets_in(kubeflow: compiling.Compiled) -> None:
    text = json.dumps(kubeflow.job)
    assert str(Path.cwd()) not in text
    assert str(Path.home()) not in text


def test_the_same_pipeline_compiles_to_the_same_bytes(
    kubeflow: compiling.Compiled, tmp_path: Path
) -> None:
    config = Config()
    settings = targets.settings(config, "kubeflow", image="me/image:7")
    again = compiling.compile_pipeline(config, "kubeflow", settings)
    for name in ("first.yml", "first.yaml"):
        compiling.write(kubeflow, "kubeflow", tmp_path / name)
        compiling.write(again, "kubeflow", tmp_path / name.replace("first", "second"))
        second = tmp_path / name.replace("first", "second")
        assert (tmp_path / name).read_bytes() == second.read_bytes()


def test_the_example_is_what_is_compiled_now() -> None:
    """`make example-spec` renews it; hashes of sources apart, which change with every line."""
    example = Path(compiling.__file__).parent / "examples" / "ml-1m.yaml"
    config = load_selected(None, "ml-1m", [])
    compiled = compiling.compile_pipeline(config, "kubeflow", targets.settings(config, "kubeflow"))

    def without_hashes(spec: Any) -> str:
        return re.sub(r"\b[0-9a-f]{16}\b", "HASH", json.dumps(spec, sort_keys=True))

    spec, platform = yaml.safe_load_all(example.read_text())
    assert without_hashes(spec) == without_hashes(compiled.spec)
    assert platform == compiled.platform


def test_each_target_gets_the_document_that_it_takes(
    kubeflow: compiling.Compiled, vertex: compiling.Compiled, tmp_path: Path
) -> None:
    compiling.write(kubeflow, "kubeflow", tmp_path / "spec.yaml")
    spec, platform = yaml.safe_load_all((tmp_path / "spec.yaml").read_text())
    proto = validate.parse(spec)
    assert proto.pipeline_info.name == "pocketrec-sample"
    validate.parse_platform(platform, proto)
    compiling.write(vertex, "vertex", tmp_path / "job.json")
    job = validate.parse_job(json.loads((tmp_path / "job.json").read_text()))
    assert job.display_name == "pocketrec-sample"
    compiling.write(vertex, "vertex", tmp_path / "spec.yml")
    validate.parse(yaml.safe_load((tmp_path / "spec.yml").read_text()))


def _unknown_field(spec: dict[str, Any]) -> None:
    spec["pipelineInfo"]["title"] = "x"


def _no_name(spec: dict[str, Any]) -> None:
    del spec["pipelineInfo"]["name"]


def _no_such_component(spec: dict[str, Any]) -> None:
    spec["root"]["dag"]["tasks"]["trainer"]["componentRef"]["name"] = "coach"


def _no_such_upstream(spec: dict[str, Any]) -> None:
    spec["root"]["dag"]["tasks"]["trainer"]["dependentTasks"].append("coach")


def _no_such_runtime_parameter(spec: dict[str, Any]) -> None:
    del spec["root"]["inputDefinitions"]["parameters"]["epochs"]


def _no_such_output(spec: dict[str, Any]) -> None:
    inputs = spec["root"]["dag"]["tasks"]["trainer"]["inputs"]["artifacts"]
    inputs["examples"]["taskOutputArtifact"]["outputArtifactKey"] = "windows"


def _wrong_type(spec: dict[str, Any]) -> None:
    inputs = spec["root"]["dag"]["tasks"]["trainer"]["inputs"]["artifacts"]
    inputs["examples"]["taskOutputArtifact"]["outputArtifactKey"] = "transform_graph"


def _no_such_output_parameter(spec: dict[str, Any]) -> None:
    inputs = spec["root"]["dag"]["tasks"]["trainer"]["inputs"]["parameters"]
    inputs["run_fn"] = {
        "taskOutputParameter": {"producerTask": "transform", "outputParameterKey": "size"}
    }


def _missing_parameter(spec: dict[str, Any]) -> None:
    del spec["root"]["dag"]["tasks"]["trainer"]["inputs"]["parameters"]["run_fn"]


def _no_executor(spec: dict[str, Any]) -> None:
    del spec["deploymentSpec"]["executors"]["trainer_executor"]


def _no_image(spec: dict[str, Any]) -> None:
    del spec["deploymentSpec"]["executors"]["trainer_executor"]["container"]["image"]


def _circle(spec: dict[str, Any]) -> None:
    spec["root"]["dag"]["tasks"]["transform"]["dependentTasks"].append("trainer")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_unknown_field, "title"),
        (_no_name, "name"),
        (_no_such_component, "coach"),
        (_no_such_upstream, "tasks.trainer: depends on 'coach'"),
        (_no_such_output, "tasks.trainer.examples: 'transform' has no output 'windows'"),
        (
            _no_such_runtime_parameter,
            "tasks.trainer: reads the runtime parameter 'epochs', which does not exist",
        ),
        (
            _no_such_output_parameter,
            "tasks.trainer: reads the parameter 'size' of 'transform', which does not put it out",
        ),
        (_wrong_type, "(?s)tasks.trainer.examples: needs.*tfx.Examples.*tfx.TransformGraph"),
        (_missing_parameter, "tasks.trainer: leaves out the parameter 'run_fn'"),
        (_no_executor, "trainer_executor"),
        (_no_image, "trainer_executor: has no image"),
        (_circle, "circle:.*trainer"),
    ],
)
def test_a_damaged_spec_is_refused(
    vertex: compiling.Compiled, damage: Callable[[dict[str, Any]], None], message: str
) -> None:
    spec = copy.deepcopy(vertex.spec)
    validate.parse(spec)
    damage(spec)
    with pytest.raises(validate.InvalidSpecError, match=message):
        validate.parse(spec)


def test_the_command_writes_the_spec_and_says_where_it_will_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    output = tmp_path / "deep" / "pipeline.yaml"
    options = ["--set", "model.encoder.name=cnn", "--dataset", "ml-1m", "--image", "i:1"]
    start = ["compile", "--target", "kubeflow", "--output"]
    args = parser.parse_args([*start, str(output), *options])
    assert args.handler(args) == 0
    spec, _ = yaml.safe_load_all(output.read_text())
    settings = spec["root"]["dag"]["tasks"]["trainer"]["inputs"]["parameters"]["custom_config"]
    assert '\\"name\\":\\"cnn\\"' in settings["runtimeValue"]["constant"]
    said = capsys.readouterr()
    assert "13 tasks" in said.out
    assert "s3://mlpipeline/pocketrec/data/ml-1m" in said.out
    args = parser.parse_args([*start, str(tmp_path / "pipeline.txt")])
    with pytest.raises(ConfigError, match=r"\.yaml, \.yml, \.json"):
        args.handler(args)
    occupied = tmp_path / "folder.yaml"
    occupied.mkdir()
    args = parser.parse_args([*start, str(occupied)])
    with pytest.raises(PocketRecError, match="cannot be written"):
        args.handler(args)
