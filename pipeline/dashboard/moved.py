"""Finds the artifacts of a workspace that was moved or copied since it ran."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pipeline.lineage import Artifact, Run, Step
from pipeline.workspace import Workspace


def at_home(run: Run, workspace: Workspace) -> Run:
    """Returns the run with each lost artifact's address replaced by its place in the workspace.

    ML Metadata records absolute paths. Where such a path is gone, and the same path below the
    workspace's own folder of artifacts is there, that one is meant.

    Args:
        run: The run as recorded.
        workspace: Where it is looked for.
    """
    root = workspace.pipeline_root

    def settle(artifact: Artifact) -> Artifact:
        if "://" in artifact.uri.removeprefix("file://") or artifact.path.exists():
            return artifact
        found = _below(artifact.path, root)
        return dataclasses.replace(artifact, uri=str(found)) if found else artifact

    def settle_step(step: Step) -> Step:
        return dataclasses.replace(
            step,
            inputs={key: tuple(map(settle, group)) for key, group in step.inputs.items()},
            outputs={key: tuple(map(settle, group)) for key, group in step.outputs.items()},
        )

    return dataclasses.replace(run, steps=tuple(map(settle_step, run.steps)))


def _below(path: Path, root: Path) -> Path | None:
    parts = path.parts
    for place in reversed([i for i, part in enumerate(parts) if part == root.name]):
        candidate = root.joinpath(*parts[place + 1 :])
        if candidate.exists():
            return candidate
    return None
