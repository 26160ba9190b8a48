"""Plays the driver and the launcher of Kubeflow Pipelines for a compiled spec, without a cluster.

It knows the spec alone. As on a cluster, tasks that do not wait for each other run side by side,
each container on a disk of its own; a task that fails is tried again as often as its policy says;
results are taken from the cache where a task may be cached and everything that the backend's cache
goes by is the same.
"""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import hashlib
import itertools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import celpy
from celpy.adapter import json_to_cel

from tests.kubeflow.cluster import container
from tests.kubeflow.cluster.artifacts import Metadata, Outputs, StoredArtifact
from tests.kubeflow.cluster.backends import Backend
from tests.kubeflow.cluster.container import FailedError, Image, Kill


@dataclasses.dataclass(frozen=True)
class TaskRun:
    """How a task went.

    Attributes:
        state: `succeeded`, `cached`, `skipped`, `resolved`, `failed` or `not run`.
        attempts: Containers that were started for it.
        seconds: Wall time.
        outputs: What it put out.
        error: Why it failed.
    """

    state: str
    attempts: int = 0
    seconds: float = 0.0
    outputs: Outputs = dataclasses.field(default_factory=lambda: Outputs({}, {}))
    error: str = ""


class Player:
    """One backend with its metadata, on which pipelines run.

    Args:
        backend: Which.
        image: What containers run in.
        disks: Folder for the containers' own disks.
        side_by_side: Containers that run at the same time.
    """

    def __init__(
        self, backend: Backend, image: Image, disks: Path, *, side_by_side: int = 2
    ) -> None:
        self.metadata = Metadata()
        self._backend = backend
        self._image = image
        self._disks = disks
        self._side_by_side = side_by_side
        self._count = itertools.count(1)

    def run(
        self,
        spec: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        *,
        platform: Mapping[str, Any] | None = None,
        kill: Kill | None = None,
    ) -> dict[str, TaskRun]:
        """Runs a pipeline.

        Args:
            spec: The compiled PipelineSpec; nothing else of the project is known here.
            parameters: Runtime parameters that differ from their defaults.
            platform: Its platform spec, the second document on Kubernetes.
            kill: A container to kill at its first attempt.

        Returns:
            How each task went. What waits for a failed task does not run.

        Raises:
            RefusedError: The backend does not take the spec.
            ValueError: There is no such runtime parameter.
        """
        self._backend.check(spec)
        name = f"run-{next(self._count)}"
        run = _Run(spec, platform or {}, _parameters(spec, parameters or {}), name, kill)
        tasks = spec["root"]["dag"]["tasks"]
        waiting = {name: _upstream(task) for name, task in tasks.items()}
        pending: dict[concurrent.futures.Future[TaskRun], str] = {}
        with concurrent.futures.ThreadPoolExecutor(self._side_by_side) as pool:
            while waiting or pending:
                for name in [n for n, before in waiting.items() if before <= set(run.done)]:
                    before = waiting.pop(name)
                    if any(run.done[b].state in ("failed", "not run") for b in before):
                        run.done[name] = TaskRun("not run")
                    else:
                        pending[pool.submit(self._task, run, name)] = name
                if not pending:
                    continue
                finished, _ = concurrent.futures.wait(
                    pending, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in finished:
                    run.done[pending.pop(future)] = future.result()
        return run.done

    def _task(self, run: _Run, name: str) -> TaskRun:
        started = time.monotonic()
        done = self._played(run, name)
        return dataclasses.replace(done, seconds=time.monotonic() - started)

    def _played(self, run: _Run, name: str) -> TaskRun:
        task = run.spec["root"]["dag"]["tasks"][name]
        component = run.spec["components"][task["componentRef"]["name"]]
        executor = run.spec["deploymentSpec"]["executors"][component["executorLabel"]]
        inputs = self._inputs(run, task)
        condition = task.get("triggerPolicy", {}).get("condition", "")
        if condition and not holds(condition, inputs):
            return TaskRun("skipped")
        if "resolver" in executor:
            queries = executor["resolver"]["outputArtifactQueries"]
            found = self._backend.resolve(queries, inputs["artifacts"], self.metadata)
            return TaskRun("resolved", outputs=Outputs(found, {}))
        spec = executor["container"]
        secrets = self._secrets(run.platform, component["executorLabel"])
        attempts = 1 + int(task.get("retryPolicy", {}).get("maxRetryCount", 0))
        error = ""
        for attempt in range(1, attempts + 1):
            pod = self._disks / f"{run.name}-{name}-{attempt}"
            kill = run.kill if run.kill and run.kill.task == name and attempt == 1 else None
            try:
                key, outputs = self._attempt(run, name, component, spec, inputs, pod, secrets, kill)
            except FailedError as failure:
                error = str(failure)
                continue
            if outputs is None:
                return TaskRun("cached", attempt - 1, outputs=self.metadata.cache[key])
            self.metadata.cache[key] = outputs
            return TaskRun("succeeded", attempt, outputs=outputs)
        return TaskRun("failed", attempts, error=error)

    def _attempt(
        self,
        run: _Run,
        name: str,
        component: Mapping[str, Any],
        spec: Mapping[str, Any],
        inputs: Mapping[str, Any],
        pod: Path,
        secrets: Mapping[str, str],
        kill: Kill | None,
    ) -> tuple[str, Outputs | None]:
        """Returns the key for the cache and the outputs, none where the cache has them."""
        folder = f"{run.root}/{run.name}/{name}/{pod.name}"
        invocation = self._invocation(component, inputs, folder, pod)
        check = spec.get("lifecycle", {}).get("preCacheCheck")
        if check and self._backend.looks_before_cache:
            container.run(check, invocation, image=self._image, pod=pod / "look", secrets=secrets)
            looked = container.reported(invocation["outputs"]["outputFile"])
            invocation["inputs"]["parameterValues"] |= looked.get("parameterValues", {})
        key = _cache_key(spec, invocation)
        cached = run.spec["root"]["dag"]["tasks"][name].get("cachingOptions", {})
        if cached.get("enableCache") and key in self.metadata.cache:
            return key, None
        container.run(
            spec, invocation, image=self._image, pod=pod / "main", secrets=secrets, kill=kill
        )
        return key, self._outputs(component, invocation)

    def _secrets(self, platform: Mapping[str, Any], label: str) -> dict[str, str]:
        """Variables out of secrets, which Kubernetes' part of the spec names."""
        kubernetes = platform.get("platforms", {}).get("kubernetes", {})
        told = kubernetes.get("deploymentSpec", {}).get("executors", {}).get(label, {})
        return {
            entry["envVar"]: self._image.secrets[secret["secretName"]][entry["secretKey"]]
            for secret in told.get("secretAsEnv", [])
            for entry in secret["keyToEnv"]
        }

    def _inputs(self, run: _Run, task: Mapping[str, Any]) -> dict[str, Any]:
        given = task.get("inputs", {})
        parameters: dict[str, Any] = {}
        for key, source in given.get("parameters", {}).items():
            if "runtimeValue" in source:
                parameters[key] = source["runtimeValue"]["constant"]
            elif "componentInputParameter" in source:
                parameters[key] = run.parameters[source["componentInputParameter"]]
            else:
                output = source["taskOutputParameter"]
                before = run.done[output["producerTask"]].outputs.parameters
                parameters[key] = before[output["outputParameterKey"]]
        artifacts = {}
        for key, source in given.get("artifacts", {}).items():
            output = source["taskOutputArtifact"]
            made = run.done[output["producerTask"]].outputs.artifacts
            listed = made.get(output["outputArtifactKey"], [])
            artifacts[key] = {"artifacts": [self._backend.input_artifact(a) for a in listed]}
        return {"parameterValues": parameters, "artifacts": artifacts}

    def _invocation(
        self, component: Mapping[str, Any], inputs: Mapping[str, Any], folder: str, pod: Path
    ) -> dict[str, Any]:
        declared = component.get("outputDefinitions", {})
        outputs = {
            key: {
                "artifacts": [
                    self._backend.output_artifact(kind["artifactType"], f"{folder}/{key}", key)
                ]
            }
            for key, kind in declared.get("artifacts", {}).items()
        }
        parameters = {
            key: {"outputFile": str(pod / "outputs" / key)}
            for key in declared.get("parameters", {})
        }
        return {
            "inputs": copy.deepcopy(dict(inputs)),
            "outputs": {
                "artifacts": outputs,
                "parameters": parameters,
                "outputFile": self._backend.report_file(folder, pod / "main"),
            },
        }

    def _outputs(self, component: Mapping[str, Any], invocation: Mapping[str, Any]) -> Outputs:
        report = container.reported(invocation["outputs"]["outputFile"])
        made: dict[str, list[StoredArtifact]] = {}
        for key, listed in invocation["outputs"]["artifacts"].items():
            (provisioned,) = listed["artifacts"]
            (told,) = report.get("artifacts", {}).get(key, {}).get("artifacts", [{}])
            kind = component["outputDefinitions"]["artifacts"][key]["artifactType"]
            uri = told.get("uri") or provisioned["uri"]
            made[key] = [self.metadata.add(kind, uri, told.get("metadata", {}))]
        parameters = {
            key: Path(where["outputFile"]).read_text()
            for key, where in invocation["outputs"]["parameters"].items()
        }
        return Outputs(made, parameters)


class _Run:
    """One run on the way."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        platform: Mapping[str, Any],
        parameters: Mapping[str, Any],
        name: str,
        kill: Kill | None,
    ) -> None:
        self.spec = spec
        self.platform = platform
        self.root = spec["defaultPipelineRoot"]
        self.parameters = parameters
        self.name = name
        self.kill = kill
        self.done: dict[str, TaskRun] = {}


def holds(condition: str, inputs: Mapping[str, Any]) -> bool:
    """Evaluates a task's condition, which is in the Common Expression Language."""
    environment = celpy.Environment()
    program = environment.program(environment.compile(condition))
    values = {"artifacts": inputs["artifacts"], "parameter_values": inputs["parameterValues"]}
    return bool(program.evaluate({"inputs": json_to_cel(values)}))


def _parameters(spec: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    if unknown := set(given) - set(declared):
        raise ValueError(f"no such runtime parameters: {sorted(unknown)}")
    values = {key: declared[key]["defaultValue"] for key in declared} | dict(given)
    # Whole numbers arrive as doubles, too.
    return {
        key: float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for key, value in values.items()
    }


def _upstream(task: Mapping[str, Any]) -> set[str]:
    given = task.get("inputs", {})
    sources = {
        source[kind]["producerTask"]
        for group, kind in (
            ("artifacts", "taskOutputArtifact"),
            ("parameters", "taskOutputParameter"),
        )
        for source in given.get(group, {}).values()
        if kind in source
    }
    return sources | set(task.get("dependentTasks", ()))


def _cache_key(spec: Mapping[str, Any], invocation: Mapping[str, Any]) -> str:
    """What both caches go by: names of inputs, parameters, kinds of outputs, the container."""
    inputs, outputs = invocation["inputs"], invocation["outputs"]
    seen = {
        "image": spec["image"],
        "words": container.words_of(spec),
        "parameters": inputs["parameterValues"],
        "inputs": {
            key: [artifact["name"] for artifact in listed["artifacts"]]
            for key, listed in inputs["artifacts"].items()
        },
        "outputs": {
            key: [{**artifact, "uri": ""} for artifact in listed["artifacts"]]
            for key, listed in outputs["artifacts"].items()
        },
        "output_parameters": sorted(outputs["parameters"]),
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
