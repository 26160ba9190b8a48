from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

from components.tflite_converter.convert import ConversionError
from components.tflite_converter.costs import measured_costs
from components.tflite_converter.flatbuffer import serialize
from tests.components.tflite_converter import toy
from tests.components.tflite_converter.small_file import tied

Converted = Callable[[str, str], bytes]


def test_time_and_memory_are_measured(converted: Converted) -> None:
    costs = measured_costs(
        converted("events", "int8"), toy.samples("events"), name="int8", timeout_seconds=60
    )
    # A machine under load is slow, but no toy takes a second or less than a microsecond.
    assert 1e-3 < costs.latency_ms < 1000
    assert costs.memory_bytes > 0


@pytest.mark.thorough
def test_a_larger_table_takes_more_memory() -> None:
    taken = []
    for rows in (1_000, 101_000):
        table = np.random.default_rng(1).normal(size=(rows, 64)).astype(np.float32)
        samples = {"ids": np.array([[1, 2]], np.int32), "context": np.ones((1, 64), np.float32)}
        content = serialize(tied(table).model)
        taken.append(measured_costs(content, samples, name="t", timeout_seconds=60).memory_bytes)
    # The product reads the whole table: 100,000 rows of 64 numbers of 4 bytes.
    assert 25e6 < taken[1] - taken[0] < 110e6


def test_a_process_that_fails_is_named_with_the_end_of_its_log() -> None:
    meter = [sys.executable, "-c", "raise SystemExit('no such processor')"]
    with pytest.raises(ConversionError, match=r"variant int4: the measurement(.|\n)*no such proc"):
        measured_costs(b"", {}, name="int4", timeout_seconds=60, meter=meter)


def test_a_process_without_a_result_is_named() -> None:
    meter = [sys.executable, "-c", "pass"]
    with pytest.raises(ConversionError, match="ended without a result"):
        measured_costs(b"", {}, name="int4", timeout_seconds=60, meter=meter)
