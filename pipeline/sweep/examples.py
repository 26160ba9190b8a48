"""The windows of a study: made by the pipeline's own steps, once for all trials that share them.

They live in a workspace of their own inside the given one, so that a study neither waits for a
pipeline nor stands among its runs. Unchanged steps come from the local runner's cache.

    python -m pipeline.sweep.examples CONFIG_JSON WORKSPACE OUTPUT_JSON

runs these steps; a process of its own, as TFX takes a gigabyte that trainings can use.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.config.root import Config
from pipeline.errors import DataError
from pipeline.sweep.child import Children, end_with_parent
from pipeline.text_file import write_text
from pipeline.workspace import Workspace

PREPARATION = (sys.executable, "-m", "pipeline.sweep.examples")


@dataclasses.dataclass(frozen=True)
class Examples:
    """Where the windows of one history section are.

    Attributes:
        examples: Folder of the transformed examples, one folder a split in it.
        transform_graph: Folder of Transform's graph.
        catalogue: Folder of ingestion's split `catalogue`.
    """

    examples: str
    transform_graph: str
    catalogue: str

    def files(self, split: str) -> list[str]:
        """Returns the patterns of a split's files."""
        return [f"{self.examples}/Split-{split}/*"]


class ExamplesStore:
    """Makes the windows that trials ask for, each kind once."""

    def __init__(
        self,
        root: Path,
        children: Children,
        said: Callable[[str], None],
        command: Sequence[str] = PREPARATION,
    ) -> None:
        """Prepares; nothing is made yet.

        Args:
            root: Folder of the inner workspace.
            children: Runs the steps.
            said: Told each line.
            command: Of the process that runs the steps; gets the three words that `main` takes.
        """
        self._command = list(command)
        self._root = root
        self._children = children
        self._said = said
        self._lock = threading.Lock()
        self._made: dict[str, Examples] = {}

    def get(self, config: Config) -> Examples:
        """Returns the windows of the configuration's data and history.

        Args:
            config: Its data set is a path.

        Raises:
            DataError: They cannot be made.
        """
        shaping = config.model_dump(mode="json", include={"dataset", "data", "history"})
        key = hashlib.sha256(json.dumps(shaping).encode()).hexdigest()[:16]
        # One at a time: they share one store of metadata.
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(config, key)
            return self._made[key]

    def _make(self, config: Config, key: str) -> Examples:
        folder = self._root / "prepared" / key
        settings, output = folder / "config.json", folder / "examples.json"
        output.unlink(missing_ok=True)
        write_text(settings, config.model_dump_json())
        self._said(f"preparing windows of {config.history.length} events ...")
        ended = self._children.run(
            [*self._command, str(settings), str(self._root), str(output)],
            folder / "log.txt",
            timeout_seconds=None,
            said=lambda line: self._said(f"  {line}") if "FAILED" in line else None,
        )
        if ended.problem is not None or not output.is_file():
            problem = ended.problem or "ended without a result"
            raise DataError(f"preparing the windows {problem}; the end of its log:\n{ended.tail}")
        return Examples(**json.loads(output.read_text(encoding="utf-8")))


def prepare(config: Config, workspace: Workspace) -> Examples:
    """Runs the steps up to the windows.

    Args:
        config: All settings.
        workspace: The inner one.

    Raises:
        DataError: A step failed.
    """
    from modules import features
    from pipeline.lineage import Lineage
    from pipeline.local_runner import run_locally

    outcome = run_locally(config, workspace, data_only=True)
    if outcome.failed_step is not None:
        raise DataError(f"{outcome.failed_step} failed: {outcome.error}\nlog: {outcome.log_file}")
    run = Lineage(workspace.metadata_db).read(outcome.run_id)
    raw = run.output("movielens_example_gen", "examples")
    windows = run.output("transform", "transformed_examples")
    graph = run.output("transform", "transform_graph")
    if raw is None or windows is None or graph is None:
        raise DataError(f"the run {outcome.run_id} left no windows; log: {outcome.log_file}")
    catalogue = raw.path / f"Split-{features.SPLIT_CATALOGUE}"
    return Examples(str(windows.path), str(graph.path), str(catalogue))


def main() -> None:
    """Prepares what the command line names and writes where it is."""
    end_with_parent()
    settings, workspace, output = (Path(word) for word in sys.argv[1:])
    config = Config.model_validate_json(settings.read_text(encoding="utf-8"))
    examples = prepare(config, Workspace.at(workspace))
    write_text(output, json.dumps(dataclasses.asdict(examples)))


if __name__ == "__main__":
    main()
