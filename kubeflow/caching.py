"""What open-source Kubeflow Pipelines must not serve from its cache.

Its cache goes by a step's settings and input artifacts. Some steps look at what is neither: the one
that reads the release, whose files may have changed under the same address, and those that ask the
registry for its champion, or read a teacher's folder. Vertex AI runs a look at the files before it
asks its cache; here a step of its own does so, never cached, and hands what it found to ingestion
as a parameter: the same files, the same cached results of all that follows.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from kubeflow.runtime_parameters import PREFIX
from pipeline import teachers

EXAMPLE_GEN = "movielens-example-gen"
FINGERPRINT = "release-fingerprint"
FINGERPRINT_MODULE = "kubeflow.release_fingerprint"
FINGERPRINT_OUTPUT = "fingerprint"

# The prefix keeps it out of the execution properties that TFX gets to see.
_PARAMETER = PREFIX + "release_fingerprint"
_NEVER_CACHED = ("champion-model", "warm-start-model", FINGERPRINT)
_LABEL = "release_fingerprint_executor"


def keep_fresh(spec: dict[str, Any], *, module_flag: str, outputs_flag: str) -> None:
    """Adds the look at the release, and takes what may change unseen out of the cache.

    Args:
        spec: The PipelineSpec with its runtime parameters, which is changed.
        module_flag: Names the module that a container runs, see `kubeflow.entrypoint`.
        outputs_flag: Names the outputs of a component, see there.
    """
    tasks = spec["root"]["dag"]["tasks"]
    reader = tasks[EXAMPLE_GEN]
    component = spec["components"][reader["componentRef"]["name"]]
    executors = spec["deploymentSpec"]["executors"]
    outputs = {"parameters": {FINGERPRINT_OUTPUT: {"parameterType": "STRING"}}}
    arguments = list(executors[component["executorLabel"]]["container"]["args"])
    arguments[arguments.index(module_flag) + 1] = FINGERPRINT_MODULE
    arguments[arguments.index(outputs_flag) + 1] = json.dumps(outputs)
    container = copy.deepcopy(executors[component["executorLabel"]]["container"])
    container.pop("lifecycle", None)
    executors[_LABEL] = {"container": {**container, "args": arguments}}
    spec["components"][FINGERPRINT] = {
        "executorLabel": _LABEL,
        "inputDefinitions": {
            "parameters": copy.deepcopy(component["inputDefinitions"]["parameters"])
        },
        "outputDefinitions": outputs,
    }
    tasks[FINGERPRINT] = {
        "componentRef": {"name": FINGERPRINT},
        "inputs": {"parameters": copy.deepcopy(reader["inputs"]["parameters"])},
        "taskInfo": {"name": FINGERPRINT},
    }
    component["inputDefinitions"]["parameters"][_PARAMETER] = {"parameterType": "STRING"}
    reader["inputs"]["parameters"][_PARAMETER] = {
        "taskOutputParameter": {
            "producerTask": FINGERPRINT,
            "outputParameterKey": FINGERPRINT_OUTPUT,
        }
    }
    reader["dependentTasks"] = sorted({*reader.get("dependentTasks", ()), FINGERPRINT})
    for name in _NEVER_CACHED:
        if name in tasks:
            _never_cache(tasks[name])


def keep_teachers_fresh(spec: dict[str, Any]) -> None:
    """Takes teachers whose name may come to stand for another model out of the cache.

    The champion does so, and a folder; a version's number does not.

    Args:
        spec: The PipelineSpec, which is changed.
    """
    for task in spec["root"]["dag"]["tasks"].values():
        if task["taskInfo"]["name"].replace("-", "_") != teachers.STEP:
            continue
        given = task["inputs"]["parameters"][teachers.SETTING]["runtimeValue"]["constant"]
        if not all(source.stays for source in teachers.from_json(given)):
            _never_cache(task)


def _never_cache(task: dict[str, Any]) -> None:
    task["cachingOptions"] = {"enableCache": False}
