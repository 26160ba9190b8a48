"""How the two backends hand a step its artifacts, told from the drivers and launchers they have.

Open-source Kubeflow Pipelines names an input artifact by the number of its metadata record, leaves
out its type, and gives an output artifact its type but no name; the executor's report lies on the
container's own disk; there is no look at the files before the cache is asked; resolvers are
refused. Of an executor's report it takes the address and the metadata of artifacts, nothing else.

Vertex AI gives every artifact its resource name and its type; the report lies below the pipeline's
root; ExampleGen's `preCacheCheck` runs first and what it reports becomes part of the parameters;
resolvers are queries of the metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.kubeflow.cluster.artifacts import Metadata, StoredArtifact


class RefusedError(Exception):
    """The backend refuses the pipeline."""


class Backend(Protocol):
    """What differs between the backends."""

    looks_before_cache: bool

    def check(self, spec: Mapping[str, Any]) -> None:
        """Refuses what it cannot run.

        Raises:
            RefusedError: Says what.
        """

    def input_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Returns an input as a RuntimeArtifact."""

    def output_artifact(self, kind: Mapping[str, str], uri: str, key: str) -> dict[str, Any]:
        """Returns an output to be made as a RuntimeArtifact."""

    def report_file(self, folder_of_task: str, own_disk: Path) -> str:
        """Returns where the executor has to report."""

    def resolve(
        self, queries: Mapping[str, Any], inputs: Mapping[str, Any], metadata: Metadata
    ) -> dict[str, list[StoredArtifact]]:
        """Answers a resolver's queries."""


class Kubeflow:
    """Open-source Kubeflow Pipelines."""

    looks_before_cache = False

    def check(self, spec: Mapping[str, Any]) -> None:
        """See `Backend`."""
        for label, executor in spec["deploymentSpec"]["executors"].items():
            if "container" not in executor:
                raise RefusedError(f"{label}: {', '.join(executor)} is not implemented")

    def input_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """See `Backend`."""
        return {
            "name": str(artifact.number),
            "uri": artifact.uri,
            "metadata": {**artifact.metadata, "store_session_info": '{"Provider":"s3"}'},
        }

    def output_artifact(self, kind: Mapping[str, str], uri: str, key: str) -> dict[str, Any]:  # noqa: ARG002
        """See `Backend`."""
        return {"uri": uri, "type": dict(kind)}

    def report_file(self, folder_of_task: str, own_disk: Path) -> str:  # noqa: ARG002
        """See `Backend`."""
        return str(own_disk / "kfp_outputs" / "output_metadata.json")

    def resolve(
        self,
        queries: Mapping[str, Any],
        inputs: Mapping[str, Any],  # noqa: ARG002
        metadata: Metadata,  # noqa: ARG002
    ) -> dict[str, list[StoredArtifact]]:
        """See `Backend`."""
        raise RefusedError(f"resolvers are not implemented: {queries}")


class Vertex:
    """Vertex AI Pipelines."""

    looks_before_cache = True
    _PREFIX = "projects/1/locations/europe-west4/metadataStores/default/artifacts/"

    def check(self, spec: Mapping[str, Any]) -> None:
        """See `Backend`."""

    def input_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """See `Backend`."""
        return {
            "name": self._name(artifact.number),
            "uri": artifact.uri,
            "type": dict(artifact.type),
            "metadata": artifact.metadata,
        }

    def output_artifact(self, kind: Mapping[str, str], uri: str, key: str) -> dict[str, Any]:
        """See `Backend`."""
        # Object storage has no folders that would have to be made; a folder in its place has.
        Path(uri).mkdir(parents=True, exist_ok=True)
        return {"name": f"{self._PREFIX}new-{key}", "uri": uri, "type": dict(kind)}

    def report_file(self, folder_of_task: str, own_disk: Path) -> str:  # noqa: ARG002
        """See `Backend`."""
        return f"{folder_of_task}/executor_output.json"

    def resolve(
        self,
        queries: Mapping[str, Any],
        inputs: Mapping[str, Any],
        metadata: Metadata,
    ) -> dict[str, list[StoredArtifact]]:
        """See `Backend`; the newest artifact that a filter lets through, or none."""
        found: dict[str, list[StoredArtifact]] = {}
        for key, query in queries.items():
            conditions = [_filled(part.strip(), inputs) for part in query["filter"].split(" AND ")]
            matching = [a for a in metadata.artifacts if all(self._holds(c, a) for c in conditions)]
            found[key] = matching[-1:]
        return found

    def _holds(self, condition: str, artifact: StoredArtifact) -> bool:
        field, _, text = condition.partition("=")
        value = text.strip('"')
        if field == "schema_title":
            return artifact.title == value
        if field == "state":
            return value == "LIVE"
        if field == "name":
            return self._name(artifact.number) == value
        if matched := re.fullmatch(r"metadata\.(\w+)\.number_value", field):
            return artifact.metadata.get(matched[1]) == float(value)
        raise RefusedError(f"a filter that is not played here: {condition}")

    def _name(self, number: int) -> str:
        return f"{self._PREFIX}{number}"


def _filled(condition: str, inputs: Mapping[str, Any]) -> str:
    """Puts an input artifact's metadata in the place that a filter names; none gives no name."""

    def value(match: re.Match[str]) -> str:
        artifacts: Sequence[Mapping[str, Any]] = inputs.get(match[1], {}).get("artifacts", [])
        return str(artifacts[0]["metadata"][match[2]]) if artifacts else ""

    return re.sub(
        r"\{\{\$\.inputs\.artifacts\['(\w+)'\]\.metadata\['(\w+)'\]\}\}", value, condition
    )
