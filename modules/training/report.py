"""What a training run tells: who shows the run, TensorBoard logs, `history.json`."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from modules.evaluation.metric_names import RECALL_OF_SIZES
from pipeline.progress import report
from pipeline.text_file import write_text

HISTORY_FILE = "history.json"
_SECONDS_BETWEEN_UPDATES = 0.2


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
        self._told = time.monotonic()
        self._writer = tf.summary.create_file_writer(str(folder))

    def resumed(self, history: Sequence[Mapping[str, float]], batch: int) -> None:
        """Takes over the rows of the attempt before, so that the curves are whole."""
        report.say(
            f"{self._whose}resuming in epoch {len(history) + 1}, after {batch} updates of it"
        )
        for row in history:
            self._log(row)
        self._write(history)

    def epoch(self, history: Sequence[Mapping[str, float]]) -> None:
        """Reports the last of the rows so far, and writes them all to `history.json`."""
        row = history[-1]
        self._log(row)
        self._write(history)
        row = history[-1]
        left = self._seconds_left(history)
        report.epoch(
            report.Epoch(
                self._line(history, left),
                int(row["epoch"]),
                self._max_epochs,
                row,
                left,
                self._whose,
            )
        )

    def updated(self, done: int, updates_an_epoch: int) -> None:
        """Tells of an update, now and then: how many are made in all.

        Args:
            done: Since the first epoch began.
            updates_an_epoch: How many an epoch has.
        """
        now = time.monotonic()
        if now - self._told >= _SECONDS_BETWEEN_UPDATES:
            self._told = now
            report.reach("updates", done, updates_an_epoch * self._max_epochs)

    def close(self) -> None:
        """Flushes and closes the logs, and tells the peak of memory."""
        self._writer.close()
        report.say(f"{self._whose}peak memory of this process: {peak_gib():.2f} GiB")

    def _write(self, history: Sequence[Mapping[str, float]]) -> None:
        write_text(self._folder / HISTORY_FILE, json.dumps(list(history), indent=1))

    def _log(self, row: Mapping[str, float]) -> None:
        with self._writer.as_default(step=int(row["epoch"])):
            for name, value in row.items():
                if name != "epoch":
                    group = "eval" if "_at_" in name or name == "mrr" else "train"
                    tf.summary.scalar(f"{group}/{name}", value)
        self._writer.flush()

    def _seconds_left(self, history: Sequence[Mapping[str, float]]) -> float:
        mean = sum(past["seconds"] for past in history) / len(history)
        return mean * (self._max_epochs - len(history))

    def _line(self, history: Sequence[Mapping[str, float]], left: float) -> str:
        row = history[-1]
        line = f"{self._whose}epoch {int(row['epoch'])}/{self._max_epochs}  loss {row['loss']:.4f}"
        if "recall_at_10" in row:
            line += f"  eval recall@10 {row['recall_at_10']:.4f}  ndcg@10 {row['ndcg_at_10']:.4f}"
        if RECALL_OF_SIZES in row:
            line += f"  of sizes {row[RECALL_OF_SIZES]:.4f}"
        return f"{line}  {row['seconds']:.1f} s  (at most {left / 60:.1f} min left)"
