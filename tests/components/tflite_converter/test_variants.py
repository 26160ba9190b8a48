from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.tflite_converter.convert import ConversionError
from components.tflite_converter.costs import Costs
from components.tflite_converter.parity import HeldOut, recall_at_10, top10_overlap
from components.tflite_converter.samples import Samples
from components.tflite_converter.smoke import further_probes
from components.tflite_converter.variants import (
    Conversion,
    Meter,
    convert_variants,
    saved_model_answers,
)
from components.tflite_converter.worker import main
from modules.evaluation.ranking import Ragged
from modules.models import serving
from modules.models.recommender import Recommender
from pipeline.config.delivery import ConversionConfig, VariantName
from pipeline.config.model import LstmConfig, ModelConfig
from tests.components.tflite_converter import toy

CONFIG = ConversionConfig(top_k=toy.TOP_K)
COSTS = Costs(latency_ms=0.5, memory_bytes=4096)
Converted = Callable[[str, str], bytes]
NO_MODEL = b"not a model, but long enough to be read as one" * 8


def held_out(count: int = 64, encoder: str = "cnn") -> HeldOut:
    """Random left-padded histories, nothing seen beside them, and the movie 1 as target."""
    random = np.random.default_rng(4)
    context = random.integers(2, toy.MOVIES, (count, toy.LENGTH), np.int64, endpoint=True)
    context[random.integers(0, 2, count) == 0, :2] = 0
    seen = [row[row > 0] for row in context]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in seen])])
    return HeldOut(
        context,
        np.ones(count, np.int64),
        Ragged(np.concatenate(seen).astype(np.int64), offsets.astype(np.int64)),
        toy.MOVIES,
        further_probes(context, context, toy.inputs(encoder))[0],
    )


def copying(folder: Path, files: Mapping[Any, bytes]) -> list[str]:
    """A child process that has converted already: it copies files by the variant's name."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    code = f"import shutil, sys; shutil.copy({str(folder)!r} + '/' + sys.argv[2], sys.argv[3])"
    return [sys.executable, "-c", code]


def meter(content: bytes, samples: Samples, *, name: str, timeout_seconds: float) -> Costs:
    """Takes no time; `test_costs` measures."""
    assert content
    assert name
    assert timeout_seconds > 0
    assert samples["context_movie_id"].dtype == np.int32
    return COSTS


def made(files: Mapping[Any, bytes], encoder: str, folder: Path, saved_model: str) -> Conversion:
    return convert_variants(
        saved_model,
        held_out(encoder=encoder),
        config=CONFIG,
        worker=copying(folder, files),
        meter=meter,
    )


@pytest.mark.parametrize("encoder", list(toy.ENCODERS))
def test_variants_answer_as_the_saved_model_does(
    encoder: str, saved_model: Callable[[str], str], converted: Converted, tmp_path: Path
) -> None:
    files: dict[str, bytes] = {name: converted(encoder, name) for name in CONFIG.variants}
    conversion = made(files, encoder, tmp_path, saved_model(encoder))
    assert list(conversion.variants) == ["float32", "float16", "int8", "int4"]
    assert conversion.windows == 64
    assert conversion.not_made == {}
    for name, variant in conversion.variants.items():
        assert variant.content == files[name]
        assert variant.costs == COSTS
        assert variant.sha256 == hashlib.sha256(files[name]).hexdigest()
    overlap = {name: variant.top10_overlap for name, variant in conversion.variants.items()}
    assert overlap["float32"] > 0.995
    assert overlap["float16"] > 0.98
    assert overlap["int8"] > 0.85
    # Random tables are the hardest to hold in 4 bits.
    assert overlap["int4"] > 0.5
    assert conversion.variants["float32"].recall_at_10 == conversion.keras_recall_at_10


def test_a_broken_table_shows_in_the_overlap(
    saved_model: Callable[[str], str], converted: Converted, tmp_path: Path
) -> None:
    files = {name: converted("cnn", name) for name in CONFIG.variants}
    files["int8"] = toy.corrupt_table(files["int8"])
    conversion = made(files, "cnn", tmp_path, saved_model("cnn"))
    assert conversion.variants["int8"].top10_overlap < 0.3


@pytest.mark.parametrize("broken", ["float32", "int8"])
def test_a_gated_variant_or_a_reference_that_is_no_model_is_an_error(
    broken: VariantName, saved_model: Callable[[str], str], converted: Converted, tmp_path: Path
) -> None:
    files = {name: converted("bow", name) for name in CONFIG.variants}
    files[broken] = NO_MODEL
    with pytest.raises(ConversionError, match=rf"{broken}.*LiteRT cannot load it"):
        made(files, "bow", tmp_path, saved_model("bow"))


def test_another_variant_that_cannot_be_had_is_left_out_with_its_reason(
    saved_model: Callable[[str], str], converted: Converted, tmp_path: Path
) -> None:
    files = {name: converted("bow", name) for name in CONFIG.variants if name != "int4"}
    files["float16"] = NO_MODEL
    conversion = made(files, "bow", tmp_path, saved_model("bow"))
    assert list(conversion.variants) == ["float32", "int8"]
    assert sorted(conversion.not_made) == ["float16", "int4"]
    assert "LiteRT cannot load it" in conversion.not_made["float16"]
    assert "variant int4 of" in conversion.not_made["int4"]
    assert "FileNotFoundError" in conversion.not_made["int4"]


def test_budgets_of_a_model_without_an_elastic_table_are_left_out(
    saved_model: Callable[[str], str], converted: Converted, tmp_path: Path
) -> None:
    files = {name: converted("bow", name) for name in CONFIG.variants}
    conversion = convert_variants(
        saved_model("bow"),
        held_out(),
        config=CONFIG.model_copy(update={"budgets": ("64KB",)}),
        worker=copying(tmp_path, files),
        meter=meter,
    )
    assert list(conversion.variants) == list(CONFIG.variants)
    assert "set model.item_table to elastic" in conversion.not_made["elastic_64kb"]


def test_a_variant_whose_measurement_crashes_is_left_out_unless_it_is_needed(
    saved_model: Callable[[str], str], converted: Converted, tmp_path: Path
) -> None:
    files = {name: converted("bow", name) for name in CONFIG.variants}

    def crashing(name_of_crash: str) -> Meter:
        def measure(
            content: bytes, samples: Samples, *, name: str, timeout_seconds: float
        ) -> Costs:
            if name == name_of_crash:
                raise ConversionError("crashed")
            return meter(content, samples, name=name, timeout_seconds=timeout_seconds)

        return measure

    def measured_by(measure: Meter) -> Conversion:
        return convert_variants(
            saved_model("bow"),
            held_out(),
            config=CONFIG,
            worker=copying(tmp_path, files),
            meter=measure,
        )

    assert measured_by(crashing("int4")).not_made == {"int4": "crashed"}
    with pytest.raises(ConversionError, match="crashed"):
        measured_by(crashing("int8"))


def test_a_model_of_another_k_is_refused(
    saved_model: Callable[[str], str], converted: Converted, tmp_path: Path
) -> None:
    files = {name: converted("bow", name) for name in CONFIG.variants}
    config = ConversionConfig(top_k=toy.TOP_K - 1)
    with pytest.raises(ConversionError, match=r"answers have the shape \(22, 20\)"):
        convert_variants(
            saved_model("bow"),
            held_out(),
            config=config,
            worker=copying(tmp_path, files),
            meter=meter,
        )


def test_no_windows_is_an_error_before_any_conversion() -> None:
    none = HeldOut(
        np.zeros((0, toy.LENGTH), np.int64),
        np.zeros(0, np.int64),
        Ragged(np.zeros(0, np.int64), np.zeros(1, np.int64)),
        toy.MOVIES,
    )
    with pytest.raises(ConversionError, match="no eval windows"):
        convert_variants("nowhere", none, config=CONFIG)


def test_saved_model_answers_cover_all_windows_in_order(
    saved_model: Callable[[str], str],
) -> None:
    windows = held_out(300)
    together = saved_model_answers(saved_model("cnn"), windows)
    assert together.ids.shape == (300, toy.TOP_K)
    last = HeldOut(windows.context[-1:], windows.target[-1:], windows.seen, toy.MOVIES)
    alone = saved_model_answers(saved_model("cnn"), last)
    np.testing.assert_array_equal(alone.ids[0], together.ids[-1])
    assert top10_overlap(together, together, windows) == 1.0
    assert 0 <= recall_at_10(together, windows) < 0.5


def sizes(folder: Path, model: Recommender) -> dict[str, int]:
    """Bytes of the float32 and the int8 file."""
    serving.export(model, str(folder / "model"), top_k=100)
    for variant in ("float32", "int8"):
        main([str(folder / "model"), variant, str(folder / variant)])
    return {variant: (folder / variant).stat().st_size for variant in ("float32", "int8")}


@pytest.mark.parametrize(("encoder", "dim"), [("cnn", 32), ("cnn", 64), ("bow", 32), ("lstm", 64)])
@pytest.mark.thorough
def test_int8_is_at_most_30_percent_of_float32(encoder: str, dim: int, tmp_path: Path) -> None:
    found = sizes(tmp_path, toy.recommender(encoder, movies=2000, dim=dim))
    assert found["int8"] <= 0.30 * found["float32"], found


@pytest.mark.slow
def test_int8_of_a_long_unrolled_lstm_is_at_most_30_percent(tmp_path: Path) -> None:
    config = ModelConfig(encoder=LstmConfig(units=128), dim=64)
    found = sizes(tmp_path, Recommender(config, history_length=64, movies=3416))
    assert found["int8"] <= 0.30 * found["float32"], found
