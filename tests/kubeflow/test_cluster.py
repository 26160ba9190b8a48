"""The player itself, on a small pipeline of shell commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kubeflow.cluster.backends import Backend, Kubeflow, RefusedError, Vertex
from tests.kubeflow.cluster.container import Image, Kill
from tests.kubeflow.cluster.player import Player

TYPE = {"schemaTitle": "tfx.Model"}

WRITE = """
import json, os, sys
told = json.loads(sys.argv[1])
print('at work', flush=True)
if os.environ.get('FAIL_IN') == told['outputs']['artifacts']['made']['artifacts'][0]['uri']:
    sys.exit(3)
parameters = told['inputs']['parameterValues']
given = {k: v['artifacts'] for k, v in told['inputs'].get('artifacts', {}).items()}
(made,) = told['outputs']['artifacts']['made']['artifacts']
os.makedirs(made['uri'], exist_ok=True)
json.dump({'parameters': parameters, 'given': given, 'made': made}, open(made['uri'] + '/x', 'w'))
for where in told['outputs'].get('parameters', {}).values():
    os.makedirs(os.path.dirname(where['outputFile']), exist_ok=True)
    open(where['outputFile'], 'w').write('small')
os.makedirs(os.path.dirname(told['outputs']['outputFile']), exist_ok=True)
report = {'artifacts': {'made': {'artifacts': [{'metadata': {'blessed': 1.0}}]}}}
json.dump(report, open(told['outputs']['outputFile'], 'w'))
open('own', 'x')
"""


def spec(root: Path, script: str = WRITE) -> dict[str, Any]:
    outputs = {"artifacts": {"made": {"artifactType": TYPE}}}
    container = {"image": "i", "command": [sys.executable, "-c", script], "args": ["{{$}}"]}
    return {
        "defaultPipelineRoot": str(root),
        "components": {
            "first": {
                "executorLabel": "write",
                "outputDefinitions": {
                    **outputs,
                    "parameters": {"size": {"parameterType": "STRING"}},
                },
            },
            "second": {"executorLabel": "write", "outputDefinitions": outputs},
        },
        "deploymentSpec": {"executors": {"write": {"container": container}}},
        "root": {
            "inputDefinitions": {"parameters": {"epochs": {"defaultValue": 3}}},
            "dag": {
                "tasks": {
                    "first": {
                        "componentRef": {"name": "first"},
                        "cachingOptions": {"enableCache": True},
                        "inputs": {
                            "parameters": {
                                "epochs": {"componentInputParameter": "epochs"},
                                "name": {"runtimeValue": {"constant": "n"}},
                            }
                        },
                    },
                    "second": {
                        "componentRef": {"name": "second"},
                        "cachingOptions": {"enableCache": True},
                        "inputs": {
                            "parameters": {
                                "size": {
                                    "taskOutputParameter": {
                                        "producerTask": "first",
                                        "outputParameterKey": "size",
                                    }
                                }
                            },
                            "artifacts": {
                                "model": {
                                    "taskOutputArtifact": {
                                        "producerTask": "first",
                                        "outputArtifactKey": "made",
                                    }
                                }
                            },
                        },
                    },
                }
            },
        },
    }


@pytest.fixture
def player(tmp_path: Path) -> Callable[..., Player]:
    def make(backend: Backend, **environment: str) -> Player:
        return Player(backend, Image("/opt/x", tmp_path, environment), tmp_path / "disks")

    return make


def written(player: Player, number: int) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(
        Path(player.metadata.artifacts[number - 1].uri, "x").read_text()
    )
    return tree


def states(done: dict[str, Any]) -> list[str]:
    return [done[name].state for name in ("first", "second")]


def test_parameters_and_artifacts_arrive_as_kubeflow_delivers_them(
    player: Callable[..., Player], tmp_path: Path
) -> None:
    cluster = player(Kubeflow())
    done = cluster.run(spec(tmp_path / "root"), {"epochs": 5})
    assert states(done) == ["succeeded", "succeeded"]
    first, second = written(cluster, 1), written(cluster, 2)
    assert first["parameters"] == {"epochs": 5.0, "name": "n"}
    assert first["made"] == {"uri": cluster.metadata.artifacts[0].uri, "type": TYPE}
    assert second["parameters"] == {"size": "small"}
    (model,) = second["given"]["model"]
    assert model["name"] == "1"
    assert "type" not in model
    assert model["metadata"]["blessed"] == 1.0


def test_vertex_sends_types_and_names(player: Callable[..., Player], tmp_path: Path) -> None:
    cluster = player(Vertex())
    cluster.run(spec(tmp_path / "root"))
    (model,) = written(cluster, 2)["given"]["model"]
    assert model["type"] == TYPE
    assert model["name"].endswith("/artifacts/1")
    assert written(cluster, 2)["made"]["name"]


def test_the_cache_goes_by_parameters_and_inputs(
    player: Callable[..., Player], tmp_path: Path
) -> None:
    cluster = player(Kubeflow())
    pipeline = spec(tmp_path / "root")
    cluster.run(pipeline)
    assert states(cluster.run(pipeline)) == ["cached", "cached"]
    assert states(cluster.run(pipeline, {"epochs": 4})) == ["succeeded", "succeeded"]
    # A step that may not be cached makes something new, so that those after it run again.
    pipeline["root"]["dag"]["tasks"]["first"]["cachingOptions"] = {}
    assert states(cluster.run(pipeline)) == ["succeeded", "succeeded"]


def test_secrets_become_variables_of_the_steps_that_ask(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    image = Image("/opt/x", tmp_path, secrets={"keys": {"a": "opened"}})
    cluster = Player(Kubeflow(), image, tmp_path / "disks")
    told = {"secretAsEnv": [{"secretName": "keys", "keyToEnv": [
        {"secretKey": "a", "envVar": "SESAME"}
    ]}]}  # fmt: skip
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"write": told}}}}}
    pipeline = spec(tmp_path / "root", WRITE + "\nprint(os.environ['SESAME'])")
    assert states(cluster.run(pipeline)) == ["failed", "not run"]
    assert states(cluster.run(pipeline, platform=platform)) == ["succeeded", "succeeded"]
    log = tmp_path / "disks" / "run-2-second-1" / "main" / "log"
    assert "opened" in log.read_text()
    assert capfd.readouterr().out == ""


def test_what_waits_for_a_failed_step_does_not_run(
    player: Callable[..., Player], tmp_path: Path
) -> None:
    cluster = player(Kubeflow())
    done = cluster.run(spec(tmp_path / "root", "import sys; sys.exit('no luck')"))
    assert states(done) == ["failed", "not run"]
    assert "no luck" in done["first"].error


def test_a_killed_step_is_tried_again_on_a_new_disk(
    player: Callable[..., Player], tmp_path: Path
) -> None:
    cluster = player(Kubeflow())
    pipeline = spec(tmp_path / "root", WRITE + "\nimport time; time.sleep(0.3)")
    kill = Kill("first", once_it_says="at work")
    assert states(cluster.run(pipeline, kill=kill)) == ["failed", "not run"]
    pipeline["root"]["dag"]["tasks"]["first"]["retryPolicy"] = {"maxRetryCount": 1}
    done = cluster.run(pipeline, kill=kill)
    assert states(done) == ["succeeded", "succeeded"]
    assert done["first"].attempts == 2


def test_a_condition_decides(player: Callable[..., Player], tmp_path: Path) -> None:
    cluster = player(Kubeflow())
    pipeline = spec(tmp_path / "root")
    pipeline["root"]["dag"]["tasks"]["first"]["triggerPolicy"] = {
        "condition": "inputs.parameter_values['epochs'] > 3.0"
    }
    del pipeline["root"]["dag"]["tasks"]["second"]
    assert cluster.run(pipeline)["first"].state == "skipped"
    assert cluster.run(pipeline, {"epochs": 4})["first"].state == "succeeded"


def test_resolvers_are_vertexs_alone(player: Callable[..., Player], tmp_path: Path) -> None:
    pipeline = spec(tmp_path / "root")
    pipeline["components"]["search"] = {"executorLabel": "search"}
    pipeline["deploymentSpec"]["executors"]["search"] = {
        "resolver": {
            "outputArtifactQueries": {
                "made": {
                    "filter": 'schema_title="tfx.Model" AND state=LIVE AND '
                    "metadata.blessed.number_value=1"
                }
            }
        }
    }
    tasks = pipeline["root"]["dag"]["tasks"]
    tasks["search"] = {"componentRef": {"name": "search"}}
    source = tasks["second"]["inputs"]["artifacts"]["model"]["taskOutputArtifact"]
    source["producerTask"] = "search"
    with pytest.raises(RefusedError, match="resolver"):
        player(Kubeflow()).run(pipeline)
    cluster = player(Vertex())
    cluster.run({**pipeline, "root": {**pipeline["root"], "dag": {"tasks": {
        "first": tasks["first"]}}}})  # fmt: skip
    done = cluster.run(pipeline)
    assert done["search"].state == "resolved"
    (model,) = written(cluster, 2)["given"]["model"]
    assert model["uri"] == cluster.metadata.artifacts[0].uri


def test_an_unknown_runtime_parameter_is_refused(
    player: Callable[..., Player], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="epoch"):
        player(Kubeflow()).run(spec(tmp_path / "root"), {"epoch": 4})
