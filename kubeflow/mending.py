"""What open-source Kubeflow Pipelines leaves out of an invocation, and TFX cannot do without.

Vertex AI leaves nothing of it out, so that its invocations pass unchanged.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any


def mended(
    invocation: Mapping[str, Any], inputs_spec: Mapping[str, Any], outputs_spec: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns an invocation that TFX understands.

    Args:
        invocation: An ExecutorInput, as JSON values.
        inputs_spec: The component's input definitions.
        outputs_spec: The component's output definitions.
    """
    result: dict[str, Any] = copy.deepcopy(dict(invocation))
    for side, spec in (("inputs", inputs_spec), ("outputs", outputs_spec)):
        declared = spec.get("artifacts", {})
        for key, artifact in _artifacts(result.get(side, {})):
            _add_type(artifact, declared.get(key, {}).get("artifactType", {}))
            _add_name(artifact)
    return result


def _artifacts(side: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, listed in side.get("artifacts", {}).items():
        for artifact in listed.get("artifacts", []):
            yield key, artifact


def _add_type(artifact: dict[str, Any], declared: Mapping[str, Any]) -> None:
    """Adds the declared type where none arrives: TFX would end with an UnboundLocalError."""
    if not artifact.get("type") and declared:
        artifact["type"] = dict(declared)


def _add_name(artifact: dict[str, Any]) -> None:
    """Names an artifact without a name after its address.

    TFX makes the number of an artifact of its name, and the Evaluator writes the numbers of the
    models that it has compared: without names all are zero, and it ends with a KeyError.
    """
    if not artifact.get("name"):
        artifact["name"] = artifact["uri"]
