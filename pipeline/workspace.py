"""The folder that holds all state of the runs, and nothing elsewhere does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

DEFAULT_WORKSPACE = Path("workspace")


@dataclasses.dataclass(frozen=True)
class Workspace:
    """Paths inside one workspace folder; nothing is created by asking for a path.

    Attributes:
        root: The workspace folder, absolute.
    """

    root: Path

    @classmethod
    def at(cls, path: str | Path) -> Workspace:
        """Returns the workspace at `path`, which need not exist yet."""
        return cls(Path(path).expanduser().resolve())

    @property
    def metadata_db(self) -> Path:
        """ML Metadata's sqlite file: every run, execution and artifact."""
        return self.root / "metadata.sqlite"

    @property
    def pipeline_root(self) -> Path:
        """Where TFX writes artifacts."""
        return self.root / "artifacts"

    @property
    def data(self) -> Path:
        """Downloaded, extracted and generated data sets, one folder each."""
        return self.root / "data"

    @property
    def checkpoints(self) -> Path:
        """Training checkpoints that a killed run resumes from."""
        return self.root / "checkpoints"

    @property
    def registry(self) -> Path:
        """The model registry: `mlflow.db` and `artifacts/`."""
        return self.root / "registry"

    @property
    def tracking_uri(self) -> str:
        """The default MLflow tracking URI: sqlite in this workspace."""
        return f"sqlite:///{self.registry / 'mlflow.db'}"

    @property
    def runs(self) -> Path:
        """One JSON summary a run, named by the pipeline run's id."""
        return self.root / "runs"

    @property
    def dashboards(self) -> Path:
        """Rendered dashboards."""
        return self.root / "dashboards"

    @property
    def lock_file(self) -> Path:
        """Held while a run is writing into this workspace."""
        return self.root / ".lock"
