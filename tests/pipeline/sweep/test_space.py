"""Combinations in the file's order, and the settings that each gives."""

from typing import Any

import pytest

from pipeline.config.sweep import SweepConfig
from pipeline.config.tree import flat
from pipeline.errors import ConfigError
from pipeline.sweep import space


def study(**changes: Any) -> SweepConfig:
    tree: dict[str, Any] = {
        "name": "s",
        "base": {},
        "parameters": {"model.dim": [8, 16]},
        **changes,
    }
    return SweepConfig.model_validate(tree)


def test_a_grid_is_in_the_files_order_the_last_key_fastest() -> None:
    parameters = study(parameters={"b": [2, 1], "a": ["x", "y", "z"]}).parameters
    assert [(cell["b"], cell["a"]) for cell in space.grid(parameters)] == [
        (2, "x"),
        (2, "y"),
        (2, "z"),
        (1, "x"),
        (1, "y"),
        (1, "z"),
    ]


def test_a_section_with_a_name_is_taken_whole_and_another_is_laid_over() -> None:
    base: dict[str, Any] = {
        "model": {"encoder": {"name": "cnn", "layers": 2, "kernel": 7}, "dim": 32},
        "history": {"length": 50, "stride": 25, "min_rating": 3.5},
    }
    values = {
        "model.encoder": {"name": "cnn", "layers": 4},
        "history": {"length": 10, "stride": 8},
    }
    config = space.trial_config(base, values, "trial 1")
    encoder = config.model.encoder.model_dump()
    assert (encoder["layers"], encoder["kernel"]) == (4, 3)
    assert config.model.dim == 32
    assert (config.history.length, config.history.stride) == (10, 8)
    assert config.history.min_rating == 3.5
    assert base["history"]["length"] == 50


def test_settings_that_do_not_go_together_are_named_before_anything_is_trained() -> None:
    bad = study(parameters={"history.length": [30, 10]})
    with pytest.raises(ConfigError) as caught:
        space.check(bad, {"history": {"stride": 20}})
    for words in ("s: history.length=10", "stride (20)", "length (10)"):
        assert words in str(caught.value)
    unknown = study(search="random", trials=2, parameters={"model.dimm": [8]})
    with pytest.raises(ConfigError, match=r"model\.dimm: unknown key"):
        space.check(unknown, {})


CASES = {
    "small": {"model": {"dim": 8}, "training.max_epochs": 2},
    "large": {"model.dim": 64},
}


def test_each_case_is_tried_with_each_combination_and_a_parameter_goes_before_it() -> None:
    mine = study(cases=CASES, parameters={"training.max_epochs": [3, 4]})
    cells = space.grid(mine.varied)
    assert [(cell["case"], cell["training.max_epochs"]) for cell in cells] == [
        ("small", 3),
        ("small", 4),
        ("large", 3),
        ("large", 4),
    ]
    assert mine.settings_of(cells[1]) == {"model": {"dim": 8}, "training.max_epochs": 4}
    assert mine.settings_of({"case": "small"})["training.max_epochs"] == 2
    config = space.trial_config({}, mine.settings_of(cells[0]), "trial 1")
    assert (config.model.dim, config.training.max_epochs) == (8, 3)


@pytest.mark.parametrize("search", ["grid", "random"])
def test_every_case_is_checked_before_anything_is_trained(search: str) -> None:
    cases = {**CASES, "wrong": {"model.dimm": 8}}
    bad = study(cases=cases, parameters={}, search=search, trials=2)
    with pytest.raises(ConfigError) as caught:
        space.check(bad, {})
    assert "s: case=wrong" in str(caught.value)
    assert "model.dimm: unknown key" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": {}}, "nothing is varied"),
        ({"cases": {"a": {"seed": 1}}}, "give the seeds as `seeds`"),
        ({"parameters": {"case": [1]}}, "give cases as `cases`"),
    ],
)
def test_what_cannot_be_varied_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        study(**changes)


def test_more_trials_than_a_grid_has_are_refused() -> None:
    with pytest.raises(ConfigError, match="more than the 2 combinations"):
        space.check(study(trials=3), {})


def test_a_study_is_another_one_where_its_trials_are() -> None:
    name = space.definition(study(), {})
    same = [
        space.definition(study(trials=1), {}),
        space.definition(study(minutes_per_training=3), {}),
        # A default that is spelt out is no other setting.
        space.definition(study(), {"model": {"tied": True}}),
    ]
    others = [
        space.definition(study(seeds=[1]), {}),
        space.definition(study(report_test=True), {}),
        space.definition(study(parameters={"model.dim": [16, 8]}), {}),
        space.definition(study(cases=CASES), {}),
        space.definition(study(), {"model": {"dim": 5}}),
    ]
    assert set(same) == {name}
    assert len({name, *others}) == 6


def test_values_are_shown_in_one_line() -> None:
    values = {"model.encoder": {"name": "cnn", "layers": 3}, "training.x": 0.00012345}
    assert space.describe(values) == "model.encoder=cnn layers=3, training.x=0.0001234"


def test_flat_names_values_by_key_path() -> None:
    assert flat({"a": {"b": {"c": 1}}, "d": [2]}) == {"a.b.c": 1, "d": [2]}
