from __future__ import annotations

import keras
import numpy as np
import pytest

from modules.training.optimizer import WarmupSchedule, build_optimizer
from pipeline.config.training import OptimizerConfig


def test_constant_schedule_warms_up() -> None:
    schedule = WarmupSchedule(OptimizerConfig(learning_rate=0.4, warmup_steps=4), 100)
    rates = [float(schedule(step)) for step in (0, 1, 3, 4, 99)]
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.4, 0.4, 0.4], rtol=1e-6)


def test_cosine_schedule_ends_at_zero() -> None:
    config = OptimizerConfig(learning_rate=0.4, warmup_steps=2, schedule="cosine")
    schedule = WarmupSchedule(config, 12)
    rates = [float(schedule(step)) for step in (0, 2, 7, 12, 50)]
    np.testing.assert_allclose(rates, [0.2, 0.4, 0.2, 0, 0], atol=1e-7)


def test_no_warmup() -> None:
    schedule = WarmupSchedule(OptimizerConfig(learning_rate=0.4, warmup_steps=0), 10)
    assert float(schedule(0)) == pytest.approx(0.4)


@pytest.mark.parametrize("name", ["adam", "adamw", "adagrad", "sgd"])
def test_each_optimizer_goes_downhill(name: str) -> None:
    config = OptimizerConfig.model_validate(
        {"name": name, "learning_rate": 0.1, "warmup_steps": 0, "clip_norm": 1.0}
    )
    optimizer = build_optimizer(config, 100)
    weight = keras.Variable(np.array([3.0, -4.0], np.float32))
    optimizer.build([weight])
    for _ in range(20):
        optimizer.apply([2 * weight.value], [weight])
    assert np.abs(weight.numpy()).sum() < 7


def test_clipping_bounds_a_step() -> None:
    config = OptimizerConfig(name="sgd", learning_rate=1.0, warmup_steps=0, clip_norm=0.5)
    optimizer = build_optimizer(config, 10)
    weight = keras.Variable(np.zeros(2, np.float32))
    optimizer.build([weight])
    optimizer.apply([np.array([30.0, 40.0], np.float32)], [weight])
    np.testing.assert_allclose(weight.numpy(), [-0.3, -0.4], rtol=1e-5)
