"""Reads the deployment's manifests, as kustomize puts them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "kubeflow/manifests"

Object = Mapping[str, Any]


def kustomization() -> Object:
    """Returns the kustomization itself."""
    tree: Object = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    return tree


def objects() -> dict[tuple[str, str], Object]:
    """Returns every object by kind and name."""
    found = {}
    for resource in kustomization()["resources"]:
        for tree in yaml.safe_load_all((FOLDER / resource).read_text(encoding="utf-8")):
            found[tree["kind"], tree["metadata"]["name"]] = tree
    return found


def pods() -> Iterator[tuple[str, Object]]:
    """Yields the pod specs, by their owner's name."""
    for (kind, name), tree in objects().items():
        if kind in ("Deployment", "StatefulSet", "Job"):
            yield name, tree["spec"]["template"]["spec"]


def containers() -> Iterator[tuple[str, Object]]:
    """Yields all containers, by owner and own name."""
    for owner, pod in pods():
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{owner}/{container['name']}", container


def container(owner: str, name: str) -> Object:
    """Returns one container."""
    return dict(containers())[f"{owner}/{name}"]


def environment(told: Object, secrets: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Returns a container's variables as Kubernetes sets them.

    Args:
        told: The container.
        secrets: Values by secret and key.
    """
    variables: dict[str, str] = {}
    for entry in told.get("env", []):
        if "valueFrom" in entry:
            reference = entry["valueFrom"]["secretKeyRef"]
            value = secrets[reference["name"], reference["key"]]
        else:
            value = entry["value"]
            for name, before in variables.items():
                value = value.replace(f"$({name})", before)
        variables[entry["name"]] = value
    return variables
