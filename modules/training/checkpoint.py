"""Checkpoints of a training run: whole on disk, or not there."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError

_FILE = "state.npz"
_PROGRESS = "progress"
_LOCK = "lock"


@dataclasses.dataclass
class Progress:
    """Where a run stands, apart from its arrays.

    Attributes:
        epoch: The epoch under way, from 0.
        batch: Updates made in it.
        step: Updates made in all.
        loss_sum: Loss of the epoch's targets so far.
        targets: Sum of these targets' weights.
        epoch_seconds: Seconds spent in the epoch so far, over all attempts.
        total_seconds: Seconds spent on whole epochs, over all attempts.
        best_recall: The best of what epochs are chosen by, on eval; -1 before the first evaluation.
        stale: Evaluations since then.
        history: One row an epoch that is over.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    targets: float = 0.0
    epoch_seconds: float = 0.0
    total_seconds: float = 0.0
    best_recall: float = -1.0
    stale: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)


class CheckpointStore:
    """The newest checkpoint of one run, in a folder that is named by all that shapes the run."""

    def __init__(self, root: Path, fingerprint: str) -> None:
        """Names the place; nothing is created yet.

        Args:
            root: Folder of all runs' checkpoints, on a local or mounted file system.
            fingerprint: Changes with everything that changes the trained weights.
        """
        self.folder = root / fingerprint

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Waits until no other process of this machine trains the same run, and keeps it so."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def save(self, progress: Progress, arrays: Sequence[npt.NDArray[Any]]) -> None:
        """Replaces the checkpoint; after a crash at any point, the old or the new one is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(dataclasses.asdict(progress))
        named = {f"array_{index:04d}": array for index, array in enumerate(arrays)}
        temporary = self.folder / f"{_FILE}.partial"
        with temporary.open("wb") as file:
            np.savez(file, **{_PROGRESS: np.array(text)}, **named)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / _FILE)

    def load(self) -> tuple[Progress, list[npt.NDArray[Any]]] | None:
        """Returns what `save` was given last, or None where there is no checkpoint.

        Raises:
            DataError: The file is damaged.
        """
        path = self.folder / _FILE
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                progress = Progress(**json.loads(str(stored[_PROGRESS])))
                names = sorted(name for name in stored.files if name != _PROGRESS)
                return progress, [stored[name] for name in names]
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path}: damaged checkpoint ({error}); delete {self.folder} to train from the "
                "start"
            ) from error

    def remove(self) -> None:
        """Deletes the run's checkpoint, if there is one."""
        shutil.rmtree(self.folder, ignore_errors=True)
