"""What a training run tells: lines on the screen, TensorBoard logs, `history.json`."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from pipeline.text_file import write_text

HISTORY_FILE = "history.json"


def peak_gib() -> float:
    """Returns the highest resident memory that this process has had, in GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In KiB, but for macOS.
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


class Reporter:
    """Reports one row an epoch: `epoch`, `loss`, `learning_rate`, `seconds`, `peak_gib`, metrics.

    `peak_gib` is the highest memory of the process so far; metrics are of the eval split.
    """

    def __init__(self, folder: Path, max_epochs: int, *, whose: str = "") -> None:
        """Opens the logs.

        Args:
            folder: Where TensorBoard's files and `history.json` go.
            max_epochs: Epochs of the longest run, for the time that is left.
            whose: What lines on the screen begin with.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._max_epochs = max_epochs
        self._whose = whose
        self._writer = tf.summary.create_file_writer(str(folder))

    def resumed(self, history: Sequence[Mapping[str, float]], batch: int) -> None:
        """Takes over the rows of the attempt before, so that the curves are whole."""
        print(
            f"{self._whose}resuming in epoch {len(history) + 1}, after {batch} updates of it",
            flush=True,
        )
        for row in history:
            self._log(row)
        self._write(history)

    def epoch(self, history: Sequence[Mapping[str, float]]) -> None:
        """Reports the last of the rows so far, and writes them all to `history.json`."""
        row = history[-1]
        self._log(row)
        self._write(history)
        print(self._line(history), flush=True)

    def close(self) -> None:
        """Flushes and closes the logs, and tells the peak of memory."""
        self._writer.close()
        print(f"{self._whose}peak memory of this process: {peak_gib():.2f} GiB", flush=True)

    def _write(self, history: Sequence[Mapping[str, float]]) -> None:
        write_text(self._folder / HISTORY_FILE, json.dumps(list(history), indent=1))

    def _log(self, row: Mapping[str, float]) -> None:
        with self._writer.as_default(step=int(row["epoch"])):
            for name, value in row.items():
                if name != "epoch":
                    group = "eval" if "_at_" in name or name == "mrr" else "train"
                    tf.summary.scalar(f"{group}/{name}", value)
        self._writer.flush()

    def _line(self, history: Sequence[Mapping[str, float]]) -> str:
        row = history[-1]
        line = f"{self._whose}epoch {int(row['epoch'])}/{self._max_epochs}  loss {row['loss']:.4f}"
        if "recall_at_10" in row:
            line += f"  eval recall@10 {row['recall_at_10']:.4f}  ndcg@10 {row['ndcg_at_10']:.4f}"
        mean = sum(past["seconds"] for past in history) / len(history)
        left = mean * (self._max_epochs - len(history))
        return f"{line}  {row['seconds']:.1f} s  (at most {left / 60:.1f} min left)"
