from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tensorboard.backend.event_processing import event_accumulator  # type: ignore[import-untyped]

from modules.training.checkpoint import CheckpointStore, Progress
from pipeline.config.model import BowConfig, CnnConfig, EncoderConfig, LstmConfig
from pipeline.errors import ConfigError
from tests.modules.training.planted import train, training_config


class KillingStore(CheckpointStore):
    """Ends the run right after its nth checkpoint."""

    def __init__(self, root: Path, fingerprint: str, saves: int) -> None:
        super().__init__(root, fingerprint)
        self.left = saves

    def save(self, progress: Progress, arrays: Sequence[npt.NDArray[Any]]) -> None:
        super().save(progress, arrays)
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def assert_same(
    one: Sequence[npt.NDArray[np.float32]], other: Sequence[npt.NDArray[np.float32]]
) -> None:
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "encoder",
    [BowConfig(hidden=(16,)), CnnConfig(layers=1, kernel=2), LstmConfig(units=8)],
    ids=lambda encoder: encoder.name,
)
def test_learns_a_planted_rule(tmp_path: Path, encoder: EncoderConfig) -> None:
    config = training_config(max_epochs=25, patience=25, ema_decay=None)
    _, history = train(tmp_path, config, encoder=encoder)
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    # A history's movies are not among the 14 left; chance is 5/14 at 5.
    assert max(row["recall_at_5"] for row in history) > 0.9


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[npt.NDArray[np.float32]], list[dict[str, float]]]:
    """Weights and history of a run that nothing disturbs."""
    return train(tmp_path_factory.mktemp("whole"), training_config())


def test_same_seed_same_weights_and_another_seed_others(
    tmp_path: Path, whole: tuple[list[npt.NDArray[np.float32]], list[dict[str, float]]]
) -> None:
    again, _ = train(tmp_path / "again", training_config())
    other, _ = train(tmp_path / "other", training_config(), seed=2)
    assert_same(whole[0], again)
    assert np.abs(whole[0][0] - other[0]).max() > 1e-3


# 8 updates an epoch, a save every 3 updates and after each epoch: the third save is between two
# epochs, the fifth is update 12, in mid-epoch, and the last one is the end of the run.
@pytest.mark.parametrize("saves", [3, 5, 11])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    tmp_path: Path,
    whole: tuple[list[npt.NDArray[np.float32]], list[dict[str, float]]],
    saves: int,
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(
            tmp_path, training_config(), store=KillingStore(tmp_path / "checkpoints", "run", saves)
        )
    resumed, history = train(tmp_path, training_config())
    assert_same(whole[0], resumed)
    for row, wanted in zip(history, whole[1], strict=True):
        assert {**row, "seconds": 0} == {**wanted, "seconds": 0}


@pytest.mark.slow
def test_sigkill_at_any_moment(tmp_path: Path) -> None:
    def child(folder: Path) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tests.modules.training.planted", str(folder), "60"]
        return subprocess.Popen(command, cwd=Path(__file__).parents[3])

    assert child(tmp_path / "whole").wait() == 0
    killed = tmp_path / "killed"
    for attempt in range(3):
        process = child(killed)
        state = killed / "checkpoints" / "run" / "state.npz"
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and not (state.exists() and state.stat().st_mtime_ns > before):
            time.sleep(0.005)
        time.sleep(0.07 * attempt)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "ended before it was killed"
    assert child(killed).wait() == 0
    with np.load(tmp_path / "whole/weights.npz") as one, np.load(killed / "weights.npz") as other:
        assert_same([one[name] for name in one], [other[name] for name in one])


def test_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    # Updates too small to move any rank: the first evaluation stays the best.
    config = training_config(
        max_epochs=50, patience=2, ema_decay=None, optimizer={"learning_rate": 1e-12}
    )
    _, history = train(tmp_path, config)
    assert len(history) == 3


def test_keeps_the_best_weights_not_the_last(tmp_path: Path) -> None:
    # Good at first, then ruined: after the warm-up the steps are far too large.
    ruin = {"name": "sgd", "learning_rate": 60.0, "warmup_steps": 48, "clip_norm": 1.0}
    config = training_config(max_epochs=6, patience=6, ema_decay=None, optimizer=ruin)
    actual, history = train(tmp_path, config)
    best = max(range(6), key=lambda epoch: history[epoch]["recall_at_10"])
    assert best < 5
    shorter = training_config(max_epochs=best + 1, ema_decay=None, optimizer=ruin)
    expected, _ = train(tmp_path / "short", shorter)
    assert_same(expected, actual)


def test_no_epoch_starts_after_the_time_limit(tmp_path: Path) -> None:
    _, history = train(tmp_path, training_config(max_epochs=9, max_minutes=1e-9))
    assert len(history) == 1


def test_evaluates_every_other_epoch_and_the_last(tmp_path: Path) -> None:
    _, history = train(tmp_path, training_config(max_epochs=5, eval_every=2))
    assert [row["epoch"] for row in history if "recall_at_10" in row] == [2, 4, 5]


def test_divergence_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    config = training_config(optimizer={"name": "sgd", "learning_rate": 1e30, "warmup_steps": 0})
    with pytest.raises(ConfigError, match=r"lower training\.optimizer\.learning_rate \(1e\+30\)"):
        train(tmp_path, config)


def test_reports_on_screen_in_json_and_in_tensorboard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(folder, training_config(), store=KillingStore(folder / "checkpoints", "run", 4))
    for file in (folder / "logs").iterdir():
        file.unlink()
    _, history = train(folder, training_config())
    stored = json.loads((folder / "logs/history.json").read_text())
    assert stored == history
    assert [row["epoch"] for row in stored] == [1, 2, 3]
    # The epochs before the break are in the new logs too.
    logs = event_accumulator.EventAccumulator(str(folder / "logs"))
    logs.Reload()
    assert [event.step for event in logs.Tensors("eval/recall_at_10")] == [1, 2, 3]
    assert {"train/loss", "train/learning_rate"} <= set(logs.Tags()["tensors"])
    shown = capsys.readouterr().out
    assert "resuming in epoch 2, after 1 updates of it" in shown
    assert f"epoch 3/3  loss {history[2]['loss']:.4f}  eval recall@10" in shown
