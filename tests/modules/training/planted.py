"""Tiny windows with a rule that can be learned: after movie m comes m + 1."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from modules.models.recommender import Recommender
from modules.training.checkpoint import CheckpointStore
from modules.training.distribution import Distribution
from modules.training.fit import fit
from modules.training.halves import TeacherHalves
from modules.training.input import Windows
from modules.training.report import Reporter
from pipeline.config.model import CnnConfig, EncoderConfig, ModelConfig
from pipeline.config.training import TrainingConfig

HISTORY = 6
MOVIES = 20


def planted_windows(count: int, *, held_out: bool = False) -> Windows:
    """`count` runs of consecutive movies; held-out windows have one target, at the end."""
    starts = np.random.default_rng(int(held_out)).integers(0, MOVIES, count)
    runs = ((starts[:, None] + np.arange(HISTORY + 1)) % MOVIES + 1).astype(np.int32)
    context, target = runs[:, :-1].copy(), runs[:, 1:].copy()
    if not held_out:
        return Windows(context, target, np.zeros(0, np.int32), np.zeros(count + 1, np.int64))
    target[:, :-1] = 0
    return Windows(context, target, context.reshape(-1), np.arange(count + 1) * HISTORY)


def windows_of_all_lengths(count: int) -> Windows:
    """As `planted_windows`, but a third of them have two events, and a third four."""
    windows = planted_windows(count)
    for row in range(count):
        missing = (0, HISTORY - 2, HISTORY - 4)[row % 3]
        windows.context[row, :missing] = 0
        windows.target[row, :missing] = 0
    return windows


def planted_halves(count: int) -> TeacherHalves:
    """What a teacher of three numbers might make of the halves of `planted_windows(count)`."""
    hot, cold = np.random.default_rng(7).normal(size=(2, count, 3)).astype(np.float16)
    return TeacherHalves(MOVIES // 4, hot, cold)


def halves_alone() -> dict[str, object]:
    """Settings that learn from these beside the targets, and from no scores."""
    terms = {"contrastive_weight": 0.5, "predictive_weight": 0.1}
    return {"distillation": {"weight": 0, "teachers": [{}], "recombination": terms}}


def training_config(**settings: object) -> TrainingConfig:
    """Updates that need no compilation, and a checkpoint every third of them."""
    defaults: dict[str, object] = {
        "batch_size": 10,
        "max_epochs": 3,
        "xla": False,
        "checkpoint_every": 3,
        "loss": {"name": "full_softmax", "chunk": 16},
        "ema_decay": 0.9,
        "optimizer": {"learning_rate": 0.02, "warmup_steps": 2, "schedule": "cosine"},
    }
    return TrainingConfig.model_validate({**defaults, **settings})


def small_model(table: dict[str, object], *, scoring: str = "dot") -> Recommender:
    """An untrained model of eight columns with an item table, the same for the same settings."""
    keras.utils.set_random_seed(6)
    config = ModelConfig.model_validate(
        {
            "encoder": {"name": "cnn", "layers": 1, "kernel": 2},
            "dim": 8,
            "scoring": scoring,
            "dropout": 0.0,
            "item_table": table,
        }
    )
    return Recommender(config, history_length=HISTORY, movies=MOVIES)


def train(
    folder: Path,
    config: TrainingConfig,
    *,
    encoder: EncoderConfig | None = None,
    store: CheckpointStore | None = None,
    seed: int = 1,
    windows: Windows | None = None,
    distribution: Distribution | None = None,
    halves: TeacherHalves | None = None,
) -> tuple[list[npt.NDArray[np.float32]], list[dict[str, float]]]:
    """Trains a new model; returns its weights and the history."""
    keras.utils.set_random_seed(seed)
    model_config = ModelConfig(encoder=encoder or CnnConfig(layers=1, kernel=2), dim=8)
    model = Recommender(model_config, history_length=HISTORY, movies=MOVIES)
    is_chief = distribution is None or distribution.is_chief
    reporter = Reporter(folder / "logs", config.max_epochs) if is_chief else None
    history = fit(
        model,
        windows or planted_windows(75),
        planted_windows(30, held_out=True),
        config,
        seed=seed,
        store=store or CheckpointStore(folder / "checkpoints", "run"),
        reporter=reporter,
        halves=halves,
        distribution=distribution,
    )
    if reporter is not None:
        reporter.close()
    return [weight.numpy() for weight in model.trainable_variables], history


if __name__ == "__main__":
    import sys

    where = Path(sys.argv[1])
    trained, _ = train(where, training_config(max_epochs=int(sys.argv[2])))
    np.savez(where / "weights.npz", *trained)
