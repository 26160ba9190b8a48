"""The best variant that fits, told from all variants one by one."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.registry_pusher.bundle import build_manifest, bundle_files, to_json
from pocketrec_device import BudgetError, Bundle, BundleError, Recommender
from pocketrec_device.budgets import best_variant, parse_size
from pocketrec_device.manifest import FileEntry, Manifest, VariantFigures, parse_manifest
from tests.device import toy


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("65536", 65_536),
        ("64KB", 65_536),
        (" 64 kb ", 65_536),
        ("1b", 1),
        ("1.5MB", 1_572_864),
        ("0.3KB", 307),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "KB", "64GB", "-1KB", "64 K B", "0", "0.9B", "1e3", "٣KB"])
def test_nonsense_is_no_size(text: str) -> None:
    with pytest.raises(BudgetError, match=r"is no size: .* such as 64KB"):
        parse_size(text)


@dataclasses.dataclass(frozen=True)
class Made:
    """A variant."""

    bytes: int
    recall: float | None
    memory: int | None


def manifest(variants: dict[str, Made]) -> Manifest:
    files = {f"{name}.tflite": FileEntry("0" * 64, one.bytes) for name, one in variants.items()}
    told = {
        name: VariantFigures(
            recall_at_10=one.recall,
            recall_change_from_float32=None,
            recall_at_10_by_popularity={},
            memory_bytes=one.memory,
            latency_ms=None,
        )
        for name, one in variants.items()
    }
    whole = parse_manifest(_toy_manifest(), "toy")
    names = {name: f"{name}.tflite" for name in variants}
    return dataclasses.replace(whole, variants=names, files=files, figures=told)


@functools.cache
def _toy_manifest() -> str:
    source = toy.source()
    return to_json(build_manifest(source, bundle_files(source))).decode()


FOUR = {
    "float32": Made(4000, 0.32, 9000),
    "float16": Made(2000, 0.32, 8000),
    "int8": Made(1000, 0.31, 3000),
    "int4": Made(600, 0.30, None),
}


@pytest.mark.parametrize(
    ("budget", "memory", "best"),
    [
        (None, None, "float16"),  # as good as float32, and smaller
        (4000, None, "float16"),
        (1999, None, "int8"),
        (1000, None, "int8"),
        (999, None, "int4"),
        (None, 8000, "float16"),
        (None, 7999, "int8"),
        (1500, 8000, "int8"),
    ],
)
def test_the_best_recall_that_fits(budget: int | None, memory: int | None, best: str) -> None:
    assert best_variant(manifest(FOUR), budget, memory) == best


def test_nothing_fits() -> None:
    with pytest.raises(BudgetError, match=r"a file of 599 bytes: .* that of int4 with 600$"):
        best_variant(manifest(FOUR), 599)
    # What int4 takes in memory is not known.
    with pytest.raises(BudgetError, match=r"999 bytes and 9,000 bytes of memory: .*int8 with 3,0"):
        best_variant(manifest(FOUR), 999, 9000)
    unknown = {name: dataclasses.replace(one, memory=None) for name, one in FOUR.items()}
    with pytest.raises(BudgetError, match="does not tell how much memory"):
        best_variant(manifest(unknown), None, 10**9)


_SIZES = st.integers(1, 6)
_VARIANTS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d", "e"]),
    st.builds(
        Made,
        _SIZES,
        st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5])),
        st.one_of(st.none(), _SIZES),
    ),
    min_size=1,
)
_BUDGET = st.one_of(st.none(), st.integers(0, 7))


@given(_VARIANTS, _BUDGET, _BUDGET)
def test_no_other_variant_that_fits_is_better(
    variants: dict[str, Made], budget: int | None, memory: int | None
) -> None:
    fitting = {
        name
        for name, one in variants.items()
        if (budget is None or one.bytes <= budget)
        and (memory is None or (one.memory is not None and one.memory <= memory))
    }
    if not fitting:
        with pytest.raises(BudgetError):
            best_variant(manifest(variants), budget, memory)
        return
    best = best_variant(manifest(variants), budget, memory)
    assert best in fitting
    own = variants[best]
    for name in fitting - {best}:
        other = variants[name]
        own_recall, other_recall = (
            -1.0 if one.recall is None else one.recall for one in (own, other)
        )
        assert own_recall >= other_recall
        if own_recall == other_recall:
            assert own.bytes <= other.bytes
            if own.bytes == other.bytes:
                assert best < name


METRICS = {
    "overall": {
        "recall_at_10": 0.25,
        "ndcg_at_10": 0.1,
        "recall_at_10_float32": 0.5,
        "recall_change_from_float32_at_10": -0.25,
    },
    "popularity_segment=head": {"recall_at_10": 0.75, "recall_at_10_float32": None},
}


def test_a_recommender_takes_what_fits(tmp_path: Path) -> None:
    bundle = Bundle.load(toy.bundle(tmp_path, metrics=METRICS))
    sizes = {name: bundle.manifest.files[f"{name}.tflite"].bytes for name in ("int8", "float32")}
    assert sizes["int8"] < sizes["float32"]
    assert bundle.manifest.figures["int8"] == VariantFigures(
        0.25, -0.25, {"head": 0.75}, None, None
    )
    assert Recommender(bundle).variant == "int8"
    assert Recommender(bundle, budget=sizes["float32"]).variant == "float32"
    small = Recommender(bundle, budget=sizes["float32"] - 1)
    assert small.variant == "int8"
    assert [movie.title for movie in small.recommend(["The Matrix"], k=1)] == [toy.TITLES[2]]
    with pytest.raises(BudgetError, match=rf"{tmp_path}.*that of int8 with {sizes['int8']:,}"):
        Recommender(bundle, budget=sizes["int8"] - 1)
    with pytest.raises(BudgetError, match="a variant \\('int8'\\) or a budget, not both"):
        Recommender(bundle, "int8", memory_budget=10**9)


def test_a_bundle_from_before_runs_and_chooses_by_name_alone(tmp_path: Path) -> None:
    folder = toy.bundle(tmp_path)
    edit(
        folder,
        lambda manifest: [manifest.pop("variant_figures"), manifest.pop("variants_left_out")],
    )
    bundle = Bundle.load(folder)
    assert (bundle.manifest.figures, bundle.manifest.left_out) == ({}, {})
    assert Recommender(bundle).variant == "int8"
    with pytest.raises(BudgetError, match="name a variant instead: float32, int8"):
        bundle.best_variant(10**9)


def test_a_variant_that_was_left_out_is_refused_with_the_reason(tmp_path: Path) -> None:
    bundle = Bundle.load(toy.bundle(tmp_path, left_out={"int4": "it lost too much"}))
    with pytest.raises(
        BundleError, match="no variant 'int4', which was left out: it lost too much"
    ):
        Recommender(bundle, "int4")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told.pop("int8"), "variant_figures tells of .'float32'., variants are"),
        (lambda told: told["int8"].update(recall_at_10="high"), r"int8\.recall_at_10 is 'high'"),
        (lambda told: told["int8"].update(memory_bytes=-1), r"int8\.memory_bytes is -1"),
    ],
)
def test_impossible_figures_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    folder = toy.bundle(tmp_path)
    edit(folder, lambda manifest: change(manifest["variant_figures"]))
    with pytest.raises(BundleError, match=message):
        Bundle.load(folder)


def edit(folder: Path, change: Any) -> None:
    path = folder / "manifest.json"
    said = json.loads(path.read_text("utf-8"))
    change(said)
    path.write_text(json.dumps(said), "utf-8")
