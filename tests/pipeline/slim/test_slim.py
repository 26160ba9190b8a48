"""`pocketrec slim` on a converted model, with LiteRT."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from components.tflite_converter.budgets import budget_file
from components.tflite_converter.convert import ConversionError
from components.tflite_converter.elastic_budget import BudgetTooSmallError, fit
from components.tflite_converter.elastic_tables import with_tables
from modules.evaluation.litert import TopKModel
from modules.models.history import Context
from modules.models.item_tables.elastic_layout import Layout, all_layouts
from modules.models.item_tables.elastic_master import ElasticMaster
from pipeline.cli.main import main
from pipeline.config.delivery import ConversionConfig
from pipeline.config.root import Config
from pipeline.errors import RegistryError
from pipeline.slim.cut import cut
from pocketrec_device import Bundle, BundleError, Recommender
from pocketrec_device.groups import group_of, variant_of_group
from pocketrec_device.gzipped import gzipped
from tests.pipeline.slim import elastic_toy
from tests.pipeline.slim.elastic_toy import MOVIES, TOP_K, WIDTH, Toy

pytestmark = pytest.mark.thorough

LAYOUTS = [(4, 4, 4), (2, 2, 2), (4, 2, 2), (3, 3, 1), (4, 2, 1)]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return elastic_toy.make(tmp_path_factory.mktemp("toy"), variants=("float16", "int8", "int4"))


@pytest.fixture(scope="module")
def bundle(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return elastic_toy.bundle(toy, tmp_path_factory.mktemp("bundle"))


def best_scores(toy: Toy, layout: Layout) -> np.ndarray:  # type: ignore[type-arg]
    """What training would answer with a table cut to a layout."""
    histories = elastic_toy.histories(24)
    with toy.table.limited_to(layout):
        context = toy.model.encode_last(Context(histories)).numpy()
        scores = context @ toy.model.scoring_table().numpy().T
    for row, history in zip(scores, histories, strict=True):
        row[[0, *history]] = -np.inf
    return np.sort(scores, axis=1)[:, : -TOP_K - 1 : -1]


def answers(content: bytes) -> np.ndarray:  # type: ignore[type-arg]
    histories = elastic_toy.histories(24).astype(np.int64)
    _, scores = TopKModel(content, "cut").predict(histories, {})
    return np.asarray(scores)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_cut_file_scores_as_training_with_that_layout(toy: Toy, layout: Layout) -> None:
    steps = toy.table.master().steps(layout)
    content = with_tables(toy.variants["float32"], MOVIES + 1, WIDTH, steps)
    # Products with codes quantize their other side as they run.
    expected = best_scores(toy, layout)
    np.testing.assert_allclose(answers(content), expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("variant", ["float16", "int8", "int4"])
def test_every_way_to_store_a_table_is_recognised(toy: Toy, variant: str) -> None:
    steps = toy.table.master().steps((4, 2, 1))
    content = with_tables(toy.variants[variant], MOVIES + 1, WIDTH, steps)
    expected = best_scores(toy, (4, 2, 1))
    atol = {"float16": 0.01, "int8": 0.03, "int4": 0.5}[variant] * np.abs(expected).max()
    np.testing.assert_allclose(answers(content), expected, atol=atol)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_whole_tables_codes_are_those_of_training(toy: Toy, layout: Layout) -> None:
    master = ElasticMaster.from_bytes(toy.assets["elastic.npz"], "elastic.npz")
    restored = np.zeros((MOVIES + 1, WIDTH), np.float32)
    for step in master.steps(layout):
        rows = slice(step.start, step.start + len(step.codes))
        restored[rows, : step.codes.shape[1]] = step.codes * step.step
    with toy.table.limited_to(layout):
        np.testing.assert_allclose(restored, toy.table.rows().numpy(), atol=1e-6)


def test_the_largest_layout_that_fits_is_taken(toy: Toy) -> None:
    master, base = toy.table.master(), toy.variants["float32"]
    sizes = {
        layout: len(with_tables(base, MOVIES + 1, WIDTH, master.steps(layout)))
        for layout in all_layouts(master.groups[0].shares)
    }
    smallest = sizes[(1, 1, 1)]
    for budget in range(smallest, max(sizes.values()) + 200, 501):
        found = fit(base, master, budget)
        assert len(found.content) <= budget
        assert found.layout == [layout for layout, size in sizes.items() if size <= budget][-1]
    with pytest.raises(BudgetTooSmallError) as refused:
        fit(base, master, smallest - 1)
    assert refused.value.smallest == smallest


def test_a_file_without_such_a_table_is_refused(toy: Toy) -> None:
    steps = toy.table.master().steps((4, 4, 4))
    with pytest.raises(ConversionError, match="no item table of 999 rows and 16 columns"):
        with_tables(toy.variants["float32"], 999, WIDTH, steps)


def run(*words: object) -> int:
    return main(["slim", *map(str, words)])


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_slim_bundle_recommends_on_a_device(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "slim"
    assert run(bundle, "--budget", "8KB", "--output", target) == 0
    said = capsys.readouterr().out
    assert "recall was not measured" in said
    assert "elastic_8kb.tflite" in said
    found = Bundle.load(target)
    found.verify()
    (variant,) = found.manifest.variants
    file = found.model(variant)
    assert len(file) <= 8 * 1024
    assert len(Recommender(found).recommend([1001, 1250], k=5)) == 5
    source = Bundle.load(bundle).manifest.bundle_id
    assert found.manifest.raw["slim"]["of_bundle"] == source
    assert found.manifest.raw["gated"] == {
        "of_bundle": source,
        "variant": "int8",
        "recall_at_10": 0.25,
        "is_of_these_files": False,
    }
    assert found.manifest.figures[variant].recall_at_10 is None


def test_the_same_twice(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--budget", "9KB", "--json", "--output")
    assert run(bundle, *place, tmp_path / "one") == 0
    first = json.loads(capsys.readouterr().out)
    assert run(bundle, *place, tmp_path / "two") == 0
    assert run(bundle, *place, tmp_path / "one") == 0
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")
    assert (
        json.loads(capsys.readouterr().out.split("}\n{")[0] + "}")["bundle_id"]
        == (first["bundle_id"])
    )
    (tmp_path / "one" / "manifest.json").unlink()
    assert run(bundle, *place, tmp_path / "one") == 2
    assert "is there already" in capsys.readouterr().err


def test_an_end_half_way_leaves_nothing(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise KeyboardInterrupt

    target = tmp_path / "slim"
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        assert run(bundle, "--budget", "9KB", "--output", target) == 130
    assert not target.exists()
    assert run(bundle, "--budget", "9KB", "--output", target) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["slim"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--budget", "2KB"), r"no file of 2,048 bytes can be cut .* the smallest, of its variant"),
        (("--budget", "9KB", "--group", "1"), r"no group 1; groups of this model: none"),
        (("--budget", "9KB", "--variant", "int2"), r"no variant 'int2'; it has float16, float32"),
    ],
)
def test_what_cannot_be_is_refused(
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    assert run(bundle, *words, "--output", tmp_path / "slim") == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_bundle_of_another_table_is_refused(toy: Toy, tmp_path: Path) -> None:
    plain = elastic_toy.bundle(toy, tmp_path, assets={})
    with pytest.raises(RegistryError, match=r"it has no elastic.npz; train a model with"):
        cut(Bundle.load(plain), 10_000)


def test_a_gzipped_file_holds_more_of_the_table(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = 8 * 1024
    (plain,) = cut(Bundle.load(bundle), budget).cuts
    assert run(bundle, "--budget", "8KB", "--gzip", "--output", tmp_path / "slim") == 0
    assert "elastic_8kb.tflite.gz" in capsys.readouterr().out
    slim = Bundle.load(tmp_path / "slim")
    slim.verify()
    (name,) = slim.manifest.variants
    told = slim.manifest.raw["variant_figures"][name]
    assert told["bytes"] == (tmp_path / "slim" / "elastic_8kb.tflite.gz").stat().st_size <= budget
    assert told["unzipped_bytes"] == len(slim.model(name)) > plain.unzipped_bytes
    blocks = slim.manifest.raw["slim"]["variants"][name]["blocks_by_segment"]
    assert plain.layout is not None
    assert sum(blocks) > sum(plain.layout)
    assert len(Recommender(slim).recommend([1001, 1250], k=5)) == 5
    assert slim.manifest.raw["format_version"] == 2


def test_what_is_cut_of_a_gzipped_bundle_is_gzipped(toy: Toy, tmp_path: Path) -> None:
    config = Config(conversion=ConversionConfig(gzip=True))
    bundle = Bundle.load(elastic_toy.bundle(toy, tmp_path, config=config))
    assert [one.file for one in cut(bundle, 9000).cuts] == ["elastic_9000b.tflite.gz"]
    assert [one.file for one in cut(bundle, 9000, gzip=False).cuts] == ["elastic_9000b.tflite"]


def test_the_largest_layout_that_fits_gzipped_is_taken(toy: Toy) -> None:
    master, base = toy.table.master(), toy.variants["float32"]
    sizes = {
        layout: len(gzipped(with_tables(base, MOVIES + 1, WIDTH, master.steps(layout))))
        for layout in all_layouts(master.groups[0].shares)
    }
    smallest = sizes[(1, 1, 1)]
    for budget in range(smallest, max(sizes.values()) + 200, 501):
        found = fit(base, master, budget, size=lambda content: len(gzipped(content)))
        assert found.layout == [layout for layout, size in sizes.items() if size <= budget][-1]
    with pytest.raises(BudgetTooSmallError) as refused:
        fit(base, master, smallest - 1, size=lambda content: len(gzipped(content)))
    assert refused.value.smallest == smallest


def test_a_budget_that_the_pipeline_measured_keeps_its_figures(toy: Toy, tmp_path: Path) -> None:
    bases = [toy.variants["float32"], toy.variants["int8"]]
    made = budget_file(bases, toy.table.master(), 8 * 1024)
    assert len(made) <= 8 * 1024 - 2048
    variants = {**toy.variants, "elastic_8kb": made}
    bundle = Bundle.load(elastic_toy.bundle(toy, tmp_path, variants=variants))
    slim = cut(bundle, 8 * 1024)
    assert slim.files["elastic_8kb.tflite"] == bundle.model("elastic_8kb")
    told = json.loads(slim.files["manifest.json"])
    assert told["variant_figures"]["elastic_8kb"]["recall_at_10"] == 0.2
    assert told["gated"]["is_of_these_files"]
    (other,) = cut(bundle, 8 * 1024 + 1).cuts
    assert other.measured is None


def test_a_damaged_table_is_refused(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    (copy / "elastic.npz").write_bytes(b"PK")
    assert run(copy, "--budget", "9KB", "--output", tmp_path / "slim") == 2
    with pytest.raises(RegistryError, match="not an elastic table"):
        ElasticMaster.from_bytes(b"PK", "here")


def test_a_device_takes_the_file_of_its_group(tmp_path: Path) -> None:
    toy = elastic_toy.make(tmp_path, groups=2, variants=("int8",))
    source = elastic_toy.bundle(toy, tmp_path)
    assert Bundle.load(source).manifest.raw["groups"]["shape"] == [MOVIES + 1, 2]
    target = tmp_path / "slim"
    assert run(source, "--budget", "8KB", "--group", "all", "--output", target) == 0
    bundle = Bundle.load(target)
    bundle.verify()
    assert sorted(bundle.manifest.variants) == ["elastic_8kb_group_1", "elastic_8kb_group_2"]
    # The toy's odd movies are of the second group; the release's ids are 1000 more.
    assert group_of(bundle, [1001, 1002, 1003]) == 2
    assert group_of(bundle, [1002, 1004, 1001, 99]) == 1
    assert group_of(bundle, []) == 1
    first, second = (variant_of_group(bundle, group) for group in (1, 2))
    answers = [
        Recommender(bundle, variant).recommend([1001, 1002], k=3) for variant in (first, second)
    ]
    assert answers[0] != answers[1]
    with pytest.raises(BundleError, match="no variant of group 3"):
        variant_of_group(bundle, 3)
    assert run(source, "--budget", "8KB", "--group", "3", "--output", tmp_path / "other") == 2


def test_a_bundle_without_groups_says_so(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--budget", "8KB", "--group", "all", "--output", tmp_path / "slim")
    assert run(bundle, *words) == 2
    assert "the model has no groups of users" in capsys.readouterr().err
    with pytest.raises(BundleError, match="the model knows no groups of users"):
        group_of(Bundle.load(bundle), [1001])
