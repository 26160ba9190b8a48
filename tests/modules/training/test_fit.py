from __future__ import annotations

import dataclasses
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
from modules.training.evaluation import HeldOutEvaluation
from pipeline.config.model import BowConfig, CnnConfig, EncoderConfig, LstmConfig
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError
from tests.modules.training.planted import train, training_config, windows_of_all_lengths

# What no two runs have in common.
UNLIKE = {"seconds": 0, "peak_gib": 0}


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
@pytest.mark.thorough
def test_learns_a_planted_rule(tmp_path: Path, encoder: EncoderConfig) -> None:
    config = training_config(max_epochs=25, patience=25, ema_decay=None)
    _, history = train(tmp_path, config, encoder=encoder)
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    # A history's movies are not among the 14 left; chance is 5/14 at 5.
    assert max(row["recall_at_5"] for row in history) > 0.9


@dataclasses.dataclass(frozen=True)
class Whole:
    """A run that nothing disturbs."""

    config: TrainingConfig
    weights: list[npt.NDArray[np.float32]]
    history: list[dict[str, float]]


@pytest.fixture(scope="module", params=[(), (2, 4)], ids=["one_length", "buckets"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    config = training_config(length_buckets=request.param)
    folder = tmp_path_factory.mktemp("whole")
    return Whole(config, *train(folder, config, windows=windows_of_all_lengths(75)))


@pytest.mark.thorough
def test_same_seed_same_weights_and_another_seed_others(tmp_path: Path, whole: Whole) -> None:
    windows = windows_of_all_lengths(75)
    again, _ = train(tmp_path / "again", whole.config, windows=windows)
    other, _ = train(tmp_path / "other", whole.config, windows=windows, seed=2)
    assert_same(whole.weights, again)
    assert np.abs(whole.weights[0] - other[0]).max() > 1e-3


# 8 updates an epoch, with and without buckets, a save every 3 updates and after each epoch: the
# third save is between two epochs, the fifth is update 12, in mid-epoch, and the last one is the
# end of the run.
@pytest.mark.parametrize(
    "saves",
    [pytest.param(3, marks=pytest.mark.slow), 5, pytest.param(11, marks=pytest.mark.slow)],
)
@pytest.mark.thorough
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, whole: Whole, saves: int
) -> None:
    windows = windows_of_all_lengths(75)
    killing = KillingStore(tmp_path / "checkpoints", "run", saves)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, whole.config, windows=windows, store=killing)
    resumed, history = train(tmp_path, whole.config, windows=windows)
    assert_same(whole.weights, resumed)
    for row, wanted in zip(history, whole.history, strict=True):
        assert {**row, **UNLIKE} == {**wanted, **UNLIKE}


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


@pytest.mark.thorough
def test_keeps_the_best_weights_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Judged(HeldOutEvaluation):
        """Judges epochs by numbers of its own."""

        epochs = 0

        def __call__(self) -> dict[str, float]:
            self.epochs += 1
            recall = (0.2, 0.6, 0.5, 0.6)[self.epochs - 1]
            return {**super().__call__(), "recall_at_10": recall}

    monkeypatch.setattr("modules.training.epoch_evaluation.HeldOutEvaluation", Judged)
    settings: dict[str, Any] = {"ema_decay": None, "optimizer": {"learning_rate": 0.02}}
    actual, _ = train(tmp_path, training_config(max_epochs=4, **settings))
    # The second epoch is the best; one that is no better does not replace it.
    expected, _ = train(tmp_path / "short", training_config(max_epochs=2, **settings))
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


@pytest.mark.thorough
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
    assert {"train/loss", "train/learning_rate", "train/peak_gib"} <= set(logs.Tags()["tensors"])
    shown = capsys.readouterr().out
    assert "resuming in epoch 2, after 1 updates of it" in shown
    assert f"peak memory of this process: {history[2]['peak_gib']:.2f} GiB" in shown
    # TensorFlow alone takes a third of a gigabyte; no unit but GiB fits.
    assert 0.2 < history[2]["peak_gib"] < 20
    assert f"epoch 3/3  loss {history[2]['loss']:.4f}  eval recall@10" in shown
