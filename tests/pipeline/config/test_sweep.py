"""A study's file: read whole, refused with the key and the way out."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.root import CONFIGS_DIR
from pipeline.config.sweep import base_tree, load_sweep
from pipeline.errors import ConfigError
from pipeline.sweep import space

MINIMAL: dict[str, Any] = {
    "name": "mine",
    "base": {"dataset": "sample"},
    "parameters": {"model.dim": [8, 16]},
}


def written(folder: Path, **changes: Any) -> Path:
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump({**MINIMAL, **changes}), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "path", sorted((CONFIGS_DIR / "sweeps").glob("*.yaml")), ids=lambda path: path.name
)
def test_shipped_studies_are_valid_and_named_as_their_files(path: Path) -> None:
    study = load_sweep(path)
    assert study.name == path.stem
    space.check(study, base_tree(study, path.parent))


def test_a_base_is_a_file_beside_the_study_or_a_shipped_one_or_inline(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("history: {length: 7, stride: 3}\n")
    trees = [
        base_tree(load_sweep(written(tmp_path, base=base)), tmp_path)
        for base in ("own.yaml", "sample.yaml", {"seed": 5})
    ]
    assert trees[0] == {"history": {"length": 7, "stride": 3}}
    assert trees[1]["dataset"] == "sample"
    assert trees[2] == {"seed": 5}


def test_settings_and_then_overrides_are_laid_over_the_base(tmp_path: Path) -> None:
    study = load_sweep(written(tmp_path, settings={"model.dim": 4, "training.max_epochs": 2}))
    tree = base_tree(study, tmp_path, ["model.dim=12"])
    assert tree == {
        "dataset": "sample",
        "model": {"dim": 12},
        "training": {"max_epochs": 2},
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"serch": "grid"}, ["study.yaml", "serch", "unknown key", "search"]),
        ({"search": "best"}, ["search", "'grid', 'random' or 'tpe'", "best"]),
        ({"search": "random"}, ["trials", "random has no end"]),
        ({"parameters": {}}, ["parameters"]),
        ({"parameters": {"model.dim": [8, 8]}}, ["parameters.model.dim", "differ"]),
        ({"parameters": {"model.dim": {"low": 1, "high": 3}}}, ["a grid needs a list"]),
        ({"parameters": {"seed": [1]}}, ["give the seeds as `seeds`"]),
        ({"seeds": [1, 1]}, ["seeds must differ", "[1, 1]"]),
        ({"name": "My study"}, ["name", "pattern"]),
        (
            {
                "search": "tpe",
                "trials": 3,
                "parameters": {"model.dropout": {"low": 0.5, "high": 0.1}},
            },
            ["low (0.5) must be below high (0.1)"],
        ),
        (
            {
                "search": "tpe",
                "trials": 3,
                "parameters": {"model.dropout": {"low": 0, "high": 1, "log": True}},
            },
            ["low (0) must be above 0"],
        ),
    ],
)
def test_a_bad_study_names_key_value_and_what_is_allowed(
    tmp_path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_sweep(written(tmp_path, **changes))
    for word in words:
        assert word in str(caught.value)


def test_a_missing_base_is_named_with_those_there_are(tmp_path: Path) -> None:
    study = load_sweep(written(tmp_path, base="ml-2m.yaml"))
    with pytest.raises(ConfigError, match=r"'ml-2m\.yaml' is neither .*ml-1m\.yaml"):
        base_tree(study, tmp_path)
