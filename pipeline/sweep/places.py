"""Where a study keeps its things."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pipeline.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a study keeps its things, inside the workspace's `sweeps`.

    Attributes:
        root: The study's folder.
        trials: Of the study as it is defined now: one folder a training.
        examples: The inner workspace with the windows of all studies.
        checkpoints: Of the trainings of all studies, under way or over: what one study has
            trained, another one takes, as a teacher too.
    """

    root: Path
    trials: Path
    examples: Path
    checkpoints: Path

    @classmethod
    def of(cls, workspace: Workspace, name: str, definition: str) -> Places:
        """Returns the places of a study."""
        sweeps = workspace.root / "sweeps"
        return cls(
            root=sweeps / name,
            trials=sweeps / name / definition,
            examples=sweeps / "windows",
            checkpoints=sweeps / "checkpoints",
        )

    @property
    def results(self) -> Path:
        """The results file."""
        return self.root / "results.json"
