"""Trains on planted windows as one process of a distributed training.

python -m tests.modules.training.distributed STRATEGY FOLDER EPOCHS [halves]

With `halves`, histories are learned from in halves too. All workers share
`FOLDER/checkpoints`; each
writes `weights-N.npz` and `history-N.json`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from modules.training.checkpoint import CheckpointStore
from modules.training.distribution import build_distribution, worker_number
from pipeline.config.training import DistributionConfig
from pipeline.errors import PocketRecError
from tests.modules.training.planted import halves_alone, planted_halves, train, training_config


def main(strategy: str, folder: Path, epochs: int, *, halves: bool) -> None:
    if strategy == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    settings = DistributionConfig.model_validate({"strategy": strategy, "shards": 2})
    distribution = build_distribution(settings)
    number = worker_number(os.environ) if strategy == "multi_worker" else 0
    weights, history = train(
        folder / f"worker-{number}",
        # Compiled, as in earnest, where one process computes all.
        training_config(
            max_epochs=epochs,
            distribution=settings,
            xla=strategy == "mirrored",
            **(halves_alone() if halves else {}),
        ),
        store=CheckpointStore(folder / "checkpoints", "run"),
        distribution=distribution,
        halves=planted_halves(75) if halves else None,
    )
    np.savez(folder / f"weights-{number}.npz", *weights)
    folder.joinpath(f"history-{number}.json").write_text(json.dumps(history))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), halves="halves" in sys.argv[4:])
    except PocketRecError as error:
        sys.exit(f"error: {error}")
