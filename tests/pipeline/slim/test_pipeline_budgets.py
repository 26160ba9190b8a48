"""Files for budgets that the pipeline makes: as large as what ships may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.tflite_converter.budgets import METADATA_RESERVE
from components.tflite_converter.costs import Costs
from components.tflite_converter.parity import HeldOut
from components.tflite_converter.samples import Samples
from components.tflite_converter.variants import convert_variants
from modules.evaluation.ranking import Ragged
from pipeline.config.delivery import ConversionConfig
from pocketrec_device.gzipped import gzipped
from tests.pipeline.slim import elastic_toy
from tests.pipeline.slim.elastic_toy import MOVIES, TOP_K

pytestmark = pytest.mark.thorough

BUDGET = 8 * 1024


def not_measured(content: bytes, samples: Samples, *, name: str, timeout_seconds: float) -> Costs:
    assert content
    assert samples
    assert name
    assert timeout_seconds > 0
    return Costs(latency_ms=0.5, memory_bytes=4096)


def windows(count: int) -> HeldOut:
    context = elastic_toy.histories(count).astype(np.int64)
    seen = [row[row > 0] for row in context]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in seen])]).astype(np.int64)
    return HeldOut(context, np.ones(count, np.int64), Ragged(np.concatenate(seen), offsets), MOVIES)


def test_a_budget_counts_what_ships(tmp_path: Path) -> None:
    elastic_toy.make(tmp_path)
    settings = ConversionConfig(variants=("float32", "int8"), budgets=("8KB",), top_k=TOP_K)
    files = {}
    for gzip in (False, True):
        config = settings.model_copy(update={"gzip": gzip})
        saved = str(tmp_path / "saved")
        made = convert_variants(saved, windows(24), config=config, meter=not_measured)
        files[gzip] = made.variants["elastic_8kb"].content
    most = BUDGET - METADATA_RESERVE
    assert len(files[False]) <= most < len(files[True])
    assert len(gzipped(files[True])) <= most
