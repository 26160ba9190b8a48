"""What a backend keeps of runs: artifacts, and which execution made what, for its cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import yaml


@dataclasses.dataclass
class StoredArtifact:
    """One artifact as the backend's metadata knows it.

    Attributes:
        number: Counts up from 1.
        type: The declared type, as the spec has it.
        uri: Where it lies.
        metadata: JSON values by name.
    """

    number: int
    type: Mapping[str, str]
    uri: str
    metadata: dict[str, Any]

    @property
    def title(self) -> str:
        """The type's title, e.g. `tfx.Model`."""
        if "schemaTitle" in self.type:
            return self.type["schemaTitle"]
        return str(yaml.safe_load(self.type["instanceSchema"])["title"])


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What one execution of a task put out."""

    artifacts: Mapping[str, Sequence[StoredArtifact]]
    parameters: Mapping[str, Any]


class Metadata:
    """Artifacts of all runs and the cache over their executions."""

    def __init__(self) -> None:
        self.artifacts: list[StoredArtifact] = []
        self.cache: dict[str, Outputs] = {}

    def add(self, kind: Mapping[str, str], uri: str, metadata: Mapping[str, Any]) -> StoredArtifact:
        """Records an artifact that an execution has completed."""
        artifact = StoredArtifact(len(self.artifacts) + 1, kind, uri, dict(metadata))
        self.artifacts.append(artifact)
        return artifact
